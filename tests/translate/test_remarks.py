"""What the end of a translation says of the sources."""

from pathlib import Path

import pytest

from cyclegan_tf.images.headers import ImageInfo
from cyclegan_tf.images.placement import NOTHING, Placement
from cyclegan_tf.translate.remarks import remarks_on, summarize


def test_a_kind_that_cannot_be_written_is_said():
    info = ImageInfo(Path("a.gif"), "GIF", 4, 5, "P", 3)
    (said,) = remarks_on(info, NOTHING, Path("out/a.png"))
    assert said == "of a kind that is read only, written as .png"
    assert remarks_on(info, NOTHING, Path("named.png")) == ()


def remarks(target="a.tif", placement=NOTHING, **facts):
    info = ImageInfo(Path("a.tif"), "TIFF", 4, 5, "L", 1, **facts)
    return remarks_on(info, placement, Path(target))


def test_remarks_are_counted():
    assert summarize(["floats"] * 3 + ["else"]) == ["3 files: floats", "1 file: else"]


@pytest.mark.parametrize(
    ("target", "facts", "said"),
    [
        ("a.tif", {"bits": 32, "white": 1}, ""),
        ("a.png", {"bits": 32, "white": 1}, "floats, written as integers, since .png"),
        ("a.tif", {"bits": 32, "white": 2**32 - 1}, "integers of 32 bits, brought to 16"),
        ("a.PNG", {"placement": Placement(exif=b"Exif")}, ""),
        (
            "a.BMP",
            {"placement": Placement(exif=b"Exif")},
            "camera data, which .bmp files do not hold",
        ),
    ],
)
def test_what_is_lost_is_one_line(target, facts, said):
    found = remarks(target, **facts)
    assert len(found) == bool(said)
    assert all(said in remark for remark in found)
