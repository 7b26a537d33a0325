"""Mistakes of a command line that need no network to be found."""

from types import SimpleNamespace
from typing import get_args, get_type_hints

import keras
import numpy as np
import pytest
import tifffile
from PIL import Image

from cyclegan_tf.config.data import Data
from cyclegan_tf.images.training_scale import FULL, TrainingScale
from cyclegan_tf.translate import beforehand
from cyclegan_tf.translate.beforehand import check_image, check_options, check_run, check_size
from tests.helpers import image_files
from tests.helpers.errors import refused

OPTIONS = {
    **{"batch_size": 0, "tile_px": 0, "overlap_px": 64, "patch_px": 0},
    **{"level": 0, "mpp": 0.0},
    "temporal_half_life_frames": None,
}


def test_options():
    check_options({**OPTIONS, "size": "full"})
    with refused("invalid", "--tile_px"):
        check_options({**OPTIONS, "size": "auto", "tile_px": -1})


@pytest.mark.parametrize("size", ["0", "-4", "banana", "", "٣"])
def test_a_size_that_is_none(size):
    with refused("invalid", "--size"):
        check_size(size)


def test_the_order_is_said_where_the_run_stands_elsewhere(tiny_run, tmp_path):
    others = (str(tiny_run), str(tmp_path / "o.png"))
    check_run(others[0], "best", (), "RUN INPUT OUTPUT")
    with refused("missing", match="stands where .* belongs; the order is RUN INPUT OUTPUT"):
        check_run(str(tmp_path / "a.png"), "best", others, "RUN INPUT OUTPUT")


@pytest.fixture
def target(tmp_path):
    """A file of a network that takes five channels."""
    path = tmp_path / "five.keras"
    images = keras.Input((None, None, 5))
    keras.Model(images, keras.layers.Conv2D(3, 1)(images)).save(path)
    return path


def test_channels_that_do_not_fit(target, tiny_run, tmp_path):
    np.save(tmp_path / "five.npy", np.zeros((9, 9, 5), np.uint8))
    Image.fromarray(image_files.smooth(9, 9)).save(tmp_path / "rgb.png")
    check_image(tmp_path / "five.npy", target, "xy", in_tiles=False)
    check_image(tmp_path / "rgb.png", tiny_run, "xy", in_tiles=False)
    with refused("unreadable", match="has 3 channels .* 5 are wanted"):
        check_image(tmp_path / "rgb.png", target, "xy", in_tiles=False)
    with refused("unreadable", match="has 5 channels .* 3 are wanted"):
        check_image(tmp_path / "five.npy", tiny_run, "yx", in_tiles=False)


@pytest.mark.parametrize("preprocess", get_args(get_type_hints(Data)["preprocess"]))
def test_where_training_saw_full_size_a_tiff_may_be_of_any(tmp_path, monkeypatch, preprocess):
    experiment = SimpleNamespace(data=Data(preprocess=preprocess))
    monkeypatch.setattr(beforehand.RunDirectory, "experiment", lambda _: experiment)
    wanted = TrainingScale.of(preprocess, 20, 16) == FULL
    assert beforehand.may_see_every_pixel(tmp_path) is wanted
    assert beforehand.may_see_every_pixel(tmp_path / "g.keras")


def test_strips_of_a_tiff_may_be_more_than_is_decoded_whole(tiny_run, tmp_path):
    path = tmp_path / "large.tif"
    tifffile.memmap(path, shape=(14_000, 14_000, 3), dtype=np.uint8)  # a hole on the disk
    check_image(path, tiny_run, "xy", in_tiles=True)
    with refused("unreadable", path):
        check_image(path, tiny_run, "xy", in_tiles=False)


def test_what_is_too_large_to_be_decoded_whole(tiny_run, tmp_path):
    path = image_files.bomb_png(tmp_path / "bomb.png")
    for in_tiles in (False, True):  # strips are for TIFF
        with refused("unreadable", path, match="the limit is"):
            check_image(path, tiny_run, "xy", in_tiles)
