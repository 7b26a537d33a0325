"""A folder of .tflite files: written whole, compared, described."""

import json
import zipfile

import numpy as np
import pytest

from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.export import parity
from cyclegan_tf.export.litert import files
from cyclegan_tf.export.litert.runtime import LiteRTModel
from cyclegan_tf.export.trained import TrainedGenerator
from cyclegan_tf.networks.builders import build_generator
from tests.helpers.errors import refused


@pytest.fixture(scope="module")
def trained():
    rng = np.random.default_rng(0)
    drawn = [
        np.repeat(np.repeat(rng.integers(0, 256, (3, 4, 3), np.uint8), 8, 0), 8, 1)
        for _ in range(10)
    ]
    images = ImageList(tuple("abcdefghij"), 3, drawn.__getitem__)
    network = build_generator("fast_style", filters=4, blocks=1, seed=2)
    return TrainedGenerator(network, "yx", "a checkpoint", 4, 24, lambda: images, lambda: images)


@pytest.fixture(scope="module")
def converted(trained):
    return files.convert_with_metadata(trained, "z_yx", 24, "float16")


@pytest.fixture
def _converted_already(converted, monkeypatch):
    monkeypatch.setattr(files, "convert_with_metadata", lambda *_: converted)


def write(folder, trained, **more):
    return files.write_litert(folder, trained, "z_yx", 24, variants=["float16"], **more)


def test_what_is_written(trained, tmp_path, caplog):
    caplog.set_level("INFO", "cyclegan_tf")
    assert write(tmp_path / "z_yx", trained) == 0
    assert {path.name for path in (tmp_path / "z_yx").iterdir()} == {
        "float16.tflite", "parity.json", "parity.png", "card.json",
    }  # fmt: skip
    assert "float16" in caplog.text
    report = json.loads((tmp_path / "z_yx" / "parity.json").read_text())
    assert "XNNPACK" in report["kernels"]
    (row,) = report["variants"]
    assert row["images"] == parity.COMPARED_IMAGES
    assert row["delegated"] == 1.0
    path = tmp_path / "z_yx" / "float16.tflite"
    assert row["size_bytes"] == path.stat().st_size
    assert json.loads(zipfile.ZipFile(path).read("card.json"))["direction"] == "yx"
    given = np.random.default_rng(3).uniform(-1, 1, (1, 24, 24, 3)).astype(np.float32)
    np.testing.assert_allclose(LiteRTModel(path)(given), trained.network(given), atol=5e-3)


@pytest.mark.usefixtures("_converted_already")
def test_nothing_is_left_of_a_failure(trained, tmp_path, monkeypatch):
    monkeypatch.setattr(files, "write_model_card", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write(tmp_path / "z_yx", trained)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_converted_already")
def test_a_folder_that_is_there(trained, tmp_path):
    (tmp_path / "z_yx").mkdir()
    with refused("exists") as caught:
        write(tmp_path / "z_yx", trained)
    assert (caught.value.code, caught.value.field) == ("exists", str(tmp_path / "z_yx"))
    assert write(tmp_path / "z_yx", trained, replace=True) == 0
