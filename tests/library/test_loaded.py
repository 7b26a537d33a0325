"""A model's way of taking and giving images, with networks that can be computed by hand."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.images.ranges import RangePair, ValueRange
from cyclegan_tf.library.loaded import Model, Network
from tests.helpers.errors import refused

IMAGE = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


@pytest.fixture
def model():
    """X to Y inverts, Y to X leaves as it is."""
    return Model(
        Path("runs/mine"),
        {"xy": lambda: Network(3, lambda image: 255 - image), "yx": lambda: Network(3, np.copy)},
    )


def test_one_image_or_several_in_the_form_of_the_input(model, tmp_path):
    Image.fromarray(IMAGE).save(tmp_path / "a.png")
    as_file = model.translate(tmp_path / "a.png")
    assert isinstance(as_file, Image.Image)
    listed = model.translate([IMAGE, Image.fromarray(IMAGE), str(tmp_path / "a.png")])
    assert isinstance(listed, list)
    stacked = model.translate(np.stack([IMAGE, IMAGE]))
    for image in (model.translate(IMAGE), as_file, *listed, *stacked):
        np.testing.assert_array_equal(np.asarray(image), 255 - IMAGE)


def test_a_folder_gives_a_dictionary_by_path(model, tmp_path):
    (tmp_path / "deep").mkdir()
    for name in ("b.png", "deep/a.png"):
        Image.fromarray(IMAGE).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no image")
    found = model.translate(tmp_path)
    assert sorted(found) == ["b.png", "deep/a.png"]
    np.testing.assert_array_equal(np.asarray(found["deep/a.png"]), 255 - IMAGE)


def test_directions_have_two_spellings(model):
    assert model.directions == ("xy", "yx")
    for word in ("yx", "BtoA", "btoa"):
        np.testing.assert_array_equal(model.translate(IMAGE, word), IMAGE)
    with refused("invalid", "direction", match="xy and yx"):
        model.translate(IMAGE, "zebra")


def test_a_model_of_one_direction_takes_that():
    model = Model(Path("g_yx.keras"), {"yx": lambda: Network(3, np.copy)})
    np.testing.assert_array_equal(model.translate(IMAGE), IMAGE)
    with refused("invalid", "direction"):
        model.translate(IMAGE, "xy")


def test_a_network_is_opened_once_and_when_it_is_used():
    opened = []

    def open_it():
        opened.append(1)
        return Network(3, np.copy)

    model = Model(Path("a"), {"xy": open_it})
    assert not opened
    model.translate([IMAGE, IMAGE])
    model.translate(IMAGE)
    assert opened == [1]
    assert repr(model) == "<Model a (xy)>"


def test_an_empty_folder_is_refused(model, tmp_path):
    with refused("missing", str(tmp_path)):
        model.translate(tmp_path)


def test_a_model_with_ranges_gives_numbers_of_the_target():
    pair = RangePair(ValueRange(-1000, 3000, "int16"), ValueRange(0, 4095, "uint16"))
    model = Model(Path("ct2mr"), {"xy": lambda: Network(1, np.negative, pair)})
    scan = np.array([[-1000, 1000, 3000]], np.int16)
    for made in (model.translate(scan), *model.translate([scan])):
        assert made.dtype == np.uint16
        assert made.ravel().tolist() == [4095, 2048, 0]  # 2047.5 goes to the even neighbor
