"""`python -m cyclegan_tf.convert`."""

from cyclegan_tf.__main__ import start

start("convert")
