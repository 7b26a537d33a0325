"""What a file is, by its content; the readers' own headers have tests of their own."""

import subprocess
import sys

import pytest
from PIL import Image

from cyclegan_tf.images.probing import probe, refuse_cut_off
from tests.helpers import image_files
from tests.helpers.errors import refused


def test_the_content_counts_and_not_the_name(tmp_path):
    for name, path in image_files.gallery(tmp_path).items():
        misnamed = path.rename(tmp_path / f"{path.name}.bmp")
        info = probe(misnamed)
        kinds = {"jpg": "JPEG", "tif": "TIFF"}
        suffix = name.rsplit(".", 1)[-1]
        assert info.format == kinds.get(suffix, suffix.upper())
        assert (info.width, info.height) != (0, 0)


@pytest.mark.parametrize("content", [b"notes", b"", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_image_is_one_sentence(tmp_path, content):
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with refused("unreadable", path) as caught:
        probe(path)
    assert "\n" not in str(caught.value)


def test_the_limit_of_pixels(tmp_path):
    path = image_files.bomb_png(tmp_path / "bomb.png")
    with refused("unreadable", path):
        probe(path)
    assert probe(path, 2**48).width == 100_000


def test_a_file_whose_end_is_missing(tmp_path):
    gallery = image_files.gallery(tmp_path)
    for path in gallery.values():
        refuse_cut_off(probe(path))
    for name in ("JPEG", "WEBP", "GIF", "BMP"):
        whole = tmp_path / f"whole.{name.lower()}"
        Image.effect_noise((90, 80), 50).save(whole)
        cut = tmp_path / f"cut.{name.lower()}"
        cut.write_bytes(whole.read_bytes()[:-900])
        with refused("unreadable", cut, match="damaged or cut off"):
            refuse_cut_off(probe(cut))


def test_no_tensorflow_is_imported():
    code = "import sys, cyclegan_tf.images.probing\nassert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
