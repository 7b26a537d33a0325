"""`python -m cyclegan_tf.train`."""

from cyclegan_tf.train.command import run

run()
