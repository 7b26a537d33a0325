"""`python -m cyclegan_tf.translate_beam`."""

from cyclegan_tf.__main__ import start

start("translate_beam")
