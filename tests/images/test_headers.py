"""Headers: what each kind of file says about itself, and which are refused before a pixel is
decoded."""

import io
import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import headers
from cyclegan_tf.images.codecs import probe
from cyclegan_tf.images.headers import ImageError, ImageInfo
from tests.helpers import image_files
from tests.helpers.errors import refused

FAST = {
    "baseline.jpg",
    "progressive.jpg",
    "gray.jpg",
    "color.png",
    "gray.png",
    "bitmap.png",
    "palette.png",
}


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    return image_files.gallery(tmp_path_factory.mktemp("gallery"))


def test_fast_are_those_that_tensorflow_decodes_right(gallery):
    assert {name for name, path in gallery.items() if probe(path).fast} == FAST


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("baseline.jpg", ("JPEG", 32, 24, "RGB", 3, 8, 1, False)),
        ("turned.jpg", ("JPEG", 24, 32, "RGB", 3, 8, 6, False)),
        ("inks.jpg", ("JPEG", 32, 24, "CMYK", 4, 8, 1, False)),
        ("gray.png", ("PNG", 9, 6, "L", 1, 8, 1, False)),
        ("palette.png", ("PNG", 9, 6, "P", 3, 8, 1, False)),
        ("alpha.png", ("PNG", 9, 6, "RGBA", 4, 8, 1, True)),
        ("turned.png", ("PNG", 6, 9, "RGB", 3, 8, 8, False)),
        ("deep_gray.png", ("PNG", 9, 6, "L;16", 1, 16, 1, False)),
        ("deep.png", ("PNG", 9, 6, "RGB;16", 3, 16, 1, False)),
        ("animated.gif", ("GIF", 9, 6, "P", 3, 8, 1, False)),
        ("color.webp", ("WEBP", 9, 6, "RGB", 3, 8, 1, False)),
        ("color.bmp", ("BMP", 9, 6, "RGB", 3, 8, 1, False)),
        ("deep_gray.tif", ("TIFF", 9, 6, "I;16", 1, 16, 1, False)),
        ("float.tif", ("TIFF", 9, 6, "F", 1, 32, 1, False)),
        ("deep.npy", ("NPY", 9, 6, "uint16", 3, 16, 1, False)),
        ("float.npy", ("NPY", 9, 6, "float64", 3, 32, 1, False)),
    ],
)
def test_facts(gallery, name, expected):
    info = probe(gallery[name])
    found = (
        info.format,
        info.width,
        info.height,
        info.mode,
        info.channels,
        info.bits,
        info.exif_orientation,
    )
    assert (*found, info.has_alpha) == expected
    assert info.path == gallery[name]


def test_a_color_key_counts_as_alpha(tmp_path):
    key = image_files.png_chunk(b"tRNS", b"\0\7")
    info = probe(image_files.png(tmp_path / "key.png", (2, 1), 8, 0, [b"\7\x09"], key))
    assert (info.channels, info.has_alpha, info.fast) == (2, True, False)


def test_content_decides_not_the_suffix(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.fromarray(image_files.noise()).save(path, "PNG")
    assert probe(path).format == "PNG"


def test_rotation_given_after_the_pixels_of_a_png_is_found(tmp_path, gallery):
    data = gallery["color.png"].read_bytes()
    path = tmp_path / "late.png"
    path.write_bytes(
        data[:-12] + image_files.png_chunk(b"eXIf", image_files.exif(3).tobytes()[6:]) + data[-12:]
    )
    assert probe(path).exif_orientation == 3


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_senseless_rotation_is_none(tmp_path, orientation):
    path = tmp_path / "odd.jpg"
    Image.fromarray(image_files.noise()).save(path, exif=image_files.exif(orientation))
    assert probe(path).exif_orientation == 1


@pytest.mark.filterwarnings(
    "ignore:Corrupt EXIF data:UserWarning"
)  # Pillow's, when it opens such a file
def test_broken_exif_does_not_lose_the_image(tmp_path):
    path = tmp_path / "odd.jpg"
    Image.fromarray(image_files.noise()).save(path, exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert probe(path).exif_orientation == 1


def test_jpeg_without_its_end_is_not_fast_so_that_its_error_has_a_name(tmp_path, gallery):
    path = tmp_path / "tail.jpg"
    path.write_bytes(gallery["baseline.jpg"].read_bytes() + b"appended by some camera")
    assert not probe(path).fast


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.jpg", b"", "is empty"),
        ("pointer.png", b"version https://git-lfs.github.com/spec/v1\nsize 9", "git lfs pull"),
        ("page.jpg", b"<!doctype html>", "is a web page"),
        ("notes.jpg", b"These are not the pixels you are looking for.\n" * 9, "is not an image"),
        ("short.png", b"\x89PNG\r\n\x1a\n", "damaged or cut off"),
        ("short.npy", b"\x93NUMPY\x01\0", "damaged or cut off"),
        ("one.jpg", b"\xff", "is not an image"),
    ],
)
def test_not_an_image(tmp_path, name, content, reason):
    path = tmp_path / name
    path.write_bytes(content)
    with refused("unreadable", match=reason, kind=ImageError) as caught:
        probe(path)
    assert caught.value.path == path
    assert str(caught.value) == f"{path}: {caught.value.reason}"


def test_missing_file_and_folder(tmp_path):
    with refused("unreadable", match="No such file", kind=ImageError):
        probe(tmp_path / "none.png")
    with refused("unreadable", match="cannot be opened", kind=ImageError):
        probe(tmp_path)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    with pytest.raises(ImageError, match="is a pipe"):
        probe(tmp_path / "a.png")


def test_png_without_its_end_is_cut_off(tmp_path, gallery):
    data = gallery["color.png"].read_bytes()
    path = tmp_path / "cut.png"
    for lost in (1, 4, 12, 13, 40, len(data) - 30):
        path.write_bytes(data[:-lost])
        with refused("unreadable", match="cut off", kind=ImageError):
            probe(path)


def test_bombs_are_refused_by_their_headers(tmp_path):
    with refused(
        "unreadable", match=r"100000 x 100000 pixels .* limit is 178,956,970", kind=ImageError
    ):
        probe(image_files.bomb_png(tmp_path / "bomb.png"))
    with refused(
        "unreadable", match=r"10,000,000,000 pixels .* limit is 178,956,970", kind=ImageError
    ):
        probe(image_files.bomb_bmp(tmp_path / "bomb.bmp"))


def test_limit_is_an_argument_and_pillows_own_stays(tmp_path, gallery):
    before = Image.MAX_IMAGE_PIXELS
    large = image_files.bomb_bmp(tmp_path / "large.bmp", 20_000, 20_000)
    assert probe(large, max_pixels=400_000_000).width == 20_000
    for name in ("baseline.jpg", "color.png", "color.tif", "deep.npy"):
        info = probe(gallery[name])
        count = info.width * info.height
        assert probe(gallery[name], max_pixels=count) == info
        with refused("unreadable", match=f"limit is {count - 1}", kind=ImageError):
            probe(gallery[name], max_pixels=count - 1)
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((3, 4), np.complex64), "complex64 values"),
        (np.zeros((2, 3, 4, 5), np.uint8), r"shape \(2, 3, 4, 5\)"),
        (np.zeros(7, np.uint8), r"shape \(7,\)"),
        (np.zeros((0, 4), np.uint8), "has no pixels"),
        (np.array([[None]]), "damaged"),
    ],
)
def test_arrays_that_are_no_images(tmp_path, array, reason):
    path = tmp_path / "array.npy"
    np.save(path, array)
    with refused("unreadable", match=reason, kind=ImageError):
        probe(path)


def test_array_file_shorter_than_its_header_says(tmp_path, gallery):
    with refused("unreadable", match="cut off", kind=ImageError):
        probe(image_files.cut_off(tmp_path / "cut.npy", gallery["color.npy"], 0.9))


@pytest.mark.parametrize(
    ("mode", "channels", "has_alpha", "fitting"),
    [
        ("L", 1, False, {1, 3}),
        ("RGB", 3, False, {1, 3}),
        ("LA", 2, True, {1, 2, 3}),
        ("RGBA", 4, True, {1, 3, 4}),
        ("CMYK", 4, False, {1, 3}),
        ("P", 4, True, {1, 3}),
        ("uint8", 4, False, {4}),
        ("uint8", 2, False, {2}),
        ("uint16", 5, False, {5}),
    ],
)
def test_which_channels_fit(mode, channels, has_alpha, fitting):
    info = ImageInfo(Path("p"), "PNG", 4, 4, mode, channels, has_alpha=has_alpha)
    for wanted in range(1, 7):
        if wanted in fitting:
            info.require_channels(wanted)
        else:
            with refused("unreadable", "p", kind=ImageError):
                info.require_channels(wanted)


def test_image_error_is_the_users_and_travels_between_processes():
    error = ImageError("a/b.png", "is odd")
    assert isinstance(error, UserError)
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.path, again.reason) == ("a/b.png: is odd", Path("a/b.png"), "is odd")


def test_open_with_pillow_refuses_other_formats():
    stream = io.BytesIO()
    Image.fromarray(image_files.noise()).save(stream, "PPM")
    with pytest.raises(OSError, match="cannot identify"):
        headers.open_with_pillow(stream, 10_000)


def test_a_small_gif_of_a_huge_screen_is_refused(tmp_path):
    path = tmp_path / "bomb.gif"
    Image.new("P", (40, 30)).save(path)
    data = bytearray(path.read_bytes())
    data[6:10] = struct.pack("<HH", 13_000, 13_000)
    path.write_bytes(data)
    with pytest.raises(ImageError, match="13000 x 13000 pixels, of which its first frame fills 40"):
        probe(path)
    data[6:10] = struct.pack("<HH", 400, 300)
    path.write_bytes(data)
    assert (probe(path).width, probe(path).height) == (400, 300)
