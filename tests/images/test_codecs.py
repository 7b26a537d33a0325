"""Reading: each odd kind of file gives the pixels worked out by hand; broken ones are refused by
name."""

import struct

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf.images.codecs import ENCODERS, Kept, luma, probe, read, read_alpha
from cyclegan_tf.images.headers import ImageError
from cyclegan_tf.images.io import save
from cyclegan_tf.images.placement import Placement
from tests.helpers import image_files
from tests.helpers.errors import refused


@pytest.fixture(scope="module")
def gallery(tmp_path_factory):
    return image_files.gallery(tmp_path_factory.mktemp("gallery"))


def test_every_kind_as_color_and_gray(gallery):
    for name, path in gallery.items():
        color, gray = read(path), read(path, channels=1)
        height, width = (24, 32) if name.endswith(".jpg") else (6, 9)
        if "turned" in name:
            height, width = ((32, 24), (9, 6))[name.endswith(".png")]
        assert color.shape == (height, width, 3), name
        assert gray.shape == (height, width, 1), name
        assert (
            color.dtype
            == gray.dtype
            == (np.uint16 if name.startswith(("deep", "float")) else np.uint8)
        ), name
        assert color.std() > 0, name


@pytest.mark.parametrize(
    "name", ["color.png", "color.bmp", "color.webp", "color.tif", "color.npy", "animated.png"]
)
def test_lossless_color(gallery, name):
    np.testing.assert_array_equal(read(gallery[name]), image_files.noise(6, 9))


@pytest.mark.parametrize("name", ["deep.png", "deep.npy", "float.npy"])
def test_16_bit_color_keeps_every_level(gallery, name):
    np.testing.assert_array_equal(read(gallery[name]), image_files.noise(6, 9, 3, np.uint16))


@pytest.mark.parametrize("name", ["deep_gray.png", "deep_gray.tif", "float.tif"])
def test_16_bit_gray_keeps_every_level(gallery, name):
    expected = image_files.noise(6, 9, 3, np.uint16)[..., :1]
    np.testing.assert_array_equal(read(gallery[name], channels=1), expected)
    np.testing.assert_array_equal(read(gallery[name]), np.repeat(expected, 3, axis=-1))


@pytest.mark.parametrize("name", ["baseline.jpg", "progressive.jpg"])
def test_fast_jpeg_equals_pillow(gallery, name):
    with Image.open(gallery[name]) as image:
        np.testing.assert_array_equal(read(gallery[name]), np.asarray(image))


def test_jpeg_with_something_behind_its_end_is_read_all_the_same(tmp_path, gallery):
    path = tmp_path / "tail.jpg"
    path.write_bytes(gallery["baseline.jpg"].read_bytes() + b"tail")
    np.testing.assert_array_equal(read(path), read(gallery["baseline.jpg"]))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (1, ["rgb", "kyw"]),
        (2, ["bgr", "wyk"]),
        (3, ["wyk", "bgr"]),
        (4, ["kyw", "rgb"]),
        (5, ["rk", "gy", "bw"]),
        (6, ["kr", "yg", "wb"]),
        (7, ["wb", "yg", "kr"]),
        (8, ["bw", "gy", "rk"]),
    ],
)
def test_orientation_by_exif(tmp_path, suffix, orientation, expected):
    path = tmp_path / f"turned{suffix}"
    options = {"lossless": True} if suffix == ".webp" else {}
    Image.fromarray(image_files.ASYMMETRIC).save(
        path, exif=image_files.exif(orientation), **options
    )
    letters = dict(zip("rgbkyw", image_files.ASYMMETRIC.reshape(-1, 3), strict=True))
    np.testing.assert_array_equal(
        read(path), [[letters[letter] for letter in row] for row in expected]
    )


def test_orientation_of_jpeg_and_of_deep_png(tmp_path):
    path = tmp_path / "turned.jpg"
    Image.fromarray(image_files.smooth()).save(
        path, quality=100, subsampling=0, exif=image_files.exif(8)
    )
    expected = np.rot90(image_files.smooth().astype(int))
    assert np.abs(read(path) - expected).max() <= 3
    deep = image_files.noise(6, 9, 3, np.uint16)
    turn = image_files.png_chunk(b"eXIf", image_files.exif(6).tobytes()[6:])
    image_files.png(
        tmp_path / "turned.png", (9, 6), 16, 2, [row.astype(">u2").tobytes() for row in deep], turn
    )
    np.testing.assert_array_equal(read(tmp_path / "turned.png"), np.rot90(deep, -1))


def test_alpha_is_laid_on_white(tmp_path):
    path = tmp_path / "alpha.png"
    Image.fromarray(np.array([[[200, 100, 0, 128], [1, 2, 3, 0], [1, 2, 3, 255]]], np.uint8)).save(
        path
    )
    # (200 * 128 + 255 * 127) / 255 = 227.4, (100 * 128 + 32385) / 255 = 177.2, 32385 / 255 = 127
    assert read(path).tolist() == [[[227, 177, 127], [255, 255, 255], [1, 2, 3]]]
    assert read(path, channels=4)[0, 0].tolist() == [200, 100, 0, 128]
    Image.fromarray(np.array([[[100, 128]]], np.uint8)).save(path)
    assert read(path).tolist() == [[[177, 177, 177]]]
    assert read(path, channels=1).tolist() == [[[177]]]
    assert read(path, channels=2).tolist() == [[[100, 128]]]


def test_alpha_of_16_bits(tmp_path):
    row = struct.pack(">8H", 40000, 0, 65535, 32768, 5, 6, 7, 0)
    path = image_files.png(tmp_path / "alpha.png", (2, 1), 16, 6, [row])
    # (40000 * 32768 + 65535 * 32767) / 65535 = 52767.3; 32767; 65535 * 65535 / 65535
    assert read(path).tolist() == [[[52767, 32767, 65535], [65535, 65535, 65535]]]


def test_palette_with_transparency(tmp_path):
    palette = image_files.png_chunk(b"PLTE", bytes([200, 100, 0, 10, 20, 30, 1, 2, 3]))
    alpha = image_files.png_chunk(b"tRNS", bytes([128, 0]))  # the third entry is opaque
    path = image_files.png(tmp_path / "palette.png", (3, 1), 8, 3, [b"\0\1\2"], palette, alpha)
    assert read(path).tolist() == [[[227, 177, 127], [255, 255, 255], [1, 2, 3]]]


@pytest.mark.parametrize(("bits", "key"), [(8, 7), (4, 7), (16, 7)])
def test_color_key_of_gray(tmp_path, bits, key):
    row = {4: b"\x79", 8: b"\x07\x09", 16: struct.pack(">2H", 7, 9)}[bits]
    path = image_files.png(
        tmp_path / "key.png",
        (2, 1),
        bits,
        0,
        [row],
        image_files.png_chunk(b"tRNS", struct.pack(">H", key)),
    )
    white, other = {4: (255, 9 * 17), 8: (255, 9), 16: (65535, 9)}[bits]
    assert read(path, channels=1).tolist() == [[[white], [other]]]


def test_few_bits_use_the_whole_range(tmp_path):
    assert read(
        image_files.png(tmp_path / "1.png", (3, 1), 1, 0, [b"\xa0"]), 1
    ).ravel().tolist() == [255, 0, 255]
    assert read(
        image_files.png(tmp_path / "2.png", (4, 1), 2, 0, [b"\x1b"]), 1
    ).ravel().tolist() == [0, 85, 170, 255]
    assert read(
        image_files.png(tmp_path / "4.png", (2, 1), 4, 0, [b"\x0f"]), 1
    ).ravel().tolist() == [0, 255]
    for suffix in ("bmp", "tif", "gif"):
        Image.fromarray(np.array([[True, False, True]])).save(tmp_path / f"1.{suffix}")
        assert read(tmp_path / f"1.{suffix}", 1).ravel().tolist() == [255, 0, 255]


def test_significant_bits_of_a_png_change_nothing(tmp_path):
    # Twelve bits, spread over sixteen as the PNG specification asks: white is 65535 already.
    row = struct.pack(">2H", 65535, 4095)
    path = image_files.png(
        tmp_path / "sbit.png", (2, 1), 16, 0, [row], image_files.png_chunk(b"sBIT", b"\x0c")
    )
    assert read(path, 1).ravel().tolist() == [65535, 4095]


def test_inks_of_a_jpeg_against_tensorflow_and_paint(tmp_path):
    path = tmp_path / "inks.jpg"
    inks = np.zeros((16, 32, 4), np.uint8)
    inks[:, :16] = [0, 255, 255, 0]  # red
    inks[:, 16:] = [255, 255, 0, 60]  # blue, a little dark
    Image.fromarray(inks, "CMYK").save(path, quality=100, subsampling=0)
    assert b"Adobe" in path.read_bytes()
    found = read(path).astype(int)
    assert np.abs(found[:, :8] - [255, 0, 0]).max() <= 3
    assert np.abs(found[:, -8:] - [0, 0, 195]).max() <= 3
    # An independent decoder agrees that Adobe's inks are stored upside down.
    other = (
        tf.io.decode_jpeg(path.read_bytes(), channels=3, dct_method="INTEGER_ACCURATE")
        .numpy()
        .astype(int)
    )
    assert np.abs(found - other).max() <= 2
    with refused("unreadable", match=r"4 channels \(CMYK\), and 4 are wanted", kind=ImageError):
        read(path, channels=4)


def test_animations_give_their_first_image(tmp_path):
    first, second = Image.new("RGB", (4, 3), (255, 0, 0)), Image.new("RGB", (4, 3), (0, 0, 255))
    for suffix, options in ((".gif", {}), (".webp", {"lossless": True}), (".png", {})):
        path = tmp_path / f"animated{suffix}"
        first.save(path, save_all=True, append_images=[second], **options)
        with Image.open(path) as image:
            assert image.n_frames == 2
        assert np.unique(read(path).reshape(-1, 3), axis=0).tolist() == [[255, 0, 0]]


def test_gif_with_transparent_color(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "key.gif", transparency=1)
    assert read(tmp_path / "key.gif").tolist() == [[[10, 20, 30], [255, 255, 255]]]


def test_color_becomes_luma_the_same_way_in_every_format(tmp_path):
    expected = [[[76], [150], [29]], [[0], [226], [255]]]  # 0.299 R + 0.587 G + 0.114 B
    for suffix in (".png", ".bmp", ".tif", ".npy"):
        path = tmp_path / f"color{suffix}"
        path.write_bytes(ENCODERS[suffix](image_files.ASYMMETRIC))
        assert read(path, channels=1).tolist() == expected


def test_luma_by_hand_and_gray_stays_gray():
    colors = tf.constant([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], tf.uint8)
    assert luma(colors).numpy().tolist() == [[[76], [150], [29], [255]]]  # 76.2, 149.7, 29.1
    every = np.repeat(np.arange(65536, dtype=np.uint16)[:, None, None], 3, axis=2)
    found = tf.function(luma)(tf.constant(every))
    assert found.dtype == tf.uint16
    np.testing.assert_array_equal(found[..., 0], every[..., 0])


def test_arrays_by_their_number_type(tmp_path):
    def read_array(array, channels):
        np.save(tmp_path / "array.npy", array)
        return read(tmp_path / "array.npy", channels)

    many = image_files.noise(5, 4, 7)
    np.testing.assert_array_equal(read_array(many, 7), many)
    np.testing.assert_array_equal(read_array(np.asfortranarray(many), 7), many)
    assert read_array(np.array([[False, True]]), 1).ravel().tolist() == [0, 255]
    assert read_array(np.array([[0, 513]], ">u2"), 1).ravel().tolist() == [0, 513]
    assert read_array(np.array([[0.0, 1.0]]), 3).tolist() == [[[0] * 3, [65535] * 3]]
    with refused("unreadable", match=r"from -1 to 1, and \[0, 1\] is wanted", kind=ImageError):
        read_array(np.array([[-1.0, 1.0]]), 1)
    with refused(
        "unreadable", match=r"has 7 channels \(uint8\), and 3 are wanted", kind=ImageError
    ):
        read_array(many, 3)
    with pytest.raises(ImageError, match="its channels seem to stand first"):
        read_array(np.zeros((3, 40, 30), np.uint8), 3)


@pytest.mark.parametrize(
    "name",
    [
        "baseline.jpg",
        "progressive.jpg",
        "inks.jpg",
        "color.png",
        "deep.png",
        "palette.png",
        "still.gif",
        "color.bmp",
        "color.webp",
        "color.tif",
        "deep_gray.tif",
        "color.npy",
    ],
)
@pytest.mark.parametrize("keep", [0.97, 0.6])
def test_cut_off_files_are_refused_by_name(tmp_path, gallery, name, keep):
    path = image_files.cut_off(tmp_path / name, gallery[name], keep)
    with refused("unreadable", match=name, kind=ImageError):
        read(path)


@pytest.mark.parametrize("suffix", [".tga", ".jp2", ".ppm", ".avif"])
def test_more_kinds(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    options = {"quality": 100, "subsampling": "4:4:4"} if suffix == ".avif" else {}
    Image.fromarray(image_files.smooth()).save(path, **options)
    tolerance = 3 if suffix == ".avif" else 0
    assert np.abs(read(path).astype(int) - image_files.smooth()).max() <= tolerance


@pytest.mark.parametrize("suffix", [".jfif", ".jpe"])
def test_other_names_of_jpeg(tmp_path, suffix):
    save(tmp_path / f"image{suffix}", image_files.smooth())
    save(tmp_path / "image.jpg", image_files.smooth())
    np.testing.assert_array_equal(read(tmp_path / f"image{suffix}"), read(tmp_path / "image.jpg"))


def test_only_a_name_makes_a_targa(tmp_path):
    Image.fromarray(image_files.noise(4, 4)).save(tmp_path / "a.tga")
    (tmp_path / "a.tga").rename(tmp_path / "a.png")
    with refused("unreadable", str(tmp_path / "a.png")):
        read(tmp_path / "a.png")


def test_damage_in_the_middle_of_a_png(tmp_path, gallery):
    data = bytearray(gallery["color.png"].read_bytes())
    data[len(data) // 2] ^= 255
    path = tmp_path / "flipped.png"
    path.write_bytes(data)
    with refused("unreadable", match=r"flipped\.png: is damaged", kind=ImageError):
        read(path)


def test_limit_holds_when_reading(gallery):
    with refused("unreadable", match="limit is 10", kind=ImageError):
        read(gallery["color.png"], max_pixels=10)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_alpha_there_and_back(tmp_path, suffix, channels):
    alpha = image_files.noise(16, 16, 1)
    alpha[:3] = 0
    planes = np.concatenate([image_files.noise(16, 16, 3), alpha], axis=-1)
    Image.fromarray(planes).save(
        tmp_path / f"a{suffix}", **({"lossless": True} if suffix == ".webp" else {})
    )
    info = probe(tmp_path / f"a{suffix}")
    image, found = read(info.path, 3, kept=Kept(alpha=True)), read_alpha(info)
    np.testing.assert_array_equal(
        image[3:][alpha[3:, :, 0] > 0], planes[3:, ..., :3][alpha[3:, :, 0] > 0]
    )
    assert (image[:3] == 255).all()
    np.testing.assert_array_equal(found, alpha)
    target = tmp_path / f"b{suffix}"
    save(target, image_files.noise(16, 16, channels), placement=Placement(alpha=found))
    np.testing.assert_array_equal(read_alpha(probe(target)), alpha)
    save(tmp_path / "b.jpg", image, placement=Placement(alpha=found))
    assert read_alpha(probe(tmp_path / "b.jpg")) is None


def test_numbers_of_a_profile_stay_on_request(tmp_path):
    wide = image_files.icc_profile(*image_files.WIDE)
    image = image_files.noise()
    Image.fromarray(image).save(tmp_path / "a.png", icc_profile=wide)
    np.testing.assert_array_equal(read(tmp_path / "a.png", kept=Kept(profile=True)), image)
    gray = read(tmp_path / "a.png", 1, kept=Kept(profile=True))  # the profile is for three colors
    np.testing.assert_array_equal(gray, read(tmp_path / "a.png", 1))
