"""`python -m cyclegan_tf.distill`."""

from cyclegan_tf.__main__ import start

start("distill")
