"""Images are looked at before TensorFlow sees them, and by the same rules."""

import io
import struct
from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf.errors import UserError
from cyclegan_tf.images.training_scale import FULL, TrainingScale
from cyclegan_tf.serve.models.limits import (
    Limits,
    RequestError,
    check_image,
    check_inputs,
    check_shape,
    check_size,
)
from tests.helpers import image_files, tiny_serving

LIMITS = Limits(max_pixels=10_000, max_side=200, max_batch=3)
IMAGES = tf.TensorSpec((None, None, None, 3), tf.float32)
ENCODED = tf.TensorSpec((None,), tf.string)


def encoded(kind, height=5, width=7, **options):
    stream = io.BytesIO()
    Image.fromarray(tiny_serving.image(height, width)).save(stream, kind, **options)
    return stream.getvalue()


def png_of(width, height, *more):
    """A PNG without pixels."""
    head = image_files.png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + b"".join([head, *more, image_files.png_chunk(b"IEND", b"")])


def jpeg_of(width, height):
    """A JPEG whose header is changed."""
    data = bytearray(encoded("JPEG"))
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


def refused(data, limits=LIMITS):
    with pytest.raises(RequestError) as caught:
        check_image(data, "image 2 of 3", limits)
    assert "image 2 of 3" in str(caught.value)
    return caught.value


def size_or_status(data, limits):
    try:
        return check_image(data, "it", limits)
    except RequestError as error:
        return error.status


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize(("height", "width"), [(1, 2), (5, 7), (100, 100), (1, 200), (200, 1)])
def test_the_size_is_read_from_the_header(kind, height, width):
    assert check_image(encoded(kind, height, width), "it", LIMITS) == (width, height)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_single_pixel_is_refused(kind):
    assert size_or_status(encoded(kind, 1, 1), LIMITS) == 400


def test_progressive_and_gray_jpegs_and_interlaced_palettes_are_read():
    assert check_image(encoded("JPEG", 30, 40, progressive=True), "it", LIMITS) == (40, 30)
    stream = io.BytesIO()
    Image.fromarray(tiny_serving.image(6, 8)).convert("P").save(stream, "PNG")
    assert check_image(stream.getvalue(), "it", LIMITS) == (8, 6)


@pytest.mark.parametrize(
    "width_height", [(101, 100), (201, 1), (1, 201), (20_000, 20_000), (65_535, 65_535)]
)
@pytest.mark.parametrize("make", [png_of, jpeg_of])
def test_large_images_are_refused_by_their_header(make, width_height):
    error = refused(make(*width_height))
    assert error.status == 413
    assert f"{width_height[0]} x {width_height[1]}" in error.message


def test_a_png_of_four_billion_columns_is_refused():
    assert refused(png_of(2**32 - 1, 2**32 - 1)).status == 413


@pytest.mark.parametrize("make", [png_of, jpeg_of])
def test_no_pixels_is_no_image(make):
    assert refused(make(0, 5)).status == 400
    assert refused(make(5, 0)).status == 400


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xd9",
        b"\xff\xd8\xff\xe0\x00",
        b"<svg xmlns='http://www.w3.org/2000/svg' width='10' height='10'/>",
        b"<?xml version='1.0'?><svg/>",
        b"GIF89a\x01\x00\x01\x00",
        b"%PDF-1.7",
        bytes(1000),
        encoded("BMP"),
        encoded("GIF"),
        encoded("WEBP"),
        encoded("TIFF"),
    ],
)  # fmt: skip
def test_what_is_no_jpeg_or_png_is_refused(data):
    assert refused(data).status == 400


def test_every_cut_of_a_png_is_noticed():
    whole = encoded("PNG")
    for length in range(len(whole)):
        assert refused(whole[:length]).status == 400


def test_a_jpeg_cut_in_its_header_is_noticed():
    whole = encoded("JPEG")
    for length in range(whole.index(b"\xff\xda")):
        assert refused(whole[:length]).status == 400


def test_a_second_size_does_not_hide_the_first():
    small = image_files.png_chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    assert refused(png_of(50_000, 50_000, small)).status == 413
    data = jpeg_of(50_000, 50_000)
    start = data.index(b"\xff\xc0")
    frame = data[start : start + 19]
    small = frame[:5] + struct.pack(">HH", 1, 1) + frame[9:]
    assert refused(data[:start] + frame + small + data[start + 19 :]).status in (400, 413)
    assert refused(data[:start] + small + data[start:]).status in (400, 413)


def test_endless_scans_and_chunks_are_refused():
    data = encoded("JPEG")
    assert "scans" in refused(data + b"\xff\xda" * 101).message
    assert (
        "chunks" in refused(png_of(5, 5, *[image_files.png_chunk(b"tEXt", b"")] * 70_000)).message
    )


def test_jpeg_sizes_are_those_that_libjpeg_sees():
    """With random bytes changed: where TensorFlow reads a size, we read the same or refuse."""
    rng = np.random.default_rng(5)
    whole, agreed = encoded("JPEG", 30, 40), 0
    header = whole.index(b"\xff\xda") + 10
    for _ in range(1500):
        data = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            at = int(rng.integers(2, header))
            kind = rng.integers(3)
            if kind == 0:
                data[at] = int(
                    rng.choice([0, 0xFF, 0xC0, 0xC2, 0xDA, 0xD8, 0xD0, rng.integers(256)])
                )
            elif kind == 1:
                del data[at : at + int(rng.integers(1, 20))]
            else:
                data[at:at] = bytes([0xFF, *rng.integers(0, 256, rng.integers(1, 12))])
        try:
            height, width, _ = tf.image.extract_jpeg_shape(bytes(data)).numpy()
        except tf.errors.InvalidArgumentError:
            continue
        seen = size_or_status(bytes(data), Limits(max_pixels=2**32, max_side=2**16))
        assert seen in (400, (width, height))
        agreed += seen != 400
    assert agreed > 100


def test_png_sizes_are_those_that_libpng_sees():
    rng = np.random.default_rng(6)
    whole, agreed = encoded("PNG", 6, 8), 0
    chunk = image_files.png_chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 3, 8, 2, 0, 0, 0))
    for _ in range(500):
        data = bytearray(whole)
        if rng.integers(2):
            at = int(rng.choice([8, 33, len(whole) - 12]))
            data[at:at] = (
                chunk if rng.integers(2) else image_files.png_chunk(b"tEXt", bytes(rng.integers(5)))
            )
        else:
            data[int(rng.integers(8, len(data)))] = int(rng.integers(256))
        try:
            shape = tf.io.decode_png(bytes(data), channels=3).numpy().shape
        except tf.errors.InvalidArgumentError:
            continue
        seen = size_or_status(bytes(data), Limits(max_pixels=2**64, max_side=2**32))
        assert seen in (400, shape[1::-1])
        agreed += seen != 400
    assert agreed > 50


@pytest.mark.parametrize(
    ("shape", "status"),
    [((1, 100, 100, 3), None), ((3, 50, 50, 3), None), ((4, 1, 1, 3), 413), ((1, 101, 100, 3), 413),
     ((1, 1, 201, 3), 413), ((2, 100, 51, 3), 413), ((1, 5, 5), 400), ((1, 5, 5, 4), 400), ((0, 5,
     5, 3), 400),
     ((1, 0, 5, 3), 400), ((), 400)],
)  # fmt: skip
def test_shapes_of_numbers(shape, status):
    if status is None:
        check_shape(IMAGES, shape, "images", LIMITS)
        return
    with pytest.raises(RequestError, match="images") as caught:
        check_shape(IMAGES, shape, "images", LIMITS)
    assert caught.value.status == status


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused(bad):
    array = np.zeros((1, 2, 2, 3), np.float32)
    assert check_inputs({"images": IMAGES}, {"images": array}, LIMITS) == 1
    array[0, 1, 1, 2] = bad
    with pytest.raises(RequestError, match="NaN or infinity"):
        check_inputs({"images": IMAGES}, {"images": array}, LIMITS)


def test_every_image_of_a_batch_is_looked_at():
    good, bad = encoded("PNG"), b"<svg/>"
    assert (
        check_inputs(
            {"image_bytes": ENCODED}, {"image_bytes": np.array([good, good], object)}, LIMITS
        )
        == 2
    )
    with pytest.raises(RequestError, match="image 2 of 2"):
        check_inputs(
            {"image_bytes": ENCODED}, {"image_bytes": np.array([good, bad], object)}, LIMITS
        )
    with pytest.raises(RequestError, match="holds 4 images") as caught:
        check_inputs(
            {"image_bytes": ENCODED}, {"image_bytes": np.array([good] * 4, object)}, LIMITS
        )
    assert caught.value.status == 413


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_batch": 0},
        {"max_queue": -1},
        {"timeout_seconds": 0.0},
        {"timeout_seconds": float("nan")},
    ],
)
def test_limits_that_cannot_be(wrong):
    with pytest.raises(UserError) as caught:
        Limits(**wrong)
    assert (caught.value.code, caught.value.field) == ("invalid", f"--{next(iter(wrong))}")
    Limits(max_queue=0)


@pytest.mark.parametrize(
    ("scale", "width", "height", "words"),
    [
        (TrainingScale("area", 64), 300, 200, None),
        (TrainingScale("area", 64), 2, 180, None),
        (TrainingScale("area", 64), 400, 251, "400 x 251 pixels, and the limit is 100,000"),
        (TrainingScale("area", 101), 5, 5, "would see 101 x 101, and the limit is 10,000"),
        # A narrow image would become a long one.
        (TrainingScale("width", 64), 2, 100, "would see 64 x 3200, and the limit is 10,000"),
        (FULL, 101, 100, "would see 101 x 100"),
        (None, 101, 100, "101 x 100 pixels, and the limit is 10,000"),
    ],
)
def test_what_a_network_sees_of_a_large_image_counts(scale, width, height, words):
    limits = replace(LIMITS, max_side=1000, max_image_pixels=100_000, scale=scale)
    if words is None:
        check_size(width, height, "it", limits)
        return
    with pytest.raises(RequestError, match=words) as caught:
        check_size(width, height, "it", limits)
    assert caught.value.status == 413


@pytest.mark.parametrize(
    ("count", "side", "status"), [(2, 150, None), (3, 150, 413), (2, 250, 413)]
)
def test_what_a_network_sees_of_a_batch_counts(count, side, status):
    scaled = TrainingScale("area", 64)
    limits = replace(LIMITS, max_side=1000, max_image_pixels=100_000, scale=scaled)
    if status is None:
        check_shape(IMAGES, (count, side, side, 3), "images", limits)
        return
    with pytest.raises(RequestError, match="send fewer at once") as caught:
        check_shape(IMAGES, (count, side, side, 3), "images", limits)
    assert caught.value.status == status
