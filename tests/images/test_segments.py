"""Chunks of PNG and segments of JPEG; tests/serve/test_limits.py compares with the libraries."""

import io
import struct

import pytest
from PIL import Image

from cyclegan_tf.images import segments
from tests.helpers import image_files


def encoded(kind, **options):
    stream = io.BytesIO()
    Image.fromarray(image_files.noise(5, 7)).save(stream, kind, **options)
    return stream.getvalue()


def png_of(*chunks):
    return segments.PNG_SIGNATURE + b"".join(image_files.png_chunk(*chunk) for chunk in chunks)


HEAD = (b"IHDR", struct.pack(">IIBBBBB", 7, 5, 8, 2, 0, 0, 0))


def test_chunks_by_name_and_length_whether_their_data_are_read_or_not():
    data = png_of(HEAD, (b"tEXt", b"some words"), (b"IDAT", b"pixels"), (b"IEND", b"")) + b"more"
    expected = [(b"IHDR", 13), (b"tEXt", 10), (b"IDAT", 6), (b"IEND", 0)]
    assert list(segments.png_chunks(io.BytesIO(data))) == expected
    stream = io.BytesIO(data)
    found = {name: stream.read(length) for name, length in segments.png_chunks(stream)}
    assert found == {HEAD[0]: HEAD[1], b"tEXt": b"some words", b"IDAT": b"pixels", b"IEND": b""}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (png_of((b"tEXt", b"first"), HEAD, (b"IEND", b"")), "must begin with its size"),
        (png_of(HEAD, (b"IDAT", b"pixels")), "the end of the PNG is missing"),
        (png_of(HEAD, (b"IEND", b""))[:-1], "the end of the PNG is missing"),
        (png_of(HEAD, *[(b"tEXt", b"")] * 9, (b"IEND", b"")), "more than 5 chunks"),
        (png_of(HEAD, (b"tRNS", b"ab"), (b"IEND", b"")).replace(b"ab", b"aa"), "of its part tRNS"),
        (png_of(HEAD, (b"tRNS", b"ab"), (b"IEND", b"")).replace(b"tR", b"uR"), "of its part uRNS"),
    ],
)
def test_a_png_that_is_not_whole(data, reason):
    with pytest.raises(ValueError, match=reason):
        segments.png_size(data, max_chunks=5)


def test_sizes():
    assert segments.png_size(encoded("PNG"), max_chunks=9) == (7, 5)
    assert segments.png_size(png_of(HEAD, (b"IEND", b"")), max_chunks=2) == (7, 5)
    for options in ({}, {"progressive": True}):
        assert segments.jpeg_size(encoded("JPEG", **options), max_scans=20) == (7, 5)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (encoded("JPEG", progressive=True), "more than 2 scans"),
        (segments.JPEG_SIGNATURE, "the size or the pixels"),
        (encoded("JPEG").replace(b"\xff\xc0", b"\xff\xe1"), "the size or the pixels"),
        (encoded("JPEG").replace(b"\xff\xda", b"\xff\xd9"), "the size or the pixels"),
    ],
)
def test_a_jpeg_that_is_not_whole(data, reason):
    with pytest.raises(ValueError, match=reason):
        segments.jpeg_size(data, max_scans=2)
