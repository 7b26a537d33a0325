"""Each operation against ONNX Runtime's, and its gradient where there is one."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.networks.onnx_graph import OnnxGraph
from cyclegan_tf.networks.onnx_operations import OPERATIONS, UnsupportedError
from tests.helpers import tiny_onnx

onnxruntime = pytest.importorskip("onnxruntime")

RNG = np.random.default_rng(3)
IMAGES = RNG.normal(size=(2, 4, 6, 5)).astype(np.float32)


def floats(*shape):
    return RNG.normal(size=shape).astype(np.float32)


def whole(*values):
    return np.array(values, np.int64)


def node(kind, *weights, **attributes):
    return kind, weights, attributes


VECTOR = floats(4)
CASES = [
    [node("Conv", floats(3, 4, 3, 2), floats(3), pads=[1, 0, 2, 1], strides=[2, 1])],
    [node("Conv", floats(6, 2, 3, 3), group=2, dilations=[2, 1])],
    [node("Conv", floats(8, 1, 3, 3), floats(8), group=4, pads=[1, 1, 1, 1], strides=[2, 2])],
    [node("Conv", floats(2, 4, 3, 3), auto_pad="SAME_UPPER", strides=[2, 2])],
    [node("ConvTranspose", floats(4, 3, 3, 3), floats(3), strides=[2, 2], pads=[1, 1, 1, 1],
          output_padding=[1, 1])],
    [node("ConvTranspose", floats(4, 3, 2, 2), strides=[2, 2])],
    [node("MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])],
    [node("AveragePool", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1])],
    [node("AveragePool", kernel_shape=[3, 2], pads=[1, 0, 1, 1], count_include_pad=1)],
    [node("BatchNormalization", VECTOR, floats(4), floats(4), np.abs(floats(4)) + 1)],
    [node("InstanceNormalization", VECTOR, floats(4), epsilon=1e-3)],
    [node("GlobalAveragePool"), node("Flatten"), node("Gemm", floats(3, 4), floats(3), transB=1,
                                                      alpha=0.5), node("Softmax", axis=-1)],
    [node("Flatten"), node("MatMul", floats(120, 3)), node("LogSoftmax")],
    [node("Softmax", axis=1)],
    [node("Reshape", whole(0, 2, -1)), node("ReduceMean", axes=[1], keepdims=0)],
    [node("ReduceSum", whole(2, 3), keepdims=0), node("Unsqueeze", whole(0, 3)),
     node("Squeeze", whole(0))],
    [node("Pad", whole(0, 0, 1, 2, 0, 0, 0, 1), mode="reflect")],
    [node("Pad", whole(0, 0, 1, 2, 0, 0, 0, 1), np.float32(0.5))],
    [node("Resize", None, np.array([1, 1, 2, 3], np.float32), mode="nearest",
          coordinate_transformation_mode="asymmetric", nearest_mode="floor")],
    [node("Resize", None, None, whole(2, 4, 9, 4), mode="linear")],
    [node("Resize", None, None, whole(2, 4, 9, 4), mode="linear",
          coordinate_transformation_mode="align_corners")],
    [node("Slice", whole(0, 1), whole(2**31 - 1, -1), whole(2, 3), whole(2, 1))],
    [node("Transpose", perm=[0, 2, 3, 1]), node("Gather", whole(3, 0), axis=3)],
    [node("Clip", np.float32(-0.5), np.float32(1))],
    [node("Clip", None, np.float32(1)), node("Dropout")],
    [node("LeakyRelu", alpha=0.2), node("PRelu", floats(4, 1, 1)), node("Elu", alpha=0.7)],
    [node("Relu"), node("Sigmoid"), node("Tanh"), node("Softplus"), node("Erf"), node("Neg")],
    [node("HardSigmoid"), node("HardSwish"), node("Abs"), node("Sqrt"), node("Exp"), node("Log")],
    [node("Add", floats(1, 4, 1, 1)), node("Mul", np.float32(2)), node("Sub", np.float32(1)),
     node("Div", np.float32(3)), node("Pow", np.float32(2)), node("Identity")],
    [node("Cast", to=1), node("Shape"), node("Cast", to=1)],
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(each[0] for each in case))
def test_as_onnx_runtime_computes_it(case):
    model = tiny_onnx.chain(case)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (wanted,) = session.run(None, {"images": IMAGES})
    graph = OnnxGraph(model, 4)
    images = tf.constant(IMAGES.transpose(0, 2, 3, 1))
    with tf.GradientTape() as tape:
        tape.watch(images)
        found = graph(images)
    shown = found.numpy().transpose(0, 3, 1, 2) if found.ndim == 4 else found.numpy()
    np.testing.assert_allclose(shown, wanted, rtol=2e-5, atol=2e-5)
    if "Shape" not in str(case):
        assert np.all(np.isfinite(tape.gradient(found, images)))


def test_every_operation_is_compared():
    compared = {kind for case in CASES for kind, _, _ in case}
    assert set(OPERATIONS) - compared == {"Concat"}  # of two tensors: test_onnx_graph


@pytest.mark.parametrize(
    "case",
    [
        node("Conv", floats(3, 4, 3, 3), auto_pad="SAME_LOWER"),
        node("ConvTranspose", floats(4, 1, 3, 3), group=4),
        node("MaxPool", kernel_shape=[2, 2], ceil_mode=1),
        node("MaxPool", kernel_shape=[2, 2], dilations=[2, 2]),
        node("Pad", whole(0, 0, 1, 1, 0, 0, 1, 1), mode="edge"),
        node("Resize", None, np.array([1, 1, 2, 2], np.float32), mode="cubic"),
        node("Slice", whole(-1), whole(0), whole(2), whole(-1)),
    ],
    ids=lambda case: case[0],
)
def test_what_is_not_computed_is_refused(case):
    with pytest.raises(UnsupportedError):
        OnnxGraph(tiny_onnx.chain([case]), 4).call(tf.constant(IMAGES.transpose(0, 2, 3, 1)))
