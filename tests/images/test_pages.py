"""Stacks and animations are known by their headers; maps' smaller copies are no pages."""

import io

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.images.codecs import probe
from cyclegan_tf.images.pages import has_more_pages
from tests.helpers import image_files

tifffile = pytest.importorskip("tifffile", reason="needs the optional library tifffile")


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"byteorder": ">"}, {"imagej": True}])
def test_stacks(tmp_path, options):
    pages = np.moveaxis(image_files.noise(5, 4, 3), -1, 0)
    for count, expected in ((1, False), (3, True)):
        path = tmp_path / f"{count}.tif"
        tifffile.imwrite(path, pages[:count], photometric="minisblack", **options)
        assert probe(path).more_pages is expected


def test_an_imagej_stack_in_one_directory():
    stream = io.BytesIO()
    text = "ImageJ=1.54\nimages=7\nslices=7\n"
    image = image_files.noise(5, 4, 1)
    tifffile.imwrite(stream, image, description=text, metadata=None)
    assert has_more_pages(stream)


def test_smaller_copies_are_no_pages(tmp_path):
    with tifffile.TiffWriter(tmp_path / "map.tif") as writer:
        for kind in (0, 1, 1):
            writer.write(image_files.noise(5, 4, 3), subfiletype=kind, photometric="rgb")
    assert not probe(tmp_path / "map.tif").more_pages


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".avif", ".tif"])
def test_animations(tmp_path, suffix):
    first, second = Image.new("RGB", (16, 16), "red"), Image.new("RGB", (16, 16), "blue")
    first.save(tmp_path / f"still{suffix}")
    first.save(tmp_path / f"moving{suffix}", save_all=True, append_images=[second])
    assert not probe(tmp_path / f"still{suffix}").more_pages
    assert probe(tmp_path / f"moving{suffix}").more_pages


def test_directories_in_a_circle_or_cut_off():
    assert not has_more_pages(io.BytesIO(b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0"))
    assert not has_more_pages(io.BytesIO(b"II*\0\x08\0\0\0\x05"))
    assert not has_more_pages(io.BytesIO(b"II*\0"))
