"""MetaImage in and out; its headers as ITK writes them."""

import zlib
from pathlib import Path

import numpy as np
import pytest

from cyclegan_tf.volumes import metaimage, nifti
from cyclegan_tf.volumes.geometry import Geometry
from cyclegan_tf.volumes.volume import Volume
from tests.helpers import volumes
from tests.helpers.errors import refused

# What SimpleITK 2.5 writes for `volumes.numbers()` placed as `volumes.AFFINE`.
HEADER = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = {msb}
CompressedData = {packed}
TransformMatrix = 1 0 0 0 -1 0 0 0 1
Offset = -40 30 5
CenterOfRotation = 0 0 0
AnatomicalOrientation = RAI
ElementSpacing = 2 1.5 3
DimSize = 5 4 3
ElementType = MET_SHORT
ElementDataFile = LOCAL
"""


def write(path, values, packed=False, msb=False, header=HEADER):
    data = values.astype(">i2" if msb else "<i2").tobytes(order="F")
    text = header.format(packed=packed, msb=msb)
    path.write_bytes(text.encode() + (zlib.compress(data) if packed else data))
    return path


@pytest.mark.parametrize("msb", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_numbers_and_place(tmp_path, packed, msb):
    found = metaimage.read(write(tmp_path / "a.mha", volumes.numbers(), packed, msb))
    assert np.array_equal(found.voxels, volumes.numbers())
    assert np.array_equal(found.geometry.affine, volumes.AFFINE)
    assert found.geometry.is_oriented


@pytest.mark.parametrize("packed", [False, True])
def test_a_written_file_keeps_the_lines_of_its_source(tmp_path, packed):
    header = HEADER.replace("CenterOf", "Modality = MET_MOD_CT\nCenterOf")
    source = metaimage.read(write(tmp_path / "a.mha", volumes.numbers(), packed, header=header))
    values = volumes.numbers().astype(np.float32) / 7
    metaimage.write(tmp_path / "b.mha", values, source)
    found = metaimage.read(tmp_path / "b.mha")
    assert found.voxels.dtype == np.float32
    assert np.array_equal(found.voxels, values)
    assert found.header["Modality"] == "MET_MOD_CT"
    assert found.header["CompressedData"] == str(packed)
    if packed:
        data = (tmp_path / "b.mha").read_bytes().partition(b"LOCAL\n")[2]
        assert int(found.header["CompressedDataSize"]) == len(data)
    assert np.array_equal(found.geometry.affine, volumes.AFFINE)


def test_the_place_of_another_kind_of_file_is_written(tmp_path):
    source = nifti.read(volumes.write_nifti(tmp_path / "a.nii", volumes.numbers()))
    metaimage.write(tmp_path / "b.mha", volumes.numbers(), source)
    assert np.allclose(metaimage.read(tmp_path / "b.mha").geometry.affine, volumes.AFFINE)
    unplaced = Volume(Path("a"), "NRRD", volumes.numbers(), Geometry(np.diag([1, 2, 3, 1]), False))
    metaimage.write(tmp_path / "c.mha", volumes.numbers(), unplaced)
    found = metaimage.read(tmp_path / "c.mha").geometry
    assert (found.is_oriented, found.spacing_mm) == (False, (1, 2, 3))


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ("ElementDataFile = LOCAL", "ElementDataFile = a.raw", "unsupported"),
        ("DimSize = 5 4 3", "DimSize = 5 4 3 7", "unsupported"),
        ("DimSize = 5 4 3", "DimSize = 5 4 30", "unreadable"),
        ("DimSize = 5 4 3", "", "unreadable"),
        ("MET_SHORT", "MET_UCHAR_ARRAY", "unsupported"),
        ("ElementType", "ElementNumberOfChannels = 3\nElementType", "unsupported"),
        ("Offset = -40 30 5", "Offset = -40 30", "unreadable"),
        ("BinaryData = True", "BinaryData = False", "unsupported"),
    ],
)
def test_what_is_not_read_is_refused(tmp_path, before, after, code):
    path = write(tmp_path / "a.mha", volumes.numbers(), header=HEADER.replace(before, after))
    with refused(code):
        metaimage.read(path)
