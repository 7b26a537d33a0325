"""The measure of seams by hand, the ways in tiles on a tiny network, and the memory of the real
command."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import tiles

from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.translate.tiles import Tiling


def test_a_step_by_hand():
    error = np.zeros((96, 128))
    error[:, 64:] = 5
    assert tiles.step(error, [], [64]) == 5
    assert tiles.step(error, [48], []) == 0
    assert tiles.step(error, [48], [64]) == 2.5
    assert tiles.step(error, [], [3]) == 0  # too near the edge to be seen
    error[::2] *= -1  # stripes along a border are no step
    assert tiles.step(error, [], [64]) == 0


def test_borders_are_where_tiles_meet():
    tiling = Tiling.of(96, 90, 48, 16, 4)
    assert tiling.columns.before_px == 1
    assert tiles.borders(tiling) == ([36, 60], [33, 55])
    assert tiles.middles_between([36, 60, 80]) == [48, 70]


def test_the_made_image_comes_in_rows():
    image = tiles.synthetic(0, 40, 40, 60)
    assert (image.shape, image.dtype) == ((40, 60, 3), np.uint8)
    assert image[:, -10:, 0].mean() > image[:, :10, 0].mean() + 60
    assert tiles.synthetic(30, 40, 40, 60).shape == (10, 60, 3)


def test_shared_statistics_are_nearer_to_the_whole_image_than_any_other_way():
    network = build_generator("resnet_6blocks", filters=2, blocks=1, seed=1)
    for variable in network.trainable_variables:
        variable.assign(tiles.LARGER * variable)
    rows = tiles.quality(network, 4, tiles.synthetic(0, 160, 160, 160), 64, 24)
    assert rows[0]["way"] == "the whole image at once"
    exact, *others = rows[1:]
    assert len(others) == 3
    assert all(exact["psnr_db"] > other["psnr_db"] + 10 for other in others)
    plain = others[-1]
    assert plain["step"] > 1.2 * plain["step_elsewhere"]
    assert exact["step"] < 0.2 * plain["step"]
    assert len(tiles.table(rows).splitlines()) == 2 + len(rows)


@pytest.mark.slow
def test_the_real_command_is_measured(tmp_path):
    network = tmp_path / "g.keras"
    build_generator("resnet_6blocks", filters=2, blocks=1, seed=1).save(network)
    found = tiles.memory(network, 100, 160, ["--tile=64", "--overlap=16"], tmp_path)
    assert found["image"] == "160 x 100"
    assert 2**27 < found["peak_rss_bytes"] < 2**31
    assert any("160 x 100 in 6 tiles" in line for line in found["printed"])
