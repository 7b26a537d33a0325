"""The Hub's folder, from a trained run."""

import json

import numpy as np
import pytest

from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.export.hub import folder as hub
from cyclegan_tf.export.hub.folder import HubModel, write_hub
from cyclegan_tf.export.trained import TrainedGenerator, open_trained
from cyclegan_tf.images import io as image_io
from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.runs import generators
from tests.helpers.errors import refused


@pytest.mark.slow
def test_all_files_of_a_run_and_no_path_of_this_machine(tiny_run, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(hub, "has_onnx", lambda: False)
    models = [HubModel("m_xy", "A to B", open_trained(tiny_run, "xy"), 32)]
    out = tmp_path / "hub" / "m"
    with caplog.at_level("INFO", "cyclegan_tf"):
        assert write_hub(out, tiny_run, "m", models, allow_lossy=True) == 0
    assert "license: unknown" in caplog.text
    assert "no ONNX file" in caplog.text
    files = {path.name: path.read_bytes() for path in out.iterdir()}
    assert set(files) == {
        *("README.md", "app.py", "requirements.txt", "card.json", "samples.png"),
        *("m_xy.keras", "m_xy.tflite"),
    }
    for name, content in files.items():
        assert str(tiny_run.parent).encode() not in content, name
    assert "Measured during training" in files["README.md"].decode()
    card = json.loads(files["card.json"])
    assert set(card["files"]) == set(files) - {"card.json"}
    assert card["models"][0]["checkpoint"].startswith("step_")
    network, _ = generators.load_generator(out / "m_xy.keras", "xy", "float32")
    batch = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32)
    np.testing.assert_allclose(network(batch), models[0].trained.network(batch), atol=1e-4)
    assert "by Keras alone" in files["README.md"].decode()
    assert image_io.read(out / "samples.png").shape[0] > 64
    assert [path.name for path in out.parent.iterdir()] == ["m"]
    with refused("exists", out):
        write_hub(out, tiny_run, "m", models)


def test_images_that_no_app_shows(tmp_path):
    images = ImageList(("a",), 4, lambda _: np.zeros((16, 16, 4), np.uint8))
    network = build_generator("fast_style", filters=2, blocks=1, input_channels=4)
    trained = TrainedGenerator(network, "xy", "", 4, 16, lambda: images, lambda: images)
    with refused("unsupported", "--format"):
        write_hub(tmp_path / "m", tmp_path, "m", [HubModel("m_xy", "A to B", trained, 16)])
    assert not (tmp_path / "m").exists()
