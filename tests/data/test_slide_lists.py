"""Tiles of slides, cut on the fly: where tissue is, at the pixel size that is asked for."""

import os

import numpy as np
import pytest

from cyclegan_tf.data.slide_lists import SlideTiles, open_slides, tiles_with_tissue
from cyclegan_tf.images.pyramids import save_pyramid
from cyclegan_tf.images.slides import Scale
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import command as train
from tests.helpers import tiny
from tests.helpers.errors import refused
from tests.helpers.slides import stained


@pytest.fixture
def folder(tmp_path):
    pytest.importorskip("tiffslide", reason='needs pip install ".[slides]"')
    image = stained(300, 600)
    for name in ("trainA", "trainB", "testA"):
        (tmp_path / name).mkdir()
        save_pyramid(tmp_path / name / "s.ome.tif", [image], image.shape, 0.5)
    return tmp_path, image


def test_a_grid_of_tissue():
    mask = np.zeros((10, 20), bool)
    mask[2:6, 4:12] = True
    assert tiles_with_tissue(mask, 100, 200, 40) == [(0, 40), (0, 80), (40, 40), (40, 80)]
    assert tiles_with_tissue(mask, 100, 200, 101) == []


def test_tiles_are_parts_of_the_slide(folder):
    root, image = folder
    tiles = SlideTiles([root / "trainA" / "s.ome.tif"], root, Scale(), 64)
    assert len(tiles.names) > 4
    left, top = map(int, tiles.names[0].removeprefix("trainA/s.ome.tif@").split(","))
    np.testing.assert_array_equal(tiles.read(0), image[top : top + 64, left : left + 64])
    half = SlideTiles([root / "trainA" / "s.ome.tif"], root, Scale(mpp=1.0), 32)
    assert half.read(0).shape == (32, 32, 3)


def test_four_lists_of_which_one_is_empty(folder):
    root, _ = folder
    train_x, train_y, test_x, test_y = open_slides(root, Scale(), 64)
    assert (len(train_x), len(test_x), len(test_y)) == (len(train_y), len(train_x), 0)
    with refused("missing", "data.source", match="has no tile of 310 px with tissue in 1 slides"):
        open_slides(root, Scale(), 310)


def test_a_training_on_slides(folder, tmp_path, step_by_step):
    root, _ = folder
    words = tiny.words(f"slide:{root}", tmp_path / "run", "--training.max_steps=2", "--quiet")
    more = ["--data.preprocess=crop", "--data.mpp=1.0", "--data.load_size_px=24"]
    assert train.main([*words, *more]) == 0
    found = RunDirectory(tmp_path / "run").experiment().data
    assert (found.mpp, found.level) == (1.0, 0)
    assert len(os.listdir(tmp_path / "run" / "checkpoints")) >= 1
