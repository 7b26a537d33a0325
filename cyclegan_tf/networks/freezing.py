"""Fine-tuning with frozen encoders."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np


def freeze_encoder(generator: keras.Model) -> None:
    """Makes the weights before the residual blocks, or of a U-Net's encoder, untrainable.

    The encoder is all up to the last layer that halves its image, and the normalization behind
    that, so it can be found in any network. Call it before the optimizer is built, which then makes
    no moments for them. Batch normalization in the encoder uses its moving statistics in training,
    too.

    Args:
      generator: from images to images; changed in place.

    Raises:
      ValueError: it has no such layers, or nothing behind them that could be trained.
    """
    layers = generator.layers
    halving = [place for place, layer in enumerate(layers) if _halves(layer)]
    if not halving or not any(_enlarges(layer) for layer in layers[halving[-1] :]):
        raise ValueError(
            f"{generator.name} has no encoder to freeze: no layers halve its image and enlarge it "
            f"again."
        )
    end = halving[-1] + 1
    while end < len(layers) and not _has_kernel(layers[end]):
        end += 1
    if not _trains(layers[end:]):
        raise ValueError(
            f"{generator.name} has no encoder to freeze: nothing behind it could be trained."
        )
    for layer in layers[:end]:
        layer.trainable = False


def _halves(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, keras.Model):
        return any(_halves(inner) for inner in layer.layers)
    window = _has_kernel(layer) or hasattr(layer, "pool_size")
    return window and not _enlarges(layer) and np.max(getattr(layer, "strides", 1) or 1) > 1


def _enlarges(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, keras.Model):
        return any(_enlarges(inner) for inner in layer.layers)
    return isinstance(layer, (keras.layers.Conv2DTranspose, keras.layers.UpSampling2D))


def _has_kernel(layer: keras.layers.Layer) -> bool:
    if isinstance(layer, keras.Model):
        return any(_has_kernel(inner) for inner in layer.layers)
    return hasattr(layer, "kernel")


def _trains(layers: Sequence[keras.layers.Layer]) -> bool:
    return any(layer.trainable_weights for layer in layers)
