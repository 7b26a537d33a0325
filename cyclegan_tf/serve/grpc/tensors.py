"""TensorProto messages of gRPC requests and answers, and the arrays they stand for."""

from __future__ import annotations

import math
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from cyclegan_tf.serve.models.limits import BAD_REQUEST, Limits, RequestError, check_shape

_FIELDS = [
    *("half_val", "float_val", "double_val", "int_val", "int64_val", "uint32_val", "uint64_val"),
    *("bool_val", "string_val"),
]
_TYPED = {
    **dict.fromkeys((tf.int8, tf.uint8, tf.int16, tf.uint16, tf.int32), "int_val"),
    tf.float32: "float_val",
    tf.float64: "double_val",
    tf.int64: "int64_val",
    tf.uint32: "uint32_val",
    tf.uint64: "uint64_val",
    tf.bool: "bool_val",
}
# Python's lock is held for one call: values go in portions, so that other threads get their turn.
_PORTION = 2**16


def _bad(message: str) -> NoReturn:
    raise RequestError(BAD_REQUEST, message)


def to_message(array: np.ndarray, as_content: bool = False) -> tensor_pb2.TensorProto:
    """Convert an array to a TensorProto.

    Args:
      array: numbers, or an object array of bytes.
      as_content: numbers as raw bytes (`tensor_content`), which is faster, instead of TF Serving's
        default, the field of their type (`float_val`), which is where clients look.
    """
    dtype = tf.string if array.dtype == object else tf.as_dtype(array.dtype)
    if as_content or (dtype not in _TYPED and dtype != tf.half):
        return tf.make_tensor_proto(array)
    message = tensor_pb2.TensorProto(dtype=dtype.as_datatype_enum)
    for size in array.shape:
        message.tensor_shape.dim.add(size=size)
    flat = array.ravel()
    values, flat = (
        (message.half_val, flat.view(np.uint16))
        if dtype == tf.half
        else (getattr(message, _TYPED[dtype]), flat)
    )
    for start in range(0, flat.size, _PORTION):
        values.extend(flat[start : start + _PORTION].tolist())
    return message


def to_array(name: str, message: tensor_pb2.TensorProto, spec: Any, limits: Limits) -> np.ndarray:
    """Convert a TensorProto to an array.

    A short TensorProto may stand for a large tensor, of one value; memory is taken only for what
    was sent.

    Args:
      name: of the input, for messages.
      message: as sent.
      spec: the tf.TensorSpec of the signature.
      limits: of images.

    Raises:
      RequestError: 400 for a wrong type or shape, or another number of values; 413 above a limit.
    """
    if message.dtype != spec.dtype.as_datatype_enum:
        _bad(f"{name} must be {spec.dtype.name}")
    shape = tuple(axis.size for axis in message.tensor_shape.dim)
    if message.tensor_shape.unknown_rank or min(shape, default=0) < 0:
        _bad(f"{name} has no whole shape")
    check_shape(spec, shape, name, limits)
    fields = [key for key in _FIELDS if len(getattr(message, key))]
    sent = (
        len(getattr(message, fields[0]))
        if fields
        else len(message.tensor_content) // max(spec.dtype.size or 1, 1)
    )
    if len(fields) > 1 or sent != math.prod(shape):
        _bad(f"{name} has shape {shape}, and {sent} values were sent")
    try:
        if fields and fields == [_TYPED.get(spec.dtype)]:
            return _values(getattr(message, fields[0]), spec.dtype.as_numpy_dtype).reshape(shape)
        return np.asarray(tf.make_ndarray(message))
    except (ValueError, TypeError, OverflowError) as error:
        raise RequestError(BAD_REQUEST, f"{name} cannot be read: {str(error)[:200]}") from error


def _values(values: Any, dtype: type) -> np.ndarray:
    array: np.ndarray = np.empty(len(values), dtype)
    for start in range(0, len(values), _PORTION):
        array[start : start + _PORTION] = values[start : start + _PORTION]
    return array
