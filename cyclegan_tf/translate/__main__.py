"""`python -m cyclegan_tf.translate`."""

from cyclegan_tf.__main__ import start

start("translate")
