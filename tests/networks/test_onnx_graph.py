"""Networks out of ONNX files: layouts, gradients, saving, and files that are refused."""

import importlib.util

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.networks.onnx_graph import OnnxGraph, open_onnx
from tests.helpers import tiny_onnx
from tests.helpers.errors import refused

onnx = pytest.importorskip("onnx")

KERNEL = np.ones((2, 3, 1, 1), np.float32)
KERNEL[1] = -1


def classifier(shape=("n", 3, "h", "w")):
    """Shares of two classes, by the sum of the channels' means."""
    turned = [("Transpose", (), {"perm": [0, 3, 1, 2]})] if shape[1] != 3 else []
    nodes = [("Conv", (KERNEL,), {}), ("GlobalAveragePool", (), {}), ("Flatten", (), {})]
    return tiny_onnx.chain([*turned, *nodes, ("Softmax", (), {})], shape)


@pytest.mark.parametrize("shape", [("n", 3, "h", "w"), ("n", "h", "w", 3), ("n", 3, 5, 7)])
def test_images_in_either_layout(shape):
    graph = OnnxGraph(classifier(shape))
    known = shape[2:] == (5, 7)
    assert graph.image_shape == (None, *((5, 7) if known else (None, None)), 3)
    assert graph.activation is keras.activations.softmax
    images = np.zeros((1, 5, 7, 3), np.float32)
    images[..., 0] = 0.4
    share = 1 / (1 + np.exp(-0.8))
    np.testing.assert_allclose(graph(images), [[share, 1 - share]], rtol=1e-6)


def test_a_map_of_classes_has_them_last():
    model = tiny_onnx.chain([("Conv", (KERNEL,), {}), ("Softmax", (), {"axis": 1})], (1, 3, 4, 6))
    found = OnnxGraph(model)(np.zeros((1, 4, 6, 3), np.float32))
    assert found.shape == (1, 4, 6, 2)
    np.testing.assert_allclose(found, 0.5)


def test_two_branches_and_a_constant():
    value = onnx.helper.make_tensor_value_info
    nodes = [
        onnx.helper.make_node("Constant", [], ["two"], value_float=2.0),
        onnx.helper.make_node("Mul", ["images", "two"], ["twice"]),
        onnx.helper.make_node("Concat", ["images", "twice"], ["out"], axis=1),
    ]
    kind = onnx.TensorProto.FLOAT
    sides = [value("images", kind, [1, 3, 2, 2])], [value("out", kind, [1, 6, 2, 2])]
    graph = onnx.helper.make_graph(nodes, "graph", *sides)
    opsets = [onnx.helper.make_opsetid("", 13)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=9)
    layer = OnnxGraph(model.SerializeToString())
    images = tf.ones((1, 2, 2, 3))
    with tf.GradientTape() as tape:
        tape.watch(images)
        found = layer(images)
    assert found.numpy().mean() == 1.5
    np.testing.assert_allclose(tape.gradient(found, images), 3)


def test_saved_and_loaded_with_the_network_around_it(tmp_path):
    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, OnnxGraph(classifier(), name="graph")(inputs))
    assert network.trainable_variables == []
    network.save(tmp_path / "a.keras")
    images = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype(np.float32)
    again = keras.saving.load_model(tmp_path / "a.keras")
    np.testing.assert_array_equal(again(images), network(images))


def test_files_that_are_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.onnx"
    field = "loss.semantic"

    def says(code, place, match, *model):
        path.write_bytes(*model)
        with refused(code, place, match=match):
            open_onnx(path, 3, field)

    says("unreadable", path, "it must be a network in ONNX", b"something else")
    says(
        "unreadable", path, "holds no network", onnx.ModelProto().SerializeToString() + b"\x08\x07"
    )
    says("unreadable", path, "is empty", b"")
    strange = tiny_onnx.chain([("LSTM", (), {})])
    says("unsupported", field, r"has LSTM: gradients cannot", strange)
    old = tiny_onnx.chain([("Relu", (), {})], opset=9)
    says("unsupported", field, "opset 9", old)
    flat = tiny_onnx.chain([("Relu", (), {})], ("n", 3))
    says("unsupported", field, "one image input", flat)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    says("dependency", field, r'"\.\[onnx\]"', classifier())
