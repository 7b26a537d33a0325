"""How good translations are: the ablation, quality per minute, and that a rewrite moved nothing."""

import cyclegan_tf  # noqa: F401  sets TensorFlow's environment before anything imports it
