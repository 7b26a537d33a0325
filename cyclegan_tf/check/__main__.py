"""`python -m cyclegan_tf.check`."""

from cyclegan_tf.__main__ import start

start("check")
