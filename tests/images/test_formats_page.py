"""The table of docs/guides/formats.md is true: every suffix, type, number of channels, page."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import numbers, plugins
from cyclegan_tf.images.codecs import ENCODERS, probe
from cyclegan_tf.images.folders import EXTENSIONS, WRITTEN_SUFFIXES
from cyclegan_tf.images.placement import HOLDS
from cyclegan_tf.images.stacks import count_images
from tests.helpers import image_files

tifffile = pytest.importorskip("tifffile")
imagecodecs = pytest.importorskip("imagecodecs")
pytest.importorskip("pillow_heif")
pytest.importorskip("pillow_jxl")

PAGE = Path(__file__).parents[2] / "docs" / "guides" / "formats.md"
ROWS = [
    (suffix, [cell.strip() for cell in cells[2:7]])
    for line in PAGE.read_text("utf-8").splitlines()
    if line.startswith("| `.")
    for cells in [line.split("|")]
    for suffix in re.findall(r"`(\.\w+)`", cells[1])
]
TYPES = ("uint8", "uint16", "uint32", "int16", "float32", "float64")


def test_every_suffix_has_its_row():
    assert {suffix for suffix, _ in ROWS} == EXTENSIONS
    assert {suffix for suffix, cells in ROWS if cells[1]} == set(WRITTEN_SUFFIXES) == set(ENCODERS)
    for suffix, (_, written, _, kept, _) in ROWS:
        assert set(kept.split()) - {"nothing"} == set(HOLDS.get(suffix, ())), suffix
        assert bool(written) == bool(kept)


def planes(dtype, channels=3):
    image = image_files.smooth()[..., :channels]
    return (image / 255).astype(dtype) if dtype.startswith("float") else image.astype(dtype)


def write(path, dtype):
    """A file of another library; False where there is no such file."""
    image, suffix = planes(dtype), path.suffix
    if suffix == ".npy":
        np.save(path, image)
    elif suffix in (".tif", ".tiff"):
        tifffile.imwrite(path, image, photometric="rgb")
    elif suffix in (".ppm", ".pgm", ".pbm", ".pnm") and dtype in ("uint8", "uint16"):
        depth = 255 if dtype == "uint8" else 65535
        data = image.astype(image.dtype.newbyteorder(">")).tobytes()
        path.write_bytes(b"P6 32 24 %d\n" % depth + data)
    elif suffix == ".jp2" and dtype in ("uint8", "uint16"):
        path.write_bytes(imagecodecs.jpeg2k_encode(image, level=0))
    elif suffix == ".png" and dtype == "uint16":
        path.write_bytes(imagecodecs.png_encode(image))
    elif dtype == "uint8":
        name = {".heic": "HEIF", ".heif": "HEIF", ".jxl": "JXL"}.get(suffix)
        if name:
            plugins._ready(name, name)
        elif suffix in (".jfif", ".jpe"):
            name = "JPEG"
        Image.fromarray(image).save(path, name)
    else:
        return False
    return True


@pytest.mark.parametrize(("suffix", "cells"), ROWS, ids=[suffix for suffix, _ in ROWS])
def test_types_that_are_read(tmp_path, suffix, cells):
    for dtype in TYPES:
        path = tmp_path / f"{dtype}{suffix}"
        if not write(path, dtype):
            assert dtype not in cells[0].split()
            continue
        assert dtype in cells[0].split()
        assert probe(path).dtype == dtype
        found = numbers.read(path, 3).astype(float)
        assert found.shape == (24, 32, 3)
        tolerance = 0 if suffix in (".png", ".tif", ".tiff", ".npy", ".bmp", ".tga", ".jp2") else 40
        np.testing.assert_allclose(found, planes(dtype), atol=tolerance)


@pytest.mark.parametrize(
    ("suffix", "cells"), [row for row in ROWS if row[1][1]], ids=lambda value: str(value)[:5]
)
def test_types_and_channels_that_are_written(tmp_path, suffix, cells):
    for dtype in ("uint8", "uint16", "int16", "float32"):
        for channels in (1, 2, 3, 4, 5):
            image = planes(dtype, channels)
            image = np.concatenate([image] * 2, axis=-1)[..., :channels]
            counts = cells[2].split()
            promised = dtype in cells[1].split() and (str(channels) in counts or "any" in counts)
            path = tmp_path / f"{dtype}{channels}{suffix}"
            try:
                numbers.save(path, image)
            except UserError:
                assert not promised, (dtype, channels)
                continue
            found = probe(path)
            written = found.dtype == dtype and found.channels == channels
            assert written == promised, (dtype, channels)


@pytest.mark.parametrize(("suffix", "cells"), ROWS, ids=[suffix for suffix, _ in ROWS])
def test_pages_and_frames(tmp_path, suffix, cells):
    holds = cells[4]
    pair = [Image.fromarray(image_files.noise(8, 9, seed=seed)) for seed in range(2)]
    if "frames" in holds and suffix not in (".tif", ".tiff"):
        name = "HEIF" if suffix in (".heic", ".heif") else None
        if name:
            plugins._ready(name, name)
        pair[0].save(tmp_path / f"a{suffix}", name, save_all=True, append_images=pair[1:])
        assert count_images(probe(tmp_path / f"a{suffix}"), ".png") == 2
    if cells[1]:  # written
        for kind, source in (("pages", ".tif"), ("frames", ".gif")):
            path = tmp_path / f"b{source}"
            pair[0].save(path, save_all=True, append_images=pair[1:])
            wanted = 2 if kind in holds else 1
            assert count_images(replace(probe(path)), suffix) == wanted, kind
