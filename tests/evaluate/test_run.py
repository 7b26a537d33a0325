"""One evaluation without the command line: what is scored, and what does not fit."""

import json
import logging
import shutil
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from cyclegan_tf.data import sources
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.evaluate import offline
from cyclegan_tf.evaluate.inputs import DataChoice
from cyclegan_tf.evaluate.offline import OfflineFeatures
from cyclegan_tf.evaluate.run import EvaluationJob, evaluate
from cyclegan_tf.evaluate.split import read_split
from cyclegan_tf.features import inception
from cyclegan_tf.images import io as image_io
from tests.helpers import tiny
from tests.helpers.errors import refused


@pytest.fixture(scope="module")
def run(tiny_run):
    return tiny_run


@pytest.fixture(scope="module")
def images(tiny_run):
    """Two pairs by name."""
    return tiny_run.parent / "images"


def test_scores_are_those_of_the_saved_generator(run, images, caplog):
    caplog.set_level(logging.INFO)
    found = evaluate(EvaluationJob(run, ["xy", "yx"], seed=3))
    assert [result.direction for result in found.directions] == ["xy", "yx"]
    assert [list(result.groups) for result in found.directions] == [["all"], ["all"]]
    assert "2 pairs of the same file stem" in caplog.text
    for option in ("--inception auto", "--features all"):
        assert any(option in note for note in found.notes)
    # The same numbers from the saved generator, without any of the command's code.
    network = keras.saving.load_model(run / "generator_xy.keras")
    split = read_split(
        sources.open_folder(images, 3, 3, 10**6), ImageTransform("resize_and_crop", 18, 16)
    )
    outputs = [network(image[np.newaxis]).numpy()[0] for image in split.x]
    mae = np.mean([np.abs(a - b).mean() for a, b in zip(outputs, split.y, strict=True)])
    assert found.directions[0].scores["mae"] == pytest.approx(mae, abs=1e-4)
    unchanged = np.mean([np.abs(a - b).mean() for a, b in zip(split.x, split.y, strict=True)])
    baseline = found.directions[0].baselines["unchanged input"]["mae"]
    assert baseline == pytest.approx(unchanged, abs=1e-6)
    again = evaluate(EvaluationJob(run, ["xy", "yx"], seed=3))
    for one, other in zip(found.directions, again.directions, strict=True):
        assert one.as_json() == other.as_json()


def test_label_maps(run, tmp_path):
    data = tiny.folder(tmp_path / "labels")
    rng = np.random.default_rng(0)
    colors = np.array([[250, 0, 0], [0, 0, 250]], np.uint8)
    for folder in ("trainB", "testB"):
        for path in (data / folder).iterdir():
            image_io.save(path, colors[np.kron(rng.integers(0, 2, (2, 2)), np.ones((16, 16), int))])
    palette = tmp_path / "palette.json"
    palette.write_text(json.dumps({"wall": [250, 0, 0], "sky": [0, 0, 250]}))

    def scored(directions, choice):
        return evaluate(EvaluationJob(run, directions, choice, palette=str(palette)))

    choice = DataChoice(source=str(data))
    xy, yx = scored(["xy", "yx"], choice).directions
    assert 0 <= xy.scores["pixel_accuracy"] <= 1
    assert set(xy.classes) == {"wall", "sky"}
    assert "pixel_accuracy" not in yx.scores
    for directions, chosen, message, field in (
        (["yx"], choice, "domain Y is drawn in its colors; give --direction xy", "--direction"),
        (["xy"], DataChoice(), "neither domain are drawn in its colors", "--palette"),
    ):
        with refused("mismatch", match=message) as caught:
            scored(directions, chosen)
        assert (caught.value.code, caught.value.field) == ("mismatch", field)
    (data / "testA" / "0.png").rename(data / "testA" / "z.png")
    with refused("mismatch", "--palette", match="needs a test split paired by file stem") as caught:
        scored(["xy"], choice)
    assert (caught.value.code, caught.value.field) == ("mismatch", "--palette")


def test_fid_and_kid_with_weights(run, monkeypatch):
    def features(images):
        return np.stack([image.mean((0, 1)) for image in images])

    monkeypatch.setattr(
        inception, "open_inception", lambda choice: SimpleNamespace(features=features)
    )
    found = evaluate(EvaluationJob(run, ["xy"], inception="weights.h5"))
    (result,) = found.directions
    assert result.scores["fid"] >= 0
    assert "fid" in result.intervals
    assert "299 x 299" in found.protocol["Inception"]
    assert "2 translations against those of 2 real" in found.protocol["FID and KID, xy"]


def test_networks_of_packages(run, monkeypatch):
    means = SimpleNamespace(
        features=lambda images: np.stack([image.mean((0, 1)) + 1 for image in images])
    )
    monkeypatch.setattr(
        offline,
        "open_offline",
        lambda choice, asked: OfflineFeatures(means, means, lambda pairs: [0.5 for _ in pairs]),
    )
    found = evaluate(EvaluationJob(run, ["xy"], features="all"))
    result = found.directions[0].as_json()
    assert {"kid_lite0", "fd_lite0", "nearest_lite0"} <= set(result["scores"])
    assert result["scores"]["lpips_vgg_hed"] == result["baselines"]["constant"]["lpips_vgg_hed"]
    assert result["baselines"]["random real"]["nearest_lite0"] == pytest.approx(0, abs=1e-9)
    assert all(row["nearest_training_image"].startswith("trainB") for row in result["images"])
    assert {"Lite0", "LPIPS-VGG-HED", "Nearest training image"} <= set(found.protocol)
    assert not any("--features" in note for note in found.notes)


def test_without_the_network_of_fid_the_rest_is_scored(run, monkeypatch):
    def no_network(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(keras.utils, "get_file", no_network)
    found = evaluate(EvaluationJob(run, ["xy"], inception="auto"))
    (note,) = [note for note in found.notes if note.startswith("FID")]
    assert inception.WEIGHTS_FILE in note
    assert "--inception PATH" in note
    assert "fid" not in found.directions[0].scores


def test_pairs_can_be_required(run, images, tmp_path):
    data = Path(shutil.copytree(images, tmp_path / "data"))
    (data / "testB" / "1.png").rename(data / "testB" / "9.png")
    choice = DataChoice(source=str(data))
    assert "psnr" not in evaluate(EvaluationJob(run, ["xy"], choice)).directions[0].scores
    with refused("mismatch", "--require_pairs") as caught:
        evaluate(EvaluationJob(run, ["xy"], choice, require_pairs=True))
    assert (caught.value.code, caught.value.field) == ("mismatch", "--require_pairs")
