"""Which slices are axial, coronal and sagittal, and how they lie on the screen."""

import numpy as np
import pytest

from cyclegan_tf.volumes.geometry import Cut, Geometry, cut_along, is_usable
from tests.helpers.errors import refused

RAS = Geometry(np.diag([2.0, 3, 4, 1]))


def place(cut, shape=(4, 5, 6)):
    """Voxel indices (i, j, k) that the cut shows first, and one on in each direction."""
    grid = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), axis=-1)
    view = np.stack([cut.apply(grid[..., axis]) for axis in range(3)], axis=-1)
    return view[0, 0, 0], view[1, 0, 0], view[0, 1, 0], view[0, 0, 1]


def test_spacing_is_the_length_of_the_directions():
    turned = np.array([[0, -3, 0, 0], [2, 0, 0, 0], [0, 0, 4, 0], [0, 0, 0, 1.0]])
    assert Geometry(turned).spacing_mm == (2, 3, 4)


def test_named_slices_of_a_volume_in_ras_look_as_radiologists_have_them():
    # x to the patient's right: i falls along columns, so that the right side lies at the left
    first, slices, rows, columns = place(cut_along("axial", RAS))
    assert first.tolist() == [3, 4, 0]
    assert (slices - first).tolist() == [0, 0, 1]
    assert (rows - first).tolist() == [0, -1, 0]
    assert (columns - first).tolist() == [-1, 0, 0]
    first, slices, rows, columns = place(cut_along("coronal", RAS))
    assert (first.tolist(), (slices - first).tolist()) == ([3, 0, 5], [0, 1, 0])
    assert ((rows - first).tolist(), (columns - first).tolist()) == ([0, 0, -1], [-1, 0, 0])
    first, slices, rows, columns = place(cut_along("sagittal", RAS))
    assert (first.tolist(), (slices - first).tolist()) == ([0, 4, 5], [1, 0, 0])
    assert ((rows - first).tolist(), (columns - first).tolist()) == ([0, 0, -1], [0, -1, 0])


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal"])
def test_slices_are_the_same_however_a_volume_is_stored(axis):
    values = np.random.default_rng(0).normal(size=(4, 5, 6))
    wanted = cut_along(axis, RAS).apply(values)
    # the same volume with its axes in another order, and two of them reversed
    stored = values.transpose(2, 0, 1)[::-1, :, ::-1]
    affine = np.zeros((4, 4))
    affine[2, 0], affine[0, 1], affine[1, 2], affine[3, 3] = -4, 2, -3, 1
    assert np.array_equal(cut_along(axis, Geometry(affine)).apply(stored), wanted)


def test_an_oblique_volume_is_cut_along_what_runs_nearest():
    turn = np.deg2rad(40)
    affine = np.eye(4)
    affine[1:3, 1:3] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    assert cut_along("axial", Geometry(affine)).order[0] == 2


def test_a_number_is_an_axis_as_stored():
    assert cut_along("1", Geometry(np.eye(4), is_oriented=False)) == Cut((1, 0, 2))
    with refused("unsupported", match="give the number of an axis"):
        cut_along("axial", Geometry(np.eye(4), is_oriented=False))


def test_a_cut_can_be_written_through():
    voxels = np.zeros((4, 5, 6))
    cut_along("coronal", RAS).apply(voxels)[2] = 7
    assert (voxels[:, 2] == 7).all()
    assert voxels.sum() == 7 * 24


def test_usable_affines():
    assert is_usable(np.eye(4))
    assert not is_usable(np.zeros((4, 4)))
    assert not is_usable(np.full((4, 4), np.nan))
