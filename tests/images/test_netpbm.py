"""PBM, PGM and PPM by hand: text and binary, any depth."""

import numpy as np
import pytest

from cyclegan_tf.images.codecs import probe, read
from cyclegan_tf.images.netpbm import is_netpbm
from tests.helpers.errors import refused

DEEP = np.array([[[0, 1, 65535], [513, 2, 3]]], ">u2")


@pytest.mark.parametrize(
    ("data", "channels", "expected"),
    [
        (b"P1\n# a\n3 1\n10 1", 1, [[[0], [255], [0]]]),
        (b"P4 9 1\n\x80\x80", 1, [[[0], *[[255]] * 7, [0]]]),
        (b"P2 2 1 # b\n3\n0 1", 1, [[[0], [85]]]),
        (b"P3\n1 1\n15\n0 1 15\n", 3, [[[0, 17, 255]]]),
        (b"P5\n2 1\n255\n\x07\x0a", 1, [[[7], [10]]]),
        (b"P5 2 1 4095 \x00\x01\x0f\xff", 1, [[[16], [65535]]]),
        (b"P6\n#\n2 1\n65535\n" + DEEP.tobytes(), 3, DEEP.tolist()),
    ],
)
def test_by_hand(tmp_path, data, channels, expected):
    path = tmp_path / "a.pnm"
    path.write_bytes(data)
    assert read(path, channels).tolist() == expected
    info = probe(path)
    assert (info.format, info.channels) == ("PNM", channels)


@pytest.mark.parametrize(
    "data",
    [
        b"P6\n2 1\n255\n12345",
        b"P3 1 1 255 1 2",
        b"P5 2 1 0 ab",
        b"P5 2",
        b"P4 9 1\n\x80",
        b"P2 1 1 3 4",
        b"P5 1 1 70000 abcd",
        b"P5 0 1 255 ",
    ],
)
def test_damage_is_refused(tmp_path, data):
    path = tmp_path / "a.ppm"
    path.write_bytes(data)
    with refused("unreadable", str(path)):
        read(path)


def test_only_its_own_first_bytes_are_taken():
    assert is_netpbm(b"P6\n1 1\n2")
    assert not is_netpbm(b"Pf\n1 1\n2")
    assert not is_netpbm(b"P7 WIDTH")
