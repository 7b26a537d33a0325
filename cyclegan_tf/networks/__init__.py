"""Generators and discriminators: builders by name, the layers they are made of, their files.

>>> from cyclegan_tf.networks import build_discriminator, build_generator
>>> generator = build_generator("resnet_9blocks")
"""

# Registered by being imported: files of converted networks hold their layers.
from cyclegan_tf.networks import addons, contrib  # noqa: F401
from cyclegan_tf.networks.builders import (
    ARCHITECTURES,
    DISCRIMINATOR_ARCHITECTURES,
    build_discriminator,
    build_generator,
)

__all__ = [
    "ARCHITECTURES",
    "DISCRIMINATOR_ARCHITECTURES",
    "build_discriminator",
    "build_generator",
]
