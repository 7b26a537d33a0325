"""`python -m cyclegan_tf.convert`."""

from cyclegan_tf import cli
from cyclegan_tf.convert.command import main

cli.run(main)
