"""A translated series, read back by pydicom."""

import numpy as np
import pydicom

from cyclegan_tf.volumes import dicom, dicom_output
from tests.helpers import volumes

HU = volumes.numbers((5, 4, 3))


def written(tmp_path, values, is_same_unit=True):
    source = dicom.read(volumes.write_dicom(tmp_path / "ct", HU))
    (tmp_path / "out").mkdir()
    dicom_output.write(tmp_path / "out", values, source, is_same_unit)
    return dicom.read(tmp_path / "out")


def test_a_new_derived_series_in_the_same_place(tmp_path):
    found = written(tmp_path, HU + 5)
    assert np.array_equal(found.voxels, HU + 5)
    before, after = (
        [pydicom.dcmread(tmp_path / name / path.name) for path in found.header.files]
        for name in ("ct", "out")
    )
    assert len({each.SeriesInstanceUID for each in (*before, *after)}) == 2
    assert len({each.SOPInstanceUID for each in (*before, *after)}) == 6
    for old, new in zip(before, after, strict=True):
        assert list(new.ImageType) == ["DERIVED", "SECONDARY", "AXIAL"]
        assert "Not for clinical use" in new.DerivationDescription
        (source,) = new.SourceImageSequence
        assert source.ReferencedSOPInstanceUID == old.SOPInstanceUID
        assert new.file_meta.MediaStorageSOPInstanceUID == new.SOPInstanceUID
        for name in ("PatientName", "StudyInstanceUID", "FrameOfReferenceUID",
                     "ImagePositionPatient", "PixelSpacing", "RescaleType"):  # fmt: skip
            assert new[name].value == old[name].value
        assert (0x0009, 0x0010) not in new
        assert new.RescaleIntercept == 0


def test_values_of_another_unit_say_so(tmp_path):
    values = (HU + 1000).astype(np.float32) / 7
    found = written(tmp_path, values, is_same_unit=False)
    assert np.abs(found.voxels - values).max() <= (values.max() - values.min()) / 65535
    assert pydicom.dcmread(found.header.files[0]).RescaleType == "US"
