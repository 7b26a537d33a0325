"""Decoders' lines are caught and attributed; everything else goes through."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.images import chatter
from cyclegan_tf.images.codecs import read
from tests.helpers import image_files
from tests.helpers.errors import refused

BAD = b"Corrupt JPEG data: bad Huffman code\n"


def test_a_line_is_heard_and_others_pass(capfd):
    def decode():
        os.write(2, b"progress\r" + BAD + b"mine\n")
        return 7

    assert chatter.listen(decode) == (7, [BAD.decode().strip()])
    assert capfd.readouterr().err == "progress\rmine\n" * 2
    assert chatter.listen(lambda: 8) == (8, [])
    os.write(2, BAD)
    assert capfd.readouterr().err.encode() == BAD


def test_the_line_is_of_the_decoder_that_wrote_it(capfd):
    both_run = threading.Barrier(2)
    found = {}

    def run(name, line):
        waits = [both_run]

        def decode():
            if waits:
                waits.pop().wait(10)
            os.write(2, line)
            return name

        found[name] = chatter.listen(decode)

    threads = [threading.Thread(target=run, args=args) for args in (("bad", BAD), ("good", b""))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert found == {"bad": ("bad", [BAD.decode().strip()]), "good": ("good", [])}
    assert capfd.readouterr().err == ""


def test_an_error_goes_through_and_standard_error_is_itself_again(capfd):
    def decode():
        os.write(2, BAD)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        chatter.listen(decode)
    os.write(2, b"after")
    assert capfd.readouterr().err == "after"


def test_where_nothing_can_be_heard_decoders_run_all_the_same(capfd, monkeypatch):
    monkeypatch.delattr(os, "pread")
    assert chatter.listen(lambda: os.write(2, BAD)) == (len(BAD), [])
    assert capfd.readouterr().err.encode() == BAD


def test_what_means_damage():
    line = "Corrupt JPEG data: {} extraneous bytes before marker 0xd9"
    assert chatter.damage([line.format(2)]) is None
    assert chatter.damage([line.format(2), line.format(200)]).startswith("200 extraneous")
    assert chatter.damage([line.format(2).replace("d9", "c4")])
    assert chatter.damage(["TIFFReadDirectory: Warning"]) is None


def jpeg(path, gray=False, **options):
    rng = np.random.default_rng(3)
    noisy = image_files.smooth(64, 96).astype(int) + rng.integers(-20, 21, (64, 96, 3))
    image = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    (image.convert("L") if gray else image).save(path, "JPEG", quality=95, **options)
    return path.read_bytes()


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"gray": True}, {"exif": image_files.exif(6)}],
    ids=["baseline", "progressive", "gray", "turned"],
)
def test_a_jpeg_damaged_in_the_middle_is_refused_by_name(tmp_path, options, capfd):
    path = tmp_path / "a.jpg"
    whole = jpeg(path, **options)
    middle = len(whole) // 2
    noise = image_files.noise(1, 10).tobytes()
    for bad in (
        whole[:middle] + b"\xff\xd9",
        whole[:middle] + noise + whole[middle + len(noise) :],
        whole[:middle] + whole[middle + 400 :],
    ):
        path.write_bytes(bad)
        with refused("unreadable", str(path)):
            read(path)
    for good in (whole, whole + b"\0\0\0\x18ftypmp42" + bytes(500)):
        path.write_bytes(good)
        assert read(path).std() > 0
    assert "JPEG" not in capfd.readouterr().err  # TensorFlow says something of GPUs


def test_what_libjpeg_says_of_a_file_that_it_refuses_is_not_shown(tmp_path, capfd):
    path = tmp_path / "a.jpg"
    whole = bytearray(jpeg(path))
    table = whole.index(b"\xff\xc4")
    whole[table + 5 : table + 21] = b"\xff" * 16
    path.write_bytes(whole)
    with refused("unreadable", str(path)):
        read(path)
    assert "Huffman" not in capfd.readouterr().err


def test_libraries_neither_warn_nor_log(tmp_path):
    code = """
import logging, warnings
from cyclegan_tf.images import headers
logging.getLogger("tifffile").warning("log")
logging.getLogger("PIL.TiffImagePlugin").error("log")
warnings.warn_explicit("corrupt", UserWarning, "TiffImagePlugin.py", 1, "PIL.TiffImagePlugin")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
