"""NRRD in and out, by pynrrd."""

import nrrd as pynrrd
import numpy as np
import pytest

from cyclegan_tf.volumes import nifti, nrrd
from tests.helpers import volumes
from tests.helpers.errors import refused

PLACE = {
    "space": "left-posterior-superior",
    "space directions": np.diag([2.0, -1.5, 3]),
    "space origin": [-40, 30, 5],
    "kinds": ["domain"] * 3,
}


def write(path, values, **fields):
    pynrrd.write(str(path), values, fields)
    return path


@pytest.mark.parametrize("encoding", ["raw", "gzip"])
def test_numbers_and_place(tmp_path, encoding):
    path = write(tmp_path / "a.nrrd", volumes.numbers(), encoding=encoding, **PLACE)
    found = nrrd.read(path)
    assert np.array_equal(found.voxels, volumes.numbers())
    assert np.array_equal(found.geometry.affine, volumes.AFFINE)
    assert found.geometry.is_oriented


def test_without_a_space_only_the_spacing_is_known(tmp_path):
    found = nrrd.read(write(tmp_path / "a.nrrd", volumes.numbers(), spacings=[1.0, 2, 3]))
    assert found.geometry.spacing_mm == (1, 2, 3)
    assert not found.geometry.is_oriented
    scanner = {**PLACE, "space": "scanner-xyz"}
    found = nrrd.read(write(tmp_path / "b.nrrd", volumes.numbers(), **scanner))
    assert (found.geometry.spacing_mm, found.geometry.is_oriented) == ((2, 1.5, 3), False)


def test_fields_are_copied_and_values_are_as_given(tmp_path):
    path = write(tmp_path / "a.nrrd", volumes.numbers(), mine="kept", encoding="raw", **PLACE)
    values = volumes.numbers().astype(np.float32) / 7
    nrrd.write(tmp_path / "b.nrrd", values, nrrd.read(path))
    found, header = pynrrd.read(str(tmp_path / "b.nrrd"))
    assert found.dtype == np.float32
    assert np.array_equal(found, values)
    assert header["mine"] == "kept"
    assert np.array_equal(header["space directions"], PLACE["space directions"])


def test_the_place_of_another_kind_of_file_is_written(tmp_path):
    source = nifti.read(volumes.write_nifti(tmp_path / "a.nii", volumes.numbers()))
    nrrd.write(tmp_path / "b.nrrd", volumes.numbers(), source)
    assert np.allclose(nrrd.read(tmp_path / "b.nrrd").geometry.affine, volumes.AFFINE)


def test_what_is_no_volume_is_refused(tmp_path):
    with refused("unsupported"):
        nrrd.read(write(tmp_path / "a.nrrd", volumes.numbers((4, 4, 3, 5))))
    path = write(tmp_path / "b.nrrd", volumes.numbers(), encoding="raw")
    path.write_bytes(path.read_bytes()[:-10])
    with refused("unreadable"):
        nrrd.read(path)
    path.write_bytes(b"something else")
    with refused("unreadable"):
        nrrd.read(path)
