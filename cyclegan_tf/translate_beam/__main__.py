"""`python -m cyclegan_tf.translate_beam`."""

from cyclegan_tf import cli
from cyclegan_tf.translate_beam.command import main

cli.run(main)
