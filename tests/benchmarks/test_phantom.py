"""The phantoms' map by hand, and the table; nothing is trained."""

import numpy as np
import pytest
import tifffile

from benchmarks.quality import phantom
from cyclegan_tf.train.plan import plan_training


def test_phantoms_are_12_bits_and_follow_their_seed():
    first, again, other = (phantom.phantom(seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    for drawn in (first, phantom.mapped(first)):
        assert (drawn.dtype, drawn.shape) == (np.uint16, (64, 64))
        assert drawn.max() <= 4095
    assert 20 < first[0, 0] + 20 < 80  # air: -1000 Hounsfield units are 24 counts
    assert first.max() > 1500  # bone


@pytest.mark.parametrize(("counts", "right"), [(0, 0), (1064, 1608), (4095, 3814)])
def test_the_map_by_hand(counts, right):
    # 1064 counts are 40 units: 3200 / 2 + 0.2 * 40; 4095 are 3071: 3200 + 0.2 * 3071
    assert (phantom.mapped(np.full((5, 6), counts, np.uint16)) == right).all()


def test_fine_structure_is_amplified():
    counts = np.full((9, 9), 1064, np.uint16)
    counts[4, 4] = 1073  # 9 more: 8 more than the mean around it, on a curve of slope 11.6
    found = phantom.mapped(counts)
    assert found[4, 4] - found[0, 0] == round(3200 / (1 + np.exp(-9 / 70)) - 1600 + 1.8 + 16)
    assert found[4, 5] == 1606  # 1 less than the mean


def test_images_on_disk_and_errors_without_a_training(tmp_path, monkeypatch):
    monkeypatch.setattr(phantom, "_SPLITS", {"train": (2, 0, 100), "test": (2, 200, 200)})
    phantom.write_set(tmp_path)
    x, y = next(phantom.pairs(tmp_path))
    np.testing.assert_array_equal(phantom.mapped(x), y)
    other = tifffile.imread(tmp_path / "trainB/000.tif")
    assert (other != phantom.mapped(tifffile.imread(tmp_path / "trainA/000.tif"))).any()
    errors = phantom.without_training(tmp_path)
    expected = np.mean([np.abs(x - y.astype(float)).mean() for x, y in phantom.pairs(tmp_path)])
    assert errors["X as it is"] == pytest.approx(expected)


def test_the_command_and_the_table(tmp_path):
    planned = plan_training(phantom.words(tmp_path, tmp_path / "run", "given", 1, 500))
    assert planned.experiment.data.range_x == (0, 4095)
    assert planned.experiment.training.seed == 1
    found = phantom.table({"full": [300.4, 100.0], "auto": [10.0, 20.0]}, {"X as it is": 7.0})
    assert found.splitlines()[2:] == [
        "| full | 300 | 100 | 200 |",
        "| auto | 10 | 20 | 15 |",
        "| X as it is |  |  | 7 |",
    ]
