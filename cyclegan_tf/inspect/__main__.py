"""`python -m cyclegan_tf.inspect`."""

import os

from cyclegan_tf import cli
from cyclegan_tf.inspect.command import main

os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # counting needs no GPU, and a training may be using it
cli.run(main)
