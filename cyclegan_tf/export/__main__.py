"""`python -m cyclegan_tf.export`."""

from cyclegan_tf import cli
from cyclegan_tf.export.command import main

cli.run(main)
