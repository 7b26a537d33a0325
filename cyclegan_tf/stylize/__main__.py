"""`python -m cyclegan_tf.stylize`."""

from cyclegan_tf.__main__ import start

start("stylize")
