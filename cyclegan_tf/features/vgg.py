"""VGG16 and VGG19 without their top as one Keras model, built from arrays."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from cyclegan_tf.errors import UserError
from cyclegan_tf.features.weights import BLOCKS, Convolution

_HALF_RANGE = 255 / 2
_POOLING = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}


def layer_names(convolutions: int) -> list[str]:
    """Names of the activations of VGG16 (13 convolutions) or VGG19 (16), first to last.

    Example:
      >>> layer_names(13)[:3]
      ['conv1_1', 'conv1_2', 'conv2_1']
    """
    counts = enumerate(BLOCKS[convolutions], start=1)
    return [f"conv{block}_{number + 1}" for block, count in counts for number in range(count)]


def build_vgg(
    convolutions: Sequence[Convolution],
    layers: Sequence[str],
    mean_bgr: Sequence[float],
    pooling: str = "max",
) -> keras.Model:
    """Build the part of a VGG that leads to some activations; its weights are frozen.

    Images of odd size are pooled with what they have at the border, so that none is too small.

    Args:
      convolutions: of `read_convolutions`.
      layers: names of the activations to return, of `layer_names`; all are after the ReLU.
      mean_bgr: subtracted from images of 0 to 255, in the order blue, green, red.
      pooling: "max", as the network was trained, or "average" (Gatys et al. 2016, section 2).

    Returns:
      A model: RGB float32 (N, H, W, 3) in [-1, 1] -> dictionary name -> float32 (N, h, w, C), not
      negative; h is H, H / 2, ... rounded up.

    Raises:
      UserError: there is no such layer.
    """
    names = layer_names(len(convolutions))
    if unknown := [name for name in layers if name not in names]:
        raise UserError(
            f"the network has no layer {unknown[0]}; it has {', '.join(names)}.", code="unknown"
        )
    images = keras.Input((None, None, 3), name="images")
    offset = [_HALF_RANGE - mean for mean in mean_bgr]
    # Only then the padding's zeros are the mean color, as in training.
    x = keras.layers.Rescaling(_HALF_RANGE, offset, dtype="float32")(keras.ops.flip(images, -1))
    outputs, needed = {}, max(map(names.index, layers)) + 1
    for name, (kernel, bias) in list(zip(names, convolutions, strict=True))[:needed]:
        if name.endswith("_1") and name != names[0]:
            x = _POOLING[pooling](2, padding="same", name=f"pool{name[4]}", dtype="float32")(x)
        convolution = keras.layers.Conv2D(
            kernel.shape[-1], 3, padding="same", activation="relu", name=name, dtype="float32"
        )
        x = convolution(x)
        convolution.set_weights([kernel, bias])
        if name in layers:
            outputs[name] = x
    network = keras.Model(images, {name: outputs[name] for name in layers}, name="vgg")
    network.trainable = False
    return network
