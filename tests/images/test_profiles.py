"""Colors of other spaces are read as sRGB: within two values of 255 of what LittleCMS gives."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from cyclegan_tf.images import profiles
from cyclegan_tf.images.codecs import probe, read
from cyclegan_tf.images.strips import TiffRows, open_rows
from tests.helpers import image_files

WIDE = image_files.icc_profile(*image_files.WIDE)
DARK_GRAY = image_files.icc_profile(gamma=1.8)
COLORS = np.array([[(60, 180, 75), (200, 60, 40)], [(40, 60, 200), (128, 128, 128)]], np.uint8)
PATCHES = COLORS.repeat(32, 0).repeat(32, 1)


def converted(image: np.ndarray, profile: bytes) -> np.ndarray:
    found = ImageCms.profileToProfile(
        Image.fromarray(image),
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        outputMode="RGB",
    )
    return np.asarray(found).astype(int)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".webp", ".avif"])
def test_wide_colors_become_those_of_srgb(tmp_path, suffix):
    path = tmp_path / f"wide{suffix}"
    options = {
        ".jpg": {"quality": 98, "subsampling": 0},
        ".webp": {"lossless": True},
        ".avif": {"quality": 100, "subsampling": "4:4:4"},
    }.get(suffix, {})
    Image.fromarray(PATCHES).save(path, icc_profile=WIDE, **options)
    Image.fromarray(PATCHES).save(tmp_path / f"plain{suffix}", **options)
    assert (probe(path).profile, probe(path).fast) == (WIDE, False)
    stored = read(tmp_path / f"plain{suffix}")
    expected = converted(stored, WIDE)
    assert np.abs(expected - stored).max() > 20  # or nothing would be proved
    assert np.abs(read(path) - expected).max() <= 2
    assert np.abs(stored.astype(int) - PATCHES).max() <= 3


def test_srgb_and_broken_profiles_change_nothing(tmp_path):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, b"broken", DARK_GRAY):
        path = tmp_path / "a.jpg"
        Image.fromarray(PATCHES).save(path, icc_profile=profile)
        Image.fromarray(PATCHES).save(tmp_path / "plain.jpg")
        np.testing.assert_array_equal(read(path), read(tmp_path / "plain.jpg"))
    assert profiles.unless_srgb(srgb) == profiles.unless_srgb(None) == b""
    assert profiles.of_png(b"no zero") == profiles.of_png(b"a\0\0no zlib") == b""


def test_gray_of_another_gamma(tmp_path):
    path = tmp_path / "gray.png"
    ramp = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(ramp).save(path, icc_profile=DARK_GRAY)
    expected = converted(ramp, DARK_GRAY)[..., :1]
    assert np.abs(expected[..., 0] - ramp).max() > 10
    assert np.abs(read(path, 1) - expected).max() <= 1


@pytest.mark.parametrize("channels", [1, 3])
def test_16_bits_stay_16_bits(channels):
    profile = WIDE if channels == 3 else DARK_GRAY
    deep = image_files.noise(40, 41, channels, np.uint16)
    found = profiles.to_srgb(deep, profile)
    shallow = (deep >> 8).astype(np.uint8)
    expected = converted(np.squeeze(shallow), profile)[..., :channels]
    assert found.dtype == np.uint16
    assert np.mean(np.abs(found / 257 - expected)) < 1.5
    fine = np.repeat(np.arange(30000, 30100, dtype=np.uint16)[:, None, None], channels, axis=-1)
    steps = np.diff(profiles.to_srgb(fine, profile).astype(int), axis=0)
    assert (steps >= 0).all()
    assert (steps > 0).any(axis=-1).mean() > 0.5


def test_inks_of_16_bits_are_those_of_8(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    y, x = np.mgrid[:64, :64] * 4
    inks = np.stack([x, y, 255 - x, (255 - y) // 2], -1).astype(np.uint8)
    options = {"photometric": "separated", "iccprofile": image_files.ink_profile()}
    for dtype, factor in ((np.uint8, 1), (np.uint16, 257)):
        path = tmp_path / f"{factor}.tif"
        tifffile.imwrite(path, inks.astype(dtype) * factor, metadata=None, **options)
    shallow, deep = (read(tmp_path / f"{factor}.tif") for factor in (1, 257))
    by_hand = ImageCms.profileToProfile(
        Image.fromarray(inks, "CMYK"),
        ImageCms.ImageCmsProfile(io.BytesIO(image_files.ink_profile())),
        ImageCms.createProfile("sRGB"),
        outputMode="RGB",
    )
    np.testing.assert_array_equal(shallow, by_hand)
    assert deep.dtype == np.uint16
    difference = np.abs(deep / 257 - shallow)
    assert difference.max() <= 2
    tifffile.imwrite(tmp_path / "none.tif", inks, photometric="separated", metadata=None)
    assert np.abs(read(tmp_path / "none.tif").astype(int) - shallow).max() > 20


def test_alpha_stays(tmp_path):
    alpha = np.full((64, 64, 1), 128, np.uint8)
    planes = profiles.to_srgb(np.dstack([PATCHES, alpha]), WIDE)
    np.testing.assert_array_equal(planes[..., 3:], alpha)
    assert np.abs(planes[..., :3] - converted(PATCHES, WIDE)).max() <= 2
    np.testing.assert_array_equal(profiles.to_srgb(alpha, WIDE), alpha)


def test_by_strips(tmp_path):
    pytest.importorskip("tifffile")
    path = tmp_path / "wide.tif"
    Image.fromarray(PATCHES).save(path, icc_profile=WIDE)
    with open_rows(path, 3) as image:
        assert isinstance(image, TiffRows)
        np.testing.assert_array_equal(image.read(3, 50), read(path)[3:50])
