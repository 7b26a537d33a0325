"""OpenVINO, which shares no code with TensorFlow, gives the same images from exported files."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.export.litert.converter import Converter
from cyclegan_tf.export.litert.runtime import LiteRTModel
from cyclegan_tf.export.saved_model import write_saved_model
from cyclegan_tf.networks.builders import build_generator

openvino = pytest.importorskip(
    "openvino", reason="needs pip install openvino, which is part of the extra dev"
)
EXACT = {"INFERENCE_PRECISION_HINT": "f32"}  # or it computes in bfloat16 where the CPU can


@pytest.fixture(scope="module")
def network():
    network = build_generator("resnet_6blocks", filters=8, blocks=2, seed=5)
    for variable in network.trainable_variables:
        if variable.name == "kernel":
            variable.assign(variable.numpy() * 5)
    return network


def images(*shape):
    return np.random.default_rng(6).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.slow
def test_the_saved_model_at_any_size(network, tmp_path):
    version = write_saved_model(tmp_path / "z_xy", network, 4, 32, {})
    served = tf.saved_model.load(str(version)).signatures["serving_default"]
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(version), "CPU", EXACT)
    for shape in ((1, 32, 32, 3), (2, 50, 45, 3), (1, 17, 33, 3)):
        given = images(*shape)
        (made,) = compiled([given]).values()
        wanted = served(images=tf.constant(given))["translated"].numpy()
        assert wanted.std() > 0.1
        np.testing.assert_allclose(made, wanted, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["float32", "float16"])
def test_tflite_files(network, variant, tmp_path):
    path = tmp_path / f"{variant}.tflite"
    path.write_bytes(Converter(network, 32, lambda: None).convert(variant))
    core = openvino.Core()
    given = images(1, 32, 32, 3)
    (made,) = core.compile_model(core.read_model(path), "CPU", EXACT)([given]).values()
    np.testing.assert_allclose(made, LiteRTModel(path)(given), atol=1e-4)
