"""Slices with neighbors, and empty ones."""

from pathlib import Path

import numpy as np

from cyclegan_tf.volumes.geometry import Geometry
from cyclegan_tf.volumes.slices import AXIAL, Cutting, Slices
from cyclegan_tf.volumes.volume import Volume
from tests.helpers import volumes


def volume(voxels, slope=1.0):
    return Volume(Path("a.nii"), "NIfTI", voxels, Geometry(np.eye(4)), slope)


def test_a_slice_is_given_in_the_unit_of_the_volume():
    voxels = volumes.numbers((5, 4, 3), low=0)
    slices = Slices(volume(voxels, slope=2), "2")
    assert (len(slices), slices.shape, slices.channels) == (3, (5, 4), 1)
    assert np.array_equal(slices.numbers(1)[..., 0], 2 * voxels[..., 1])


def test_neighbors_stand_before_and_behind_and_are_repeated_at_the_ends():
    voxels = volumes.numbers((5, 4, 3))
    slices = Slices(volume(voxels), "axial", neighbors=1)
    assert slices.channels == 3
    seen = [slices.numbers(index) for index in range(3)]
    shown = voxels[::-1, ::-1].transpose(1, 0, 2)
    for image, wanted in zip(seen, [(0, 0, 1), (0, 1, 2), (1, 2, 2)], strict=True):
        assert np.array_equal(image, shown[..., wanted])


def test_slices_of_background_are_empty():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 30, (24, 20, 16)).round().astype(np.int16)
    for inside, outside in ((800, -1000), (1500, 0)):
        slices = Slices(volume(volumes.ball(inside=inside, outside=outside) + noise), "2")
        assert slices.filled() == list(range(2, 14))


def test_a_volume_without_background_has_no_empty_slices_and_one_of_one_number_has_no_others():
    values = np.random.default_rng(0).integers(100, 200, (5, 4, 3)).astype(np.int16)
    assert Slices(volume(values), "0").filled() == [0, 1, 2, 3, 4]
    assert Slices(volume(np.full((5, 4, 3), 7)), "0").filled() == []
    assert Slices(volume(np.full((5, 4, 3), np.nan)), "0").filled() == []


def test_how_volumes_are_cut_goes_into_files_and_back():
    cutting = Cutting("0", 2)
    assert (cutting.channels, cutting.suffix, AXIAL.suffix) == (5, "axis0", "axial")
    assert Cutting.from_dict(cutting.as_dict()) == cutting
    for damaged in (None, {}, {"axis": "0"}, {"axis": "0", "neighbors": -1}, {"axis": "lateral"}):
        assert Cutting.from_dict(damaged) is None
