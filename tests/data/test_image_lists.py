"""Channels decided by headers, and lists of files."""

from pathlib import Path

import numpy as np
import pytest

from cyclegan_tf.data.image_lists import Files, decided_channels, open_lists
from cyclegan_tf.images.headers import ImageInfo
from tests.helpers.errors import refused


def header(channels, mode="L", has_alpha=False):
    return ImageInfo(Path("a.tif"), "TIFF", 4, 4, mode, channels, has_alpha=has_alpha)


GRAY, COLOR, BANDS = header(1), header(3, "RGB"), header(13, "uint16")


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        ([COLOR], [COLOR], (3, 3)),
        ([GRAY, GRAY], [GRAY], (1, 1)),
        ([GRAY, COLOR], [GRAY], (3, 3)),  # gray turns color where the other domain is
        ([BANDS, BANDS], [COLOR], (13, 3)),
        ([BANDS], [GRAY], (13, 1)),
        ([BANDS, COLOR], [COLOR], (3, 3)),
        ([header(2, "LA", True)], [header(1)], (1, 1)),
        ([header(4, "RGBA", True)], [header(4, "CMYK")], (3, 3)),
        ([header(4, "uint16")], [COLOR], (4, 3)),
        ([], [], (3, 3)),
    ],
)
def test_channels_are_what_all_headers_say(x, y, expected):
    found = decided_channels({"x": "auto", "y": "auto"}, {"x": x, "y": y})
    assert (found["x"], found["y"]) == expected


def test_channels_that_were_given_stay():
    infos = {"x": [GRAY], "y": [COLOR]}
    assert decided_channels({"x": 1, "y": "auto"}, infos) == {"x": 1, "y": 3}
    assert decided_channels({"x": 5, "y": 3}, infos) == {"x": 5, "y": 3}


def test_what_was_found_is_noted(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((4, 5, 7), np.uint8))
    np.save(tmp_path / "b.npy", np.zeros((4, 5), np.uint8))
    files = [
        Files.probed([tmp_path / name], tmp_path, domain, 10**6)
        for name, domain in (("a.npy", "x"), ("b.npy", "y"))
    ]
    lists, notes = open_lists(files, "auto", "auto")
    assert [images.channels for images in lists] == [7, 1]
    assert lists[0].read(0).shape == (4, 5, 7)
    assert [note.partition(",")[0] for note in notes] == [
        "all images of X have 7 channels",
        "all images of Y have one channel",
    ]
    assert open_lists(files, 7, 1)[1] == []
    with refused("mismatch", "data.channels_x"):
        open_lists(files, 3, 1)
