"""`python -m cyclegan_tf.evaluate`."""

from cyclegan_tf import cli
from cyclegan_tf.evaluate.command import main

cli.run(main)
