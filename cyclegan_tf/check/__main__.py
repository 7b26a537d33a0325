"""`python -m cyclegan_tf.check`."""

import os

from cyclegan_tf import cli
from cyclegan_tf.check.command import main

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # decoding needs no GPU, and a training may be using it
cli.run(main)
