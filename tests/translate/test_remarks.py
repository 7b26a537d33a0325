"""What the end of a translation says of the sources."""

from pathlib import Path

import pytest

from cyclegan_tf.images.headers import ImageInfo
from cyclegan_tf.images.placement import NOTHING, Placement
from cyclegan_tf.translate.remarks import remarks_on, summarize


def test_transparency_is_said_where_it_is_not_a_channel():
    info = ImageInfo(Path("a.png"), "PNG", 4, 5, "RGBA", 4, has_alpha=True)
    assert remarks_on(info, NOTHING, Path("b.png"), 3) == ("transparency, laid on white",)
    assert remarks_on(info, NOTHING, Path("b.png"), 4) == ()


def test_a_kind_that_cannot_be_written_is_said():
    info = ImageInfo(Path("a.gif"), "GIF", 4, 5, "P", 3)
    (said,) = remarks_on(info, NOTHING, Path("out/a.png"), 3)
    assert said == "of a kind that is read only, written as .png"
    assert remarks_on(info, NOTHING, Path("named.png"), 3) == ()


def remarks(target="a.tif", placement=NOTHING, all_pages=False, **facts):
    info = ImageInfo(Path("a.tif"), "TIFF", 4, 5, "L", 1, **facts)
    return remarks_on(info, placement, Path(target), 3, all_pages)


def test_pages_are_counted():
    (remark,) = remarks(more_pages=True)
    assert remarks() == remarks(more_pages=True, all_pages=True) == ()
    assert summarize([remark] * 3) == [
        "3 files: more than one page or frame, of which only the first was taken"
    ]
    assert summarize([remark, "else"])[1] == "1 file: else"


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
