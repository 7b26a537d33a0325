"""`python -m cyclegan_tf.export`."""

from cyclegan_tf.__main__ import start

start("export")
