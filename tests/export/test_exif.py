"""EXIF orientation read by graph operations, against Pillow and our reader."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf.export import exif
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.pixel_values import UPRIGHT

orientation = tf.function(
    exif.orientation, input_signature=[tf.TensorSpec((), tf.string)], autograph=False
)


def jpeg(tag=None, endian="<", before=b"", size=(24, 16), **more):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8))
    tags = Image.Exif()
    tags.endian = endian
    tags[0x010F] = "a maker of cameras"
    if tag is not None:
        tags[0x0112] = tag
    stream = io.BytesIO()
    image.save(stream, "JPEG", exif=tags.tobytes(), **more)
    data = stream.getvalue()
    return data[:2] + before + data[2:]


@pytest.mark.parametrize("tag", range(1, 9))
@pytest.mark.parametrize("endian", ["<", ">"])
def test_all_eight_in_both_byte_orders(tag, endian):
    data = jpeg(tag, endian)
    assert Image.open(io.BytesIO(data)).getexif()[0x0112] == tag
    assert orientation(data).numpy() == tag


def test_behind_other_segments():
    # a comment, and an APP1 that is not EXIF (XMP)
    before = b"\xff\xfe\x00\x09comment" + b"\xff\xe1\x00\x0ahttp:XMP"
    assert orientation(jpeg(6, before=before)).numpy() == 6


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\xff\xd8",
        b"\x89PNG\r\n\x1a\n" + bytes(50),
        jpeg(None),
        jpeg(9),
        jpeg(0),
        jpeg(6)[:30],
        b"\xff\xd8" + b"\xff\xe0\x00\x00" * 40,
        b"\xff\xd8\xff\xe1\xff\xffExif\0\0II*\0\xff\xff\xff\xff",
    ],
    ids=[
        "empty",
        "one byte",
        "start only",
        "PNG",
        "no tag",
        "9",
        "0",
        "cut off",
        "lengths of 0",
        "far directory",
    ],
)
def test_anything_else_is_taken_as_upright(data):
    assert orientation(data).numpy() == 1


def test_no_bytes_crash_it():
    rng, whole = np.random.default_rng(1), jpeg(6)
    for _ in range(150):
        damaged = bytearray(whole[: rng.integers(2, 200)])
        for place in rng.integers(2, len(damaged), 6) if len(damaged) > 2 else ():
            damaged[place] = rng.integers(0, 256)
        assert 1 <= orientation(bytes(damaged)).numpy() <= 8


@pytest.mark.parametrize("tag", range(1, 9))
def test_turned_as_our_reader_turns(tag, tmp_path):
    stored = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    turn = tf.function(exif.upright, autograph=False)
    np.testing.assert_array_equal(turn(stored, tf.constant(tag)), UPRIGHT[tag](stored))
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg(tag))
    decoded = tf.io.decode_jpeg(path.read_bytes(), dct_method="INTEGER_ACCURATE")
    np.testing.assert_array_equal(
        turn(decoded, orientation(path.read_bytes())), image_io.read(path)
    )
