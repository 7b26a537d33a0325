"""ONNX files, in ONNX Runtime."""

import json

import numpy as np
import pytest

from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.export import onnx
from cyclegan_tf.export.trained import TrainedGenerator
from cyclegan_tf.networks.builders import build_generator
from tests.export.test_triton import parsed

onnxruntime = pytest.importorskip("onnxruntime", reason='needs pip install ".[onnx]"')
pytest.importorskip("tf2onnx", reason='needs pip install ".[onnx]"')


@pytest.mark.slow
def test_any_size_and_any_number_gives_what_keras_gives(tmp_path):
    images = ImageList(
        ("a",), 3, lambda _: np.random.default_rng(0).integers(0, 256, (30, 26, 3), np.uint8)
    )
    network = build_generator("resnet_6blocks", filters=4, blocks=1, seed=2)
    trained = TrainedGenerator(network, "xy", "a checkpoint", 4, 24, lambda: images, lambda: images)
    assert onnx.write_onnx(tmp_path / "z_xy", trained, "z_xy", 24) == 0
    assert {path.name for path in (tmp_path / "z_xy").iterdir()} == {
        "model.onnx", "parity.json", "parity.png", "card.json", "config.pbtxt", "1",
    }  # fmt: skip
    check_triton(tmp_path / "z_xy")
    report = json.loads((tmp_path / "z_xy" / "parity.json").read_text())
    assert "ONNX Runtime" in report["kernels"]
    (row,) = report["variants"]
    assert row["psnr_db"] is None or row["psnr_db"] > onnx.MIN_PSNR_DB
    session = onnxruntime.InferenceSession(
        str(tmp_path / "z_xy" / "model.onnx"), providers=["CPUExecutionProvider"]
    )
    for shape in ((2, 32, 40, 3), (1, 17, 30, 3)):
        given = np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)
        (made,) = session.run(["translated"], {"images": given})
        assert made.shape == shape
        if shape[1] % 4 == 0:
            np.testing.assert_allclose(made, network(given), atol=1e-4)


def check_triton(folder):
    """The folder is a model of Triton's, whose config says what the ONNX file says."""
    onnx_package = pytest.importorskip("onnx", reason='needs pip install ".[onnx]"')
    path = folder / "1" / "model.onnx"
    assert path.read_bytes() == (folder / "model.onnx").read_bytes()
    graph = onnx_package.load(path).graph
    config = parsed((folder / "config.pbtxt").read_text())
    assert config["name"] == folder.name
    for kind, values in (("input", graph.input), ("output", graph.output)):
        (value,) = values
        tensor = value.type.tensor_type
        assert tensor.elem_type == onnx_package.TensorProto.FLOAT
        sizes = [axis.dim_value or -1 for axis in tensor.shape.dim]
        assert config[kind] == (value.name, "TYPE_FP32", sizes)
