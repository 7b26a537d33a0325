"""`python -m cyclegan_tf.inspect`."""

from cyclegan_tf.__main__ import start

start("inspect")
