"""EXIF blocks out of TIFF and into it; tests/images/test_placement.py has whole files."""

import io

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.images import camera_data

tifffile = pytest.importorskip("tifffile", reason="needs the optional library tifffile")


def block(**more):
    exif = Image.Exif()
    exif[271], exif[306] = "maker", more.get("date", "2026:11:28 10:00:00")
    exif.get_ifd(0x8769)[33434] = 0.01
    exif.get_ifd(0x8769)[0xA005] = {1: "R98"}
    exif.get_ifd(0x8825)[2] = (10.0, 20.0, 30.5)
    return exif.tobytes()


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_there_and_back(tmp_path, byteorder):
    stream = io.BytesIO()
    options = {"metadata": None, "byteorder": byteorder}
    tifffile.imwrite(stream, np.ones((4, 5)), **options, **camera_data.tiff_options(block()))
    camera_data.finish_tiff(stream, block())
    (tmp_path / "a.tif").write_bytes(stream.getvalue())
    exif = Image.Exif()
    exif.load(camera_data.of_tiff(tmp_path / "a.tif"))
    assert (exif[271], exif[306]) == ("maker", "2026:11:28 10:00:00")
    assert exif.get_ifd(0x8769)[33434] == 0.01
    assert exif.get_ifd(0xA005) == {1: "R98"}
    assert exif.get_ifd(0x8825)[2] == (10.0, 20.0, 30.5)
    assert tifffile.imread(tmp_path / "a.tif").sum() == 20


def test_nothing_is_nothing(tmp_path):
    assert camera_data.cleaned(b"") == b""
    assert camera_data.tiff_options(b"") == {"software": False, "extratags": []}
    assert "datetime" not in camera_data.tiff_options(block(date="yesterday"))
    tifffile.imwrite(tmp_path / "a.tif", np.ones((4, 5)), bigtiff=True)
    before = (tmp_path / "a.tif").read_bytes()
    with (tmp_path / "a.tif").open("r+b") as stream:
        camera_data.finish_tiff(stream, block())
    assert (tmp_path / "a.tif").read_bytes() == before
    assert camera_data.of_tiff(tmp_path / "a.tif") == b""
