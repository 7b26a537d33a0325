"""HEIC and JPEG XL are read by their libraries, and named where these are missing."""

import sys

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.images import plugins
from cyclegan_tf.images.codecs import probe, read, read_alpha
from cyclegan_tf.images.headers import ImageError
from cyclegan_tf.images.placement import read_placement
from cyclegan_tf.images.stacks import count_images, read_stack
from tests.helpers import image_files
from tests.helpers.errors import refused

pytest.importorskip("pillow_heif", reason='needs pip install ".[phone]"')
pytest.importorskip("pillow_jxl", reason='needs pip install ".[phone]"')
KINDS = {".heic": ("HEIF", {"quality": 100, "chroma": 444}), ".jxl": ("JXL", {"lossless": True})}


@pytest.fixture(params=KINDS)
def written(tmp_path, request):
    def write(planes, **more):
        name, options = KINDS[request.param]
        with (tmp_path / f"a{request.param}").open("wb") as stream:
            image = Image.fromarray(np.squeeze(planes))
            plugins._ready(name, name)
            image.save(stream, name, **options, **more)
        return tmp_path / f"a{request.param}"

    return write


@pytest.mark.parametrize("channels", [1, 3])
def test_colors(written, channels):
    image = image_files.smooth()[..., :channels]
    path = written(image)
    info = probe(path)
    assert (info.format, info.width, info.height, info.bits) == (KINDS[path.suffix][0], 32, 24, 8)
    assert np.abs(read(path, channels).astype(int) - image).max() <= 6


def test_what_a_phone_says(written):
    exif = image_files.exif(6)
    exif[271] = "maker"
    wide = image_files.icc_profile(*image_files.WIDE)
    path = written(image_files.smooth(), exif=exif.tobytes(), icc_profile=wide)
    info, placement = probe(path), read_placement(probe(path))
    assert info.profile == (wide if path.suffix == ".heic" else b"")  # which the other drops
    assert (info.width, info.height) == ((24, 32) if path.suffix == ".heic" else (32, 24))
    found = Image.Exif()
    found.load(placement.exif)
    assert (found[271], 274 in found) == ("maker", False)


def test_alpha(written):
    alpha = np.full((24, 32, 1), 128, np.uint8)
    info = probe(written(np.concatenate([image_files.smooth(), alpha], axis=-1)))
    assert np.abs(read_alpha(info).astype(int) - alpha).max() <= 1


def test_several_images_of_one_file(tmp_path):
    plugins._ready("HEIF", "HEIF")
    first, *others = (Image.fromarray(image_files.noise(32, width)) for width in (32, 32, 48))
    for name, more in (("same", others[:1]), ("other", others)):
        first.save(tmp_path / f"{name}.heic", save_all=True, append_images=more)
    same, other = (probe(tmp_path / f"{name}.heic") for name in ("same", "other"))
    assert (count_images(same, ".tif"), count_images(other, ".tif")) == (2, 3)
    assert len(read_stack(same, 3).images) == 2
    assert read_stack(other, 3) is None


@pytest.mark.parametrize("library", ["pillow_heif", "pillow_jxl"])
def test_without_the_library_the_way_to_get_it_is_named(tmp_path, monkeypatch, library):
    head = b"\0\0\0\x1cftypheic" if library == "pillow_heif" else b"\xff\x0a"
    (tmp_path / "a.png").write_bytes(head + bytes(30))
    plugins._ready.cache_clear()
    monkeypatch.setitem(sys.modules, library, None)
    with refused("unreadable", match=r'pip install "\.\[phone\]"', kind=ImageError):
        probe(tmp_path / "a.png")
    plugins._ready.cache_clear()
