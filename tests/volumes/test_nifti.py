"""NIfTI in and out, by nibabel."""

import nibabel
import numpy as np
import pytest

from cyclegan_tf.volumes import nifti
from tests.helpers import volumes
from tests.helpers.errors import refused


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_numbers_and_place_come_as_nibabel_has_them(tmp_path, name):
    path = volumes.write_nifti(tmp_path / name, volumes.numbers())
    found = nifti.read(path)
    assert np.array_equal(found.voxels, volumes.numbers())
    assert found.voxels.dtype == np.int16
    assert np.array_equal(found.geometry.affine, volumes.AFFINE)
    assert found.geometry.is_oriented


def test_slope_and_intercept_give_the_unit(tmp_path):
    path = volumes.write_nifti(tmp_path / "a.nii", volumes.numbers(low=0), slope=0.5, intercept=-10)
    found = nifti.read(path)
    assert np.array_equal(found.values(found.voxels), nibabel.load(path).get_fdata())


@pytest.mark.parametrize("name", ["b.nii", "b.nii.gz"])
def test_header_and_affine_are_copied_and_values_are_as_given(tmp_path, name):
    source = nifti.read(
        volumes.write_nifti(tmp_path / "a.nii.gz", volumes.numbers((5, 4, 3, 1)), slope=None)
    )
    values = np.asfortranarray(volumes.numbers().astype(np.float32) / 7)
    nifti.write(tmp_path / name, name, values, source)
    found = nibabel.load(tmp_path / name)
    assert found.shape == (5, 4, 3, 1)
    assert found.get_data_dtype() == np.float32
    assert np.array_equal(found.get_fdata(dtype=np.float32)[..., 0], values)
    assert np.array_equal(found.affine, volumes.AFFINE)
    before = nibabel.load(tmp_path / "a.nii.gz").header
    for field in ("descrip", "sform_code", "qform_code", "xyzt_units", "pixdim"):
        assert np.array_equal(found.header[field], before[field]), field


def test_what_is_no_volume_of_plain_numbers_is_refused(tmp_path):
    for name, values in [
        ("time", volumes.numbers((4, 4, 3, 5))),
        ("flat", volumes.numbers((4, 4))),
    ]:
        with refused("unsupported"):
            nifti.read(volumes.write_nifti(tmp_path / f"{name}.nii", values))
    colors = np.zeros((4, 4, 3), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    with refused("unsupported", match="plain numbers"):
        nifti.read(volumes.write_nifti(tmp_path / "colors.nii", colors))


def test_a_file_cut_off_is_refused(tmp_path):
    path = volumes.write_nifti(tmp_path / "a.nii", volumes.numbers())
    path.write_bytes(path.read_bytes()[:-10])
    with refused("unreadable"):
        nifti.read(path)


def test_without_codes_a_file_does_not_say_how_it_lies(tmp_path):
    image = nibabel.Nifti1Image(volumes.numbers(), np.eye(4))
    image.set_sform(None, 0)
    image.set_qform(None, 0)
    nibabel.save(image, tmp_path / "a.nii")
    assert not nifti.read(tmp_path / "a.nii").geometry.is_oriented
