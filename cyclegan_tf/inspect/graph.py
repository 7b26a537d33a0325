"""Numbers that follow from layers alone: multiply-accumulates, receptive field, sizes it takes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from cyclegan_tf.networks import keras_internals
from cyclegan_tf.networks.color_skip import ColorSkip
from cyclegan_tf.networks.graph import INPUT, LayerCall, NotAGraphError, layer_calls

_AXES = (0, 1)
# Layers that look at one pixel of each input, or at a whole image only to normalize it.
_POINTWISE = frozenset(
    "Activation ReLU LeakyReLU PReLU ELU Softmax Dropout SpatialDropout2D GaussianNoise Identity "
    "Rescaling Dense BatchNormalization InstanceNormalization GroupNormalization "
    "ContribInstanceNormalization LayerNormalization Add Subtract Multiply Average Maximum Minimum "
    "Concatenate Tanh Sigmoid Relu LeakyRelu Divide TrueDivide Negative Absolute".split()
) | {ColorSkip.__name__}


class UnknownLayerError(Exception):
    """A layer of which it is not known where its outputs look."""


@dataclass(frozen=True)
class Macs:
    """Multiply-accumulates of one image.

    Attributes:
      performed: a transposed convolution multiplies each input pixel by each weight.
      published: the same charged for each output pixel, as most papers count, zeros between pixels
        included.

    Example:
      >>> count_macs(build_generator("resnet_9blocks"), 256).published
      56799264768
    """

    performed: int
    published: int


def _calls(network: keras.Model) -> list[LayerCall]:
    try:
        return layer_calls(network)
    except NotAGraphError as error:
        raise UnknownLayerError(str(error)) from error


def count_macs(network: keras.Model, size_px: int) -> Macs | None:
    """Multiply-accumulates of all convolutions and matrix products for one square image.

    Counted in the graph that TensorFlow makes, where layers of any make are plain operations.

    Args:
      network: of images (N, H, W, C).
      size_px: side of the image.

    Returns:
      The counts, or None where the graph hides operations within functions, or sizes from itself.
    """
    spec = tf.TensorSpec((1, size_px, size_px, network.input_shape[-1]), tf.float32)
    function = tf.function(lambda image: network(image, training=False), autograph=False)
    performed = published = 0
    for operation in function.get_concrete_function(spec).graph.get_operations():
        macs = _macs_of(operation)
        if macs is None:
            return None
        performed += macs
        published += macs * (
            math.prod(operation.get_attr("strides")) if operation.type in _TRANSPOSED else 1
        )
    return Macs(performed, published)


_TRANSPOSED = ("Conv2DBackpropInput", "DepthwiseConv2dNativeBackpropInput")


def _macs_of(operation: tf.Operation) -> int | None:
    """Of one operation of a graph; each pixel it stands on is multiplied by each weight."""
    if operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
        return None
    if operation.type in ("Conv2D", "DepthwiseConv2dNative"):
        pixels, weights = operation.outputs[0], operation.inputs[1]
    elif operation.type in _TRANSPOSED:
        weights, pixels = operation.inputs[1], operation.inputs[2]
    elif operation.type == "MatMul":
        elements, columns = operation.inputs[0].shape.num_elements(), operation.outputs[0].shape[-1]
        return None if elements is None or columns is None else elements * columns
    else:
        return 0
    sides = [*pixels.shape[1:3], *weights.shape]
    return None if None in sides else math.prod(sides)


def size_divisor_px(network: keras.Model) -> int | None:
    """Number that must divide sides of images; None for networks that do not enlarge again.

    Raises:
      UnknownLayerError: the network is not a graph of layers.
    """
    layers = [call.layer for call in _calls(network)]
    enlarging = (keras.layers.Conv2DTranspose, keras.layers.UpSampling2D)
    if not any(isinstance(layer, enlarging) for layer in layers):
        return None
    shrinking = (layer for layer in layers if not isinstance(layer, enlarging))
    return math.prod(getattr(layer, "strides", (1,))[0] for layer in shrinking)


def receptive_field_px(network: keras.Model) -> tuple[int, int]:
    """Rows and columns of the input that one output pixel can see through convolutions.

    The widest over all output pixels, whose view differs where a network enlarges. Padding counts
    as image, and what normalization learns of the whole image through mean and variance does not
    count.

    Raises:
      UnknownLayerError: names the first layer, seen from the output, that is not understood.
    """
    calls = _calls(network)
    enlarged = [_enlarged(call.layer) for call in calls]
    rows, columns = (
        max(
            _seen(calls, axis, position)
            for position in range(math.prod(factors[axis] for factors in enlarged))
        )
        for axis in _AXES
    )
    return rows, columns


def _enlarged(layer: Any) -> tuple[int, int]:
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return tuple(layer.strides)
    return tuple(layer.size) if isinstance(layer, keras.layers.UpSampling2D) else (1, 1)


def _seen(calls: Sequence[LayerCall], axis: int, position: int) -> int:
    """How much of one axis the output pixel at a position sees."""
    spans = {calls[-1].output: (position, position)}
    for call in reversed(calls):
        read = [spans[number] for number in call.outputs if number in spans]
        if not read:
            continue
        low, high = min(low for low, _ in read), max(high for _, high in read)
        low, high = _before(call.layer, axis, low, high)
        for source in call.inputs:
            known = spans.get(source, (low, high))
            spans[source] = min(low, known[0]), max(high, known[1])
    return spans[INPUT][1] - spans[INPUT][0] + 1


def _before(layer: Any, axis: int, low: int, high: int) -> tuple[int, int]:
    """First and last input pixel that outputs `low` to `high` look at, on an endless image."""
    name = type(layer).__name__
    if isinstance(layer, keras.layers.Conv2DTranspose):
        return _before_transposed(layer, axis, low, high)
    if hasattr(layer, "kernel_size") or hasattr(layer, "pool_size"):
        return _before_window(layer, axis, low, high)
    if isinstance(layer, keras.layers.UpSampling2D):
        factor = layer.size[axis]
        if layer.interpolation == "nearest":
            return low // factor, high // factor
        if layer.interpolation == "bilinear":
            return (2 * low + 1 - factor) // (2 * factor), (2 * high + 1 - factor) // (
                2 * factor
            ) + 1
    if isinstance(layer, keras.layers.ZeroPadding2D) or name.endswith("ReflectionPadding2D"):
        before = _first(layer.padding, axis)
        return low - before, high - before
    if reflected := keras_internals.reflection_of(layer):
        return low - reflected[axis], high - reflected[axis]
    if isinstance(layer, keras.layers.Cropping2D):
        before = _first(layer.cropping, axis)
        return low + before, high + before
    if name in _POINTWISE:
        return low, high
    raise UnknownLayerError(f"{layer.name} ({name})")


def _first(sides: Any, axis: int) -> int:
    """What lies before the image, of a number, a pair (h, w) or a pair of pairs."""
    side = sides if isinstance(sides, int) else sides[axis]
    return side if isinstance(side, int) else side[0]


def _before_window(layer: Any, axis: int, low: int, high: int) -> tuple[int, int]:
    """Of a convolution or pooling.

    "same" pads as TensorFlow does where sides are multiples of the stride.
    """
    size = (layer.kernel_size if hasattr(layer, "kernel_size") else layer.pool_size)[axis]
    stride, reach = layer.strides[axis], (size - 1) * getattr(layer, "dilation_rate", (1, 1))[axis]
    begin = max(reach + 1 - stride, 0) // 2 if layer.padding == "same" else 0
    return low * stride - begin, high * stride - begin + reach


def _before_transposed(layer: Any, axis: int, low: int, high: int) -> tuple[int, int]:
    """Of a transposed convolution.

    Input pixel i reaches outputs from i * stride on, as many as the kernel is long, less what is
    cut off before.
    """
    size, stride = layer.kernel_size[axis], layer.strides[axis]
    if size < stride or layer.dilation_rate[axis] != 1 or layer.output_padding is not None:
        raise UnknownLayerError(f"{layer.name} ({type(layer).__name__})")
    cut = (size - stride) // 2 if layer.padding == "same" else 0
    return -((size - 1 - low - cut) // stride), (high + cut) // stride
