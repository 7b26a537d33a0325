"""`python -m cyclegan_tf.evaluate`."""

from cyclegan_tf.__main__ import start

start("evaluate")
