"""`python -m cyclegan_tf.train`."""

from cyclegan_tf.__main__ import start

start("train")
