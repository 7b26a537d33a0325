"""JPEG 2000 keeps its depth."""

import sys

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.images.codecs import probe, read
from tests.helpers import image_files
from tests.helpers.errors import refused

imagecodecs = pytest.importorskip("imagecodecs", reason="needs the optional library imagecodecs")


@pytest.mark.parametrize("bits", [12, 16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["jp2", "j2k"])
def test_deep_files_keep_every_level(tmp_path, bits, channels, kind):
    values = image_files.noise(40, 33, channels, np.uint16) >> (16 - bits)
    path = tmp_path / "deep.jp2"
    options = {"bitspersample": bits, "reversible": True, "level": 0, "codecformat": kind}
    path.write_bytes(imagecodecs.jpeg2k_encode(np.squeeze(values), **options))
    info = probe(path)
    assert (info.format, info.width, info.height, info.bits) == ("JPEG2000", 33, 40, 16)
    expected = np.rint(values / (2**bits - 1) * 65535)
    assert np.abs(read(path, channels) - expected).max() <= 0.5


def test_8_bits_need_no_library(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    path = tmp_path / "color.jp2"
    Image.fromarray(image_files.noise(40, 33)).save(path)
    np.testing.assert_array_equal(read(path), image_files.noise(40, 33))


def test_what_cannot_be_read_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "deep.jp2"
    deep = image_files.noise(40, 33, 1, np.uint16)[..., 0]
    whole = imagecodecs.jpeg2k_encode(deep, reversible=True, level=0)
    path.write_bytes(whole[: len(whole) // 2])
    with refused("unreadable", str(path)):
        read(path)
    path.write_bytes(imagecodecs.jpeg2k_encode(deep.astype(np.int16), reversible=True, level=0))
    with refused("unreadable", str(path)):
        probe(path)
    path.write_bytes(whole)
    monkeypatch.setitem(sys.modules, "imagecodecs", None)
    with refused("unreadable", str(path)):
        probe(path)
