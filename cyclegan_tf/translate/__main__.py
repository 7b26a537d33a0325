"""`python -m cyclegan_tf.translate`."""

from cyclegan_tf import cli
from cyclegan_tf.translate.command import main

cli.run(main)
