"""`python -m cyclegan_tf.doctor`."""

from cyclegan_tf.__main__ import start

start("doctor")
