"""Arrays in TensorProto messages, both ways."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from cyclegan_tf.serve.grpc import tensors
from cyclegan_tf.serve.models.limits import Limits, RequestError

ANY = Limits(max_pixels=2**40, max_batch=2**20)
FIELDS = {
    "float32": "float_val", "float64": "double_val", "float16": "half_val", "int32": "int_val",
    "uint8": "int_val", "int64": "int64_val", "uint32": "uint32_val", "uint64": "uint64_val",
    "bool": "bool_val",
}  # fmt: skip


def back(array, message):
    spec = tf.TensorSpec(array.shape, tf.as_dtype(array.dtype))
    return tensors.to_array("a", message, spec, ANY)


@pytest.mark.parametrize("dtype", FIELDS)
@pytest.mark.parametrize("shape", [(2, 3), (1,), (), (70_000,)])
def test_numbers_are_in_the_field_of_their_type(dtype, shape):
    array = np.random.default_rng(0).uniform(0, 2, shape).astype(dtype)
    message = tensors.to_message(np.asarray(array))
    assert len(getattr(message, FIELDS[dtype])) == array.size
    assert message.tensor_content == b""
    np.testing.assert_array_equal(tf.make_ndarray(message), array)
    found = back(array, message)
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)


def test_numbers_as_raw_bytes():
    array = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    message = tensors.to_message(array, as_content=True)
    assert (len(message.float_val), message.tensor_content) == (0, array.tobytes())
    np.testing.assert_array_equal(back(array, message), array)


def test_types_without_a_field_and_strings():
    for array in (np.array([b"a\0", b""], object), np.array([1 + 2j, 3], np.complex64)):
        message = tensors.to_message(array)
        np.testing.assert_array_equal(tf.make_ndarray(message), array)


def test_what_does_not_fit_its_type_is_refused():
    message = tensor_pb2.TensorProto(dtype=tf.uint8.as_datatype_enum, int_val=[300])
    message.tensor_shape.dim.add(size=1)
    with pytest.raises(RequestError, match="cannot be read") as caught:
        tensors.to_array("a", message, tf.TensorSpec((None,), tf.uint8), ANY)
    assert caught.value.status == 400
