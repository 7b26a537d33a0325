"""Fine-tuning with a part of the generators held still."""

from __future__ import annotations

import re

import keras

# Everything before the residual blocks, and the descending half of a U-Net, by the layer names of `networks`.
_ENCODER = re.compile(r"(first|down\d+)(_.+)?")


def freeze_encoder(generator: keras.Model) -> None:
    """Takes the weights before the residual blocks, or of a U-Net's descending half, out of training.

    Before the optimizer is built, which then makes no moments for them. Batch normalization in there keeps its
    moving statistics and goes by them, in training too.

    Args:
      generator: of `networks.build_generator`; changed in place.

    Raises:
      ValueError: it has no such layers.
    """
    encoder = [layer for layer in generator.layers if _ENCODER.fullmatch(layer.name)]
    if not encoder:
        raise ValueError(f"{generator.name} has no encoder to freeze: no layer is named first or down1.")
    for layer in encoder:
        layer.trainable = False
