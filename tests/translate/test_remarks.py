"""What the end of a translation says of the sources."""

from pathlib import Path

from cyclegan_tf.images.headers import ImageInfo
from cyclegan_tf.translate.remarks import remarks_on, summarize

INFO = {"path": Path("a.tif"), "format": "TIFF", "width": 4, "height": 5, "mode": "L"}


def test_pages_are_counted():
    (remark,) = remarks_on(ImageInfo(**INFO, channels=1, more_pages=True))
    assert remarks_on(ImageInfo(**INFO, channels=1)) == ()
    assert summarize([remark] * 3) == [
        "3 files: more than one page or frame, of which only the first was taken"
    ]
    assert summarize([remark, "else"])[1] == "1 file: else"
