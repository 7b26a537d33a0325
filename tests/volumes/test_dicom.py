"""DICOM series in, written by pydicom."""

import numpy as np
import pytest

from cyclegan_tf.volumes import dicom
from tests.helpers import volumes
from tests.helpers.errors import refused

HU = volumes.numbers((5, 4, 6))


def test_hounsfield_units_sorted_by_position(tmp_path):
    found = dicom.read(volumes.write_dicom(tmp_path / "ct", HU))
    assert found.voxels.dtype == np.int16
    assert np.array_equal(found.voxels, HU)
    # 2 mm along columns and 1.5 along rows, in LPS+
    affine = [[-2, 0, 0, 40], [0, -1.5, 0, -30], [0, 0, 3, 5], [0, 0, 0, 1]]
    assert np.allclose(found.geometry.affine, affine)
    assert [path.name for path in found.header.files] == [f"IM{n:03}.dcm" for n in range(6, 0, -1)]


def test_a_slope_of_parts_gives_floats(tmp_path):
    found = dicom.read(volumes.write_dicom(tmp_path / "pet", HU, slope=0.5, intercept=0))
    assert found.voxels.dtype == np.float32
    assert np.array_equal(found.voxels, (HU + 1024) / 2)


def test_what_does_not_fit_16_bits_is_kept_in_32(tmp_path):
    found = dicom.read(volumes.write_dicom(tmp_path / "a", HU, slope=1000, intercept=0))
    assert found.voxels.dtype == np.int32
    assert found.voxels.max() == (int(HU.max()) + 1024) * 1000


@pytest.mark.parametrize(
    ("gone", "match"),
    [((3,), "slices are missing"), ((2, 3), "slices are missing")],
)
def test_missing_slices_are_refused(tmp_path, gone, match):
    folder = volumes.write_dicom(tmp_path / "ct", HU)
    for number in gone:
        (folder / f"IM{number:03}.dcm").unlink()
    with refused("mismatch", match=match):
        dicom.read(folder)


def test_missing_slices_at_the_end_are_seen_by_the_acquisition(tmp_path):
    folder = volumes.write_dicom(tmp_path / "ct", HU, ImagesInAcquisition=7)
    with refused("mismatch", match="6 are here, of 7"):
        dicom.read(folder)


def test_mixtures_are_refused(tmp_path):
    plane = HU[..., 0].T + 1024
    mixed = {
        "series": {"series": "1.2.3.5"},
        "place": {"position": (-40, 30, 8)},
        "uneven": {"position": (-40, 30, 21)},
        "size": {"plane": plane[:-1]},
        "frames": {"NumberOfFrames": 2},
        "colors": {"SamplesPerPixel": 3},
    }
    for name, change in mixed.items():
        folder = volumes.write_dicom(tmp_path / name, HU)
        options = {"plane": plane, "position": (-40, 30, 23), **change}
        volumes.dicom_slice(9, **options).save_as(folder / "z.dcm", enforce_file_format=True)
        with refused(["mismatch", "unsupported"]):
            dicom.read(folder)


def test_a_file_that_is_no_dicom_is_named(tmp_path):
    folder = volumes.write_dicom(tmp_path / "ct", HU)
    (folder / "z.dcm").write_bytes(b"no")
    with refused("unreadable", match=r"z\.dcm"):
        dicom.read(folder)


def test_one_slice_is_a_volume(tmp_path):
    found = dicom.read(volumes.write_dicom(tmp_path / "ct", HU[..., :1]))
    assert found.voxels.shape == (5, 4, 1)
    assert found.geometry.spacing_mm == (2, 1.5, 3)
