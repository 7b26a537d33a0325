"""The list of packages, which pyproject.toml cannot say; everything else is said there."""

from setuptools import find_namespace_packages, setup

# The configs lie beside the package in a checkout and inside it where it is installed.
CONFIGS = ["cyclegan_tf.configs", "cyclegan_tf.configs.ablation", "cyclegan_tf.configs.pix2pix"]

setup(packages=[*find_namespace_packages(include=["cyclegan_tf*"]), *CONFIGS])
