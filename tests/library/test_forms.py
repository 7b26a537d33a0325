"""Images in every form that programs hold them in."""

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.images.ranges import ValueRange
from cyclegan_tf.library import forms
from tests.helpers.errors import refused

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
# ITU-R BT.601 in integers, by hand: 0.299, 0.587, 0.114 times 65536
GRAY = ((RGB.astype(int) @ [19595, 38470, 7471] + 32768) >> 16).astype(np.uint8)[..., None]


def test_a_file_is_read_as_a_viewer_shows_it(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.png")
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        np.testing.assert_array_equal(forms.pixels_of(path, 3), RGB)


@pytest.mark.parametrize(
    "image",
    [RGB, RGB.astype(np.uint16) * 257, Image.fromarray(RGB), RGB / 255, np.float32(RGB / 255)],
    ids=["uint8", "uint16", "Pillow", "float64", "float32"],
)
def test_pixels_and_back_are_the_same_in_the_same_form(image):
    pixels = forms.pixels_of(image, 3)
    np.testing.assert_array_equal(pixels // (257 if pixels.dtype == np.uint16 else 1), RGB)
    back = forms.like(image)(pixels)
    assert type(back) is type(image) or isinstance(back, Image.Image)
    np.testing.assert_allclose(np.asarray(back), np.asarray(image), rtol=0, atol=1e-7)
    assert np.asarray(back).dtype == np.asarray(image).dtype


def test_gray_becomes_color_and_color_gray():
    np.testing.assert_array_equal(forms.pixels_of(RGB, 1), GRAY)
    np.testing.assert_array_equal(forms.pixels_of(GRAY[..., 0], 3), np.repeat(GRAY, 3, -1))
    np.testing.assert_array_equal(forms.pixels_of(Image.fromarray(GRAY[..., 0]), 1), GRAY)


def test_pillow_images_are_laid_on_white_and_turned_upright():
    clear = Image.fromarray(np.dstack([RGB, np.zeros(RGB.shape[:2], np.uint8)]))
    assert (forms.pixels_of(clear, 3) == 255).all()
    turned = Image.fromarray(RGB)
    turned.getexif()[0x0112] = 3  # upside down
    np.testing.assert_array_equal(forms.pixels_of(turned, 3), RGB[::-1, ::-1])


def test_pillow_images_of_16_bits_and_of_1():
    deep = np.array([[0, 65535], [300, 7]], np.uint16)
    np.testing.assert_array_equal(forms.pixels_of(Image.fromarray(deep), 1)[..., 0], deep)
    back = forms.like("a.png")(deep[..., None])
    assert back.mode == "I;16"
    bits = Image.fromarray(np.array([[True, False]]))
    assert forms.pixels_of(bits, 1).ravel().tolist() == [255, 0]


def test_what_pillow_has_no_image_for_comes_as_an_array():
    deep = RGB.astype(np.uint16)
    assert forms.like("a.png")(deep) is deep


@pytest.mark.parametrize(
    ("image", "code", "words"),
    [
        (np.zeros((2, 3, 4, 3), np.uint8), "invalid", r"\(H, W, C\)"),
        (np.zeros((0, 3, 3), np.uint8), "invalid", "0, 3, 3"),
        (RGB.astype(np.int64), "invalid", "int64"),
        (RGB / 127.5 - 1, "invalid", r"\(image \+ 1\) / 2"),
        (np.full((2, 2, 3), np.nan), "invalid", "nan"),
        (np.zeros((4, 4, 5), np.uint8), "mismatch", "5 channels"),
    ],
)
def test_other_things_are_refused(image, code, words):
    with refused(code, "images", match=words):
        forms.pixels_of(image, 3)


def test_numbers_through_a_range(tmp_path):
    scan = np.array([[-1000, 1000, 5000]], np.int16)
    np.save(tmp_path / "a.npy", scan)
    for image in (scan, tmp_path / "a.npy"):
        found = forms.signed_of(image, 1, ValueRange(-1000, 3000, "int16"))
        assert found.tolist() == [[[-1], [0], [1]]]
    with refused("mismatch", "images"):
        forms.signed_of(scan, 3, ValueRange(-1000, 3000, "int16"))
    np.testing.assert_allclose(forms.signed_of(RGB, 3, None), RGB / 127.5 - 1, atol=1e-6)
