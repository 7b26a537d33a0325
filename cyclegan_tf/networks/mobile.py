"""The body of a generator for phones: a residual network of depthwise-separable convolutions.

A 3x3 convolution is parted into one for each channel and a 1x1 across channels (Howard et al. 2017,
"MobileNets", section 3.1). Nothing is normalized at full size, where that takes as long as the
convolutions themselves.
"""

from __future__ import annotations

from typing import Any

import keras

from cyclegan_tf.networks import landmarks
from cyclegan_tf.networks.blocks import LayerFactory


def mobile(
    layers: LayerFactory,
    x: Any,
    channels: int,
    filters: int,
    blocks: int,
    dropout: bool,
    long_skips: bool,
):
    """Builds everything between input and tanh.

    Args:
      layers: makes the layers.
      x: the input.
      channels: of the output.
      filters: channels after the first convolution; twice and four times as many further inside.
      blocks: residual blocks, at a quarter of the sides.
      dropout: whether the blocks have dropout.
      long_skips: whether features before each halving are added after the doubling of their size.
    """
    x = large = layers.relu(_dense(layers, x, "first", filters), "first_relu")
    x = half = layers.norm(_dense(layers, x, "down1", 2 * filters, stride=2), "down1_norm")
    x = _separable(layers, layers.relu(x, "down1_relu"), "down2", 4 * filters, stride=2)
    x = layers.norm_relu(x, "down2")
    for index in range(1, blocks + 1):
        y = layers.norm_relu(
            _separable(layers, x, f"block{index}_conv1", 4 * filters), f"block{index}_conv1"
        )
        if dropout:
            y = layers.dropout(y, f"block{index}_dropout")
        y = _separable(layers, y, f"block{index}_conv2", 4 * filters)
        y = layers.norm(y, f"block{index}_conv2_norm")
        x = keras.layers.Add(**layers.common(landmarks.block_end(index)))([x, y])
    x = layers.norm(_separable(layers, _doubled(layers, x, "up1"), "up1", 2 * filters), "up1_norm")
    x = _joined(layers, x, half, 1, long_skips)
    x = _separable(layers, _doubled(layers, x, "up2"), "up2", filters)
    x = _joined(layers, x, large, 2, long_skips)
    return _dense(layers, x, "last", channels)


def _joined(layers: LayerFactory, x: Any, skip: Any, level: int, long_skips: bool):
    if long_skips:
        join = keras.layers.Add(**layers.common(landmarks.long_skip_join(level)))
        x = join([x, skip])
    return layers.relu(x, f"up{level}_relu")


def _doubled(layers: LayerFactory, x: Any, name: str):
    options = {"interpolation": "nearest", **layers.images(f"{name}_resize")}
    return keras.layers.UpSampling2D(2, **options)(x)


def _padded(layers: LayerFactory, x: Any, name: str):
    return keras.layers.ZeroPadding2D(1, **layers.images(f"{name}_pad"))(x)


def _dense(layers: LayerFactory, x: Any, name: str, filters: int, stride: int = 1):
    x = _padded(layers, x, name)
    kernel = layers.kernel_initializer(name)
    return keras.layers.Conv2D(
        filters, 3, stride, kernel_initializer=kernel, **layers.images(name)
    )(x)


def _separable(layers: LayerFactory, x: Any, name: str, filters: int, stride: int = 1):
    depth = f"{name}_depth"
    x = keras.layers.DepthwiseConv2D(
        3,
        stride,
        use_bias=False,
        depthwise_initializer=layers.kernel_initializer(depth),
        **layers.images(depth),
    )(_padded(layers, x, name))
    kernel = layers.kernel_initializer(name)
    return keras.layers.Conv2D(filters, 1, kernel_initializer=kernel, **layers.images(name))(x)
