"""Units and types of a volume's values."""

from pathlib import Path

import numpy as np
import pytest

from cyclegan_tf.volumes.geometry import Geometry
from cyclegan_tf.volumes.volume import Volume, volume_shape
from tests.helpers.errors import refused


def volume(dtype, slope=1.0, intercept=0.0):
    voxels = np.arange(8).astype(dtype).reshape(2, 2, 2)
    return Volume(Path("a.nii"), "NIfTI", voxels, Geometry(np.eye(4)), slope, intercept)


@pytest.mark.parametrize(
    ("stored", "slope", "intercept", "wanted"),
    [
        (">i2", 1, 0, "int16"),
        ("uint8", 1, 0, "uint8"),
        ("uint8", 2, -100, "int16"),
        ("uint16", 1, -1024, "int32"),
        ("int16", 0.5, 0, "float32"),
        ("int64", 1, 0, "int32"),
        ("float64", 1, 0, "float32"),
    ],
)
def test_whole_values_stay_whole(stored, slope, intercept, wanted):
    found = volume(stored, slope, intercept)
    assert found.value_dtype == wanted
    values = found.values(found.voxels)
    assert values.dtype == wanted
    assert values.ravel().tolist() == [slope * each + intercept for each in range(8)]


def test_a_volume_has_three_sides():
    assert volume_shape((4, 5, 6, 1, 1)) == (4, 5, 6)
    with refused("unsupported", match="4 x 5 x 6 x 7 numbers"):
        volume_shape((4, 5, 6, 7))
    with refused("unsupported"):
        volume_shape((4, 5))
    with refused("memory"):
        volume_shape((100_000, 100_000, 100_000))
