"""Operations of ONNX networks of images in TensorFlow, so that gradients pass through them.

Each takes the node's inputs (None where one is left out) and its attributes, and gives its first
output; formulas and defaults are those of the ONNX operator reference, opset 13 and later. Images
stay (N, C, H, W), and are turned for a convolution or a pooling alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

Values = Sequence[Any]
Attributes = Mapping[str, Any]


_TO_THE_END = 2**31 - 1


class UnsupportedError(ValueError):
    """An operation, or an attribute of one, that is not computed here."""


def _conv(values: Values, given: Attributes) -> tf.Tensor:
    images, kernel, *bias = values
    groups = given.get("group", 1)
    image, padding = _padded(_turned(images), given, kernel.shape[2:])
    strides, dilations = given.get("strides", [1, 1]), given.get("dilations", [1, 1])
    kernels = tf.transpose(kernel, (2, 3, 1, 0))
    if groups == 1:
        found = tf.nn.conv2d(image, kernels, strides, padding, dilations=dilations)
    elif kernel.shape[1] == 1 and strides[0] == strides[1]:
        # one channel each: (h, w, 1, C m) is (h, w, C, m)
        each = tf.reshape(kernels, (*kernels.shape[:2], groups, -1))
        found = tf.nn.depthwise_conv2d(image, each, (1, *strides, 1), padding, dilations=dilations)
    else:
        parts = zip(tf.split(image, groups, -1), tf.split(kernels, groups, -1), strict=True)
        done = [tf.nn.conv2d(i, k, strides, padding, dilations=dilations) for i, k in parts]
        found = tf.concat(done, -1)
    return _first(found + bias[0] if bias and bias[0] is not None else found)


def _conv_transpose(values: Values, given: Attributes) -> tf.Tensor:
    images, kernel, *bias = values
    strides, pads = given.get("strides", [1, 1]), given.get("pads", [0, 0, 0, 0])
    more = given.get("output_padding", [0, 0])
    odd = {"group", "dilations", "output_shape", "auto_pad"} & set(given)
    if any(given[name] not in (1, [1, 1], b"NOTSET") for name in odd):
        raise UnsupportedError(f"ConvTranspose with {', '.join(sorted(odd))}")
    image, sides = _turned(images), kernel.shape[2:]
    shape = tf.shape(image)
    whole = [(shape[1 + n] - 1) * strides[n] + sides[n] + more[n] for n in range(2)]
    target = [shape[0], *whole, kernel.shape[1]]
    turned = tf.transpose(kernel, (2, 3, 1, 0))
    found = tf.nn.conv2d_transpose(image, turned, target, strides, "VALID")
    top, left, bottom, right = pads
    found = found[:, top : whole[0] - bottom, left : whole[1] - right]
    return _first(found + bias[0] if bias and bias[0] is not None else found)


def _padded(
    image: tf.Tensor, given: Attributes, sides: Sequence[int], value: float = 0.0
) -> tuple[tf.Tensor, str]:
    """Pads (N, H, W, C) as asked for; gives what is left for TensorFlow to pad."""
    kind = given.get("auto_pad", b"NOTSET")
    if kind == b"SAME_UPPER":
        return image, "SAME"
    if kind not in (b"NOTSET", b"VALID"):
        raise UnsupportedError(f"auto_pad {kind.decode()}")
    if given.get("ceil_mode") or len(sides) != 2:
        raise UnsupportedError("ceil_mode, or other than two dimensions")
    top, left, bottom, right = given.get("pads", [0, 0, 0, 0])
    edges = ((0, 0), (top, bottom), (left, right), (0, 0))
    if any((top, left, bottom, right)):
        image = tf.pad(image, edges, constant_values=value)
    return image, "VALID"


def _max_pool(values: Values, given: Attributes) -> tf.Tensor:
    sides = given["kernel_shape"]
    if given.get("dilations", [1, 1]) != [1, 1]:
        raise UnsupportedError("MaxPool with dilations")
    image, padding = _padded(_turned(values[0]), given, sides, values[0].dtype.min)
    return _first(tf.nn.max_pool2d(image, sides, given.get("strides", [1, 1]), padding))


def _average_pool(values: Values, given: Attributes) -> tf.Tensor:
    sides, strides = given["kernel_shape"], given.get("strides", [1, 1])
    plain = _turned(values[0])
    image, padding = _padded(plain, given, sides)
    found = tf.nn.avg_pool2d(image, sides, strides, padding)
    if padding == "VALID" and any(given.get("pads", [])) and not given.get("count_include_pad"):
        inside, _ = _padded(tf.ones_like(plain[:1, ..., :1]), given, sides)
        found /= tf.nn.avg_pool2d(inside, sides, strides, padding)
    return _first(found)


def _batch_normalization(values: Values, given: Attributes) -> tf.Tensor:
    images, scale, shift, mean, variance = values
    factor = scale * tf.math.rsqrt(variance + given.get("epsilon", 1e-5))
    shape = (1, -1, *[1] * (len(images.shape) - 2))
    return images * tf.reshape(factor, shape) + tf.reshape(shift - mean * factor, shape)


def _instance_normalization(values: Values, given: Attributes) -> tf.Tensor:
    images, scale, shift = values
    mean, variance = tf.nn.moments(images, (2, 3), keepdims=True)
    found = (images - mean) * tf.math.rsqrt(variance + given.get("epsilon", 1e-5))
    return found * tf.reshape(scale, (1, -1, 1, 1)) + tf.reshape(shift, (1, -1, 1, 1))


def _gemm(values: Values, given: Attributes) -> tf.Tensor:
    a, b, *c = values
    product = tf.matmul(
        a, b, transpose_a=bool(given.get("transA")), transpose_b=bool(given.get("transB"))
    )
    found = given.get("alpha", 1.0) * product
    return found + given.get("beta", 1.0) * c[0] if c and c[0] is not None else found


def _reshape(values: Values, given: Attributes) -> tf.Tensor:
    shape = tf.cast(values[1], tf.int32)
    if not given.get("allowzero"):  # 0 keeps what was there
        known = tf.shape(values[0])[: tf.size(shape)]
        kept = tf.pad(known, [[0, tf.size(shape) - tf.size(known)]])
        shape = tf.where(shape == 0, kept, shape)
    return tf.reshape(values[0], shape)


def _flatten(values: Values, given: Attributes) -> tf.Tensor:
    axis = given.get("axis", 1) % (len(values[0].shape) + 1)
    return tf.reshape(values[0], (tf.reduce_prod(tf.shape(values[0])[:axis]), -1))


def _pad(values: Values, given: Attributes) -> tf.Tensor:
    edges = np.reshape(fixed(values[1]), (2, -1)).T
    if len(values) > 3 and values[3] is not None:
        raise UnsupportedError("Pad of chosen axes")
    mode = given.get("mode", b"constant").decode()
    if mode not in ("constant", "reflect"):
        raise UnsupportedError(f"Pad by {mode}")
    value = values[2] if len(values) > 2 and values[2] is not None else 0
    return tf.pad(values[0], edges, mode, tf.cast(value, values[0].dtype))


def _resize(values: Values, given: Attributes) -> tf.Tensor:
    kind, places = (
        given.get(name, default).decode()
        for name, default in (
            ("mode", b"nearest"), ("coordinate_transformation_mode", b"half_pixel")
        )
    )  # fmt: skip
    is_floor = given.get("nearest_mode", b"round_prefer_floor") == b"floor"
    how = {"align_corners": places == "align_corners", "half_pixel_centers": "half" in places}
    if kind == "linear" and places in ("half_pixel", "pytorch_half_pixel", "align_corners"):
        resize = tf.raw_ops.ResizeBilinear
    elif (kind, places, is_floor) == ("nearest", "asymmetric", True):
        resize = tf.raw_ops.ResizeNearestNeighbor
    else:
        raise UnsupportedError(f"Resize by {kind} and {places}")
    if len(values) > 3 and values[3] is not None:
        size = tf.cast(values[3][2:], tf.int32)
    else:
        scales = fixed(values[2])[2:]
        size = tf.cast(tf.floor(tf.cast(tf.shape(values[0])[2:], tf.float32) * scales), tf.int32)
    return _first(resize(images=_turned(values[0]), size=size, **how))


def _reduce(function: Callable) -> Callable[[Values, Attributes], tf.Tensor]:
    def reduced(values: Values, given: Attributes) -> tf.Tensor:
        axes = given.get("axes")
        if len(values) > 1 and values[1] is not None:
            axes = fixed(values[1]).tolist()
        return function(values[0], axes, keepdims=bool(given.get("keepdims", 1)))

    return reduced


def _squeeze(found: tf.Tensor, axes: Any = None) -> tf.Tensor:
    return tf.squeeze(found, None if axes is None else fixed(axes).tolist())


def _unsqueeze(found: tf.Tensor, axes: Any) -> tf.Tensor:
    rank = len(found.shape) + fixed(axes).size
    for axis in sorted(int(axis) % rank for axis in fixed(axes)):
        found = tf.expand_dims(found, axis)
    return found


def _slice(found: tf.Tensor, starts: Any, ends: Any, axes: Any = None, steps: Any = None) -> Any:
    begins = fixed(starts)
    places = range(len(begins)) if axes is None else fixed(axes)
    strides = np.ones_like(begins) if steps is None else fixed(steps)
    cut = [slice(None)] * len(found.shape)
    for axis, begin, end, stride in zip(places, begins, fixed(ends), strides, strict=True):
        if stride < 0:
            raise UnsupportedError("Slice backward")
        cut[axis] = slice(int(begin), None if end >= _TO_THE_END else int(end), int(stride))
    return found[tuple(cut)]


def _clip(found: tf.Tensor, least: Any = None, most: Any = None) -> tf.Tensor:
    found = found if least is None else tf.maximum(found, least)
    return found if most is None else tf.minimum(found, most)


def _cast(values: Values, given: Attributes) -> tf.Tensor:
    import onnx

    return tf.cast(values[0], onnx.helper.tensor_dtype_to_np_dtype(given["to"]))


def _hard_sigmoid(values: Values, given: Attributes) -> tf.Tensor:
    found = given.get("alpha", 0.2) * values[0] + given.get("beta", 0.5)
    return tf.clip_by_value(found, 0.0, 1.0)


def _turned(image: tf.Tensor) -> tf.Tensor:
    """(N, C, H, W) to (N, H, W, C)."""
    if len(image.shape) != 4:
        raise UnsupportedError("other than two dimensions")
    return tf.transpose(image, (0, 2, 3, 1))


def _first(image: tf.Tensor) -> tf.Tensor:
    return tf.transpose(image, (0, 3, 1, 2))


def fixed(value: Any) -> np.ndarray:
    """What must not depend on the images.

    Raises:
      UnsupportedError: it does.
    """
    found = tf.get_static_value(value)
    if found is None:
        raise UnsupportedError("a shape that depends on the images")
    return np.asarray(found)


def _plain(function: Callable) -> Callable[[Values, Attributes], tf.Tensor]:
    """A function of tensors alone."""
    return lambda values, _: function(*values)


OPERATIONS: dict[str, Callable[[Values, Attributes], tf.Tensor]] = {
    "Abs": _plain(tf.abs),
    "Add": _plain(tf.add),
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_normalization,
    "Cast": _cast,
    "Clip": _plain(_clip),
    "Concat": lambda values, given: tf.concat(values, given["axis"]),
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Div": _plain(lambda a, b: a / b if a.dtype.is_floating else a // b),
    "Dropout": lambda values, _: values[0],
    "Elu": lambda values, given: tf.where(
        values[0] > 0, values[0], given.get("alpha", 1.0) * tf.math.expm1(tf.minimum(values[0], 0))
    ),
    "Erf": _plain(tf.math.erf),
    "Exp": _plain(tf.exp),
    "Flatten": _flatten,
    "Gather": lambda values, given: tf.gather(values[0], values[1], axis=given.get("axis", 0)),
    "Gemm": _gemm,
    "GlobalAveragePool": lambda values, _: tf.reduce_mean(values[0], (2, 3), keepdims=True),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": _plain(lambda x: x * tf.clip_by_value(x / 6 + 0.5, 0.0, 1.0)),
    "Identity": _plain(tf.identity),
    "InstanceNormalization": _instance_normalization,
    "LeakyRelu": lambda values, given: tf.nn.leaky_relu(values[0], given.get("alpha", 0.01)),
    "Log": _plain(tf.math.log),
    "LogSoftmax": lambda values, given: tf.nn.log_softmax(values[0], given.get("axis", -1)),
    "MatMul": _plain(tf.matmul),
    "MaxPool": _max_pool,
    "Mul": _plain(tf.multiply),
    "Neg": _plain(tf.negative),
    "PRelu": _plain(lambda x, slope: tf.maximum(x, 0) + slope * tf.minimum(x, 0)),
    "Pad": _pad,
    "Pow": _plain(lambda a, b: tf.pow(a, tf.cast(b, a.dtype))),
    "ReduceMean": _reduce(tf.reduce_mean),
    "ReduceSum": _reduce(tf.reduce_sum),
    "Relu": _plain(tf.nn.relu),
    "Reshape": _reshape,
    "Resize": _resize,
    "Shape": lambda values, _: tf.shape(values[0], tf.int64),
    "Sigmoid": _plain(tf.sigmoid),
    "Slice": _plain(_slice),
    "Softmax": lambda values, given: tf.nn.softmax(values[0], given.get("axis", -1)),
    "Softplus": _plain(tf.math.softplus),
    "Sqrt": _plain(tf.sqrt),
    "Squeeze": _plain(_squeeze),
    "Sub": _plain(tf.subtract),
    "Tanh": _plain(tf.tanh),
    "Transpose": lambda values, given: tf.transpose(values[0], given.get("perm")),
    "Unsqueeze": _plain(_unsqueeze),
}
"""By the name of the operator."""
