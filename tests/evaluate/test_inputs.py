"""Which images a run or a file is scored on, and how large they are."""

import json

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.config import files as config_files
from cyclegan_tf.data import sources
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.evaluate import inputs
from cyclegan_tf.evaluate.inputs import DataChoice, open_images, open_split
from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.plan import build_parser
from tests.helpers import tiny
from tests.helpers.errors import refused


@pytest.fixture(scope="module")
def network():
    return build_generator(
        "resnet_6blocks", input_channels=3, output_channels=1, filters=2, blocks=1
    )


@pytest.fixture
def folder(tmp_path):
    return tiny.folder(tmp_path / "images")


def begun(path, *words, recorded=None):
    """A run directory that has been begun and not trained."""
    parsed = build_parser().parse([*tiny.WORDS, f"--run_dir={path}", *words])
    run = RunDirectory(path)
    run.create(config_files.experiment_from(parsed), recorded or {})
    return path


def test_a_runs_own_images_and_sizes(folder, tmp_path, network):
    source, transform = open_images(
        begun(tmp_path / "run", f"--data.source={folder}"), DataChoice(), network, "xy"
    )
    assert (len(source.train_x), len(source.train_y), len(source.test_x), len(source.test_y)) == (
        5,
        4,
        2,
        2,
    )
    assert (transform.mode, transform.crop_size_px, transform.size_divisor_px) == (
        "resize_and_crop",
        16,
        4,
    )


def test_a_file_in_its_run_counts_as_the_run(folder, tmp_path, network):
    run = begun(tmp_path / "run", f"--data.source={folder}")
    source, transform = open_images(run / "generator_xy.keras", DataChoice(), network, "xy")
    assert str(folder) in source.description
    assert transform.crop_size_px == 16


def test_two_plain_folders_of_a_run_keep_their_split(folder, tmp_path, network):
    recorded = {
        "train_x": ["1.png"],
        "train_y": ["0.png"],
        "test_x": ["0.png", "2.png"],
        "test_y": ["3.png"],
    }
    words = (f"--data.x_dir={folder / 'trainA'}", f"--data.y_dir={folder / 'trainB'}")
    run = begun(tmp_path / "run", *words, recorded=recorded)
    source, _ = open_images(run, DataChoice(), network, "xy")
    assert source.test_x.names == ("0.png", "2.png")
    assert source.test_y.names == ("3.png",)


def test_other_images_with_the_runs_preparation(folder, tmp_path, network):
    other = tiny.folder(tmp_path / "other", counts=(1, 1, 3, 4))
    run = begun(tmp_path / "run", f"--data.source={folder}")
    source, transform = open_images(run, DataChoice(source=str(other)), network, "xy")
    assert len(source.test_y) == 4
    assert transform.crop_size_px == 16
    choice = DataChoice(x_dir=str(other / "testA"), y_dir=str(other / "testB"))
    source, _ = open_images(run, choice, network, "xy")
    assert (len(source.test_x), len(source.test_y), len(source.train_x), len(source.train_y)) == (
        3,
        4,
        0,
        0,
    )
    source, _ = open_images(begun(tmp_path / "run2",
        *(f"--data.{k}_dir={folder / 'trainA'}" for k in "xy"),
                              recorded={"train_x": [], "train_y": [],
                              "test_x": ["0.png"], "test_y": ["0.png"]}),
                              DataChoice(source=str(other)), network, "xy")  # fmt: skip
    assert str(other) in source.description


@pytest.mark.parametrize("direction", ["xy", "yx"])
def test_a_file_alone_takes_its_own_channels_and_images_as_they_are(
    folder, tmp_path, network, direction
):
    source, transform = open_images(
        tmp_path / "a.keras", DataChoice(source=str(folder)), network, direction
    )
    channels = (source.test_x.channels, source.test_y.channels)
    assert channels == ((3, 1) if direction == "xy" else (1, 3))
    assert (transform.mode, transform.size_divisor_px) == ("none", 4)


def test_images_that_are_missing(folder, tmp_path, network):
    with refused("missing", "--data.source", match="lies in no run directory") as caught:
        open_images(tmp_path / "a.keras", DataChoice(), network, "xy")
    assert (caught.value.code, caught.value.field) == ("missing", "--data.source")
    with refused("missing", "--data.y_dir") as caught:
        DataChoice(x_dir="a").check()
    assert (caught.value.code, caught.value.field) == ("missing", "--data.y_dir")
    for path in (folder / "testB").iterdir():
        path.unlink()
    with refused(
        "missing",
        "--data.source",
        match="images has no test images of Y; add folders testA and testB",
    ):
        open_images(tmp_path / "a.keras", DataChoice(source=str(folder)), network, "xy")
    choice = DataChoice(x_dir=str(tmp_path / "no"), y_dir=str(folder))
    with refused("missing", match="there is no such folder"):
        open_images(tmp_path / "a.keras", choice, network, "xy")


def test_the_split_and_its_pairs(folder):
    transform = ImageTransform("resize_and_crop", 16, 16)
    split, notes = open_split(
        sources.open_folder(folder, 3, 3, 10**6), transform, None, require_pairs=True
    )
    assert len(split.pairs) == 2
    assert notes == []
    (folder / "testA" / "1.png").rename(folder / "testA" / "7.png")
    source = sources.open_folder(folder, 3, 3, 10**6)
    with refused(
        "mismatch", "--require_pairs", match=r"not partners by name \(testA/7.png has no partner\)"
    ):
        open_split(source, transform, None, require_pairs=True)
    assert open_split(source, transform, None, require_pairs=False)[0].pairs == ()


def test_partners_of_two_sizes(folder):
    Image.new("RGB", (24, 20)).save(folder / "testB" / "0.png")
    source = sources.open_folder(folder, 3, 3, 10**6)
    split, notes = open_split(source, ImageTransform("none", 1, 1), None, require_pairs=False)
    assert split.pairs == ()
    assert "different sizes" in notes[0]
    with refused("mismatch", "--require_pairs", match="different sizes"):
        open_split(source, ImageTransform("none", 1, 1), None, require_pairs=True)


def test_what_memory_does_not_hold_is_left_out_with_a_note(folder, monkeypatch):
    tiny.folder(folder, counts=(1, 1, 9, 9))
    monkeypatch.setattr(inputs, "MAX_PIXELS", 3 * 2 * 20 * 20)
    source = sources.open_folder(folder, 3, 3, 10**6)
    split, notes = open_split(source, ImageTransform("none", 1, 1), None, require_pairs=False)
    assert split.names_x == ("testA/0.png", "testA/3.png", "testA/6.png")
    assert "9 test images of this size do not fit into memory: 3 of each domain" in notes[0]
    split, notes = open_split(source, ImageTransform("none", 1, 1), 5, require_pairs=False)
    assert len(split.x) == 5
    assert notes == []


def test_training_images_of_what_is_translated_to(folder):
    source = sources.open_folder(folder, 3, 3, 10**6)
    found = inputs.training_images(source, ImageTransform("resize_and_crop", 18, 16), ["xy"], 3)
    assert list(found) == ["y"]
    assert len(found["y"]) == 4
    assert found["y"][0].shape == (16, 16, 3)
    assert found["y"][0].dtype == np.float32


def test_a_begun_run_is_what_training_begins(folder, tmp_path):
    """The shortcut above writes what the command writes."""
    run = begun(tmp_path / "run", f"--data.source={folder}", recorded={"test_x": []})
    assert json.loads((run / "data.json").read_text()) == {"test_x": []}
    assert RunDirectory(run).experiment().data.crop_size_px == 16


def test_a_direction_is_called_as_the_run_or_the_folders_are(tmp_path):
    run = begun(tmp_path / "run", "--data.x_dir=apples", "--data.y_dir=pears")
    unknown = begun(tmp_path / "unknown", "--data.source=images")
    cats = DataChoice(x_dir="cats", y_dir="dogs")
    assert inputs.direction_label(run, cats, "yx") == "pears to apples"
    assert inputs.direction_label(unknown, DataChoice(), "xy") is None
    assert inputs.direction_label(tmp_path / "g.keras", cats, "xy") == "cats to dogs"
    assert inputs.direction_label(tmp_path / "g.keras", DataChoice(), "xy") is None
