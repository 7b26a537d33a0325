"""`python -m cyclegan_tf.serve`."""

from cyclegan_tf import cli
from cyclegan_tf.serve.command import main

cli.run(main)
