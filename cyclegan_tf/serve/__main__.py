"""`python -m cyclegan_tf.serve`."""

from cyclegan_tf.__main__ import start

start("serve")
