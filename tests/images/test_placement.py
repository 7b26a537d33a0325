"""Place and scale of a file are in its translation, or are said to be lost."""

import struct

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from cyclegan_tf.images.codecs import probe, read
from cyclegan_tf.images.io import save
from cyclegan_tf.images.placement import NOTHING, Placement, read_placement
from cyclegan_tf.images.strips import save_rows
from tests.helpers import image_files

tifffile = pytest.importorskip("tifffile", reason="needs the optional library tifffile")

GEO = [
    (33550, 12, 3, (0.5, 0.5, 0.0), True),
    (33922, 12, 6, (0.0, 0.0, 0.0, 443000.0, 4810000.0, 0.0), True),
    (34735, 3, 8, (1, 1, 0, 1, 1024, 0, 1, 1), True),
    (34737, 2, 0, "WGS 84 / UTM zone 33N|", True),
    (42113, 2, 0, "0", True),
]


def tags(path):
    with tifffile.TiffFile(path) as file:
        found = file.pages[0].tags
        return {
            code: found.valueof(code)
            for code in (270, 282, 283, 296, *(entry[0] for entry in GEO))
            if code in found
        }


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("by_rows", [False, True])
def test_a_place_on_earth_is_kept(tmp_path, dtype, by_rows):
    source, target = tmp_path / "a.tif", tmp_path / "b.tif"
    image = image_files.noise(20, 24, 3, dtype)
    options = {"photometric": "rgb", "extratags": GEO, "metadata": None}
    tifffile.imwrite(source, image, resolution=(300, 150), resolutionunit=3, **options)
    placement = read_placement(probe(source))
    if by_rows:
        save_rows(target, iter([image]), image.shape, image.dtype, placement=placement)
    else:
        save(target, image, placement=placement)
    assert tags(target) == tags(source)
    assert len(tags(target)) == 8
    np.testing.assert_array_equal(read(target), image)


@pytest.mark.parametrize("channels", [1, 3])
def test_a_microscope_says_its_scale(tmp_path, channels):
    source, target = tmp_path / "a.tif", tmp_path / "b.tif"
    image = image_files.noise(20, 24, 1)[..., 0]
    tifffile.imwrite(
        source, image, imagej=True, resolution=(1 / 0.1625,) * 2, metadata={"unit": "um"}
    )
    save(target, image_files.noise(20, 24, channels), placement=read_placement(probe(source)))
    expected = tags(source)
    if channels == 3:
        del expected[270]  # it says how many channels there are
    assert tags(target) == expected


def test_a_turned_image_lies_elsewhere(tmp_path):
    tifffile.imwrite(
        tmp_path / "a.tif",
        image_files.noise(20, 24, 3, np.uint16),
        photometric="rgb",
        extratags=[*GEO, (274, 3, 1, 6, True)],
        resolution=(300, 150),
        metadata=None,
    )
    placement = read_placement(probe(tmp_path / "a.tif"))
    assert (placement.tags, placement.density[:2]) == ({}, ((150, 1), (300, 1)))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
@pytest.mark.parametrize("source", ["a.png", "a.jpg"])
def test_density(tmp_path, source, suffix):
    image = Image.fromarray(image_files.smooth())
    image.save(tmp_path / source, dpi=(300, 150))
    placement = read_placement(probe(tmp_path / source))
    save(tmp_path / f"b{suffix}", image_files.smooth(), placement=placement)
    with Image.open(tmp_path / f"b{suffix}") as found:
        assert found.info["dpi"] == pytest.approx((300, 150), abs=0.03)
    assert not placement.is_lost_in(suffix)
    assert placement.is_lost_in(".npy")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_exif_but_for_rotation_size_and_thumbnail(tmp_path, suffix):
    exif = image_files.exif(6)
    exif[271], exif[306] = "maker", "2026:11:28 10:00:00"
    exif.get_ifd(0x8769)[40962] = 32  # width
    exif.get_ifd(0x8769)[33434] = 0.01  # exposure
    exif.get_ifd(0x8825)[1] = "N"
    Image.fromarray(image_files.smooth()).save(tmp_path / "a.jpg", exif=exif)
    placement = read_placement(probe(tmp_path / "a.jpg"))
    target = tmp_path / f"b{suffix}"
    save(target, image_files.smooth(), placement=placement)
    with Image.open(target) as image:
        found = image.getexif()
        assert (found[271], found[306]) == ("maker", "2026:11:28 10:00:00")
        assert 274 not in found
        assert set(found.get_ifd(0x8769)) == {33434}
        assert found.get_ifd(0x8825)[1] == "N"
    assert placement.is_lost_in(".bmp")
    assert placement.is_lost_in(".tif")
    assert not placement.is_lost_in(suffix)


def test_exif_of_a_tiff_is_said_to_be_lost(tmp_path):
    exif = TiffImagePlugin.ImageFileDirectory_v2()
    exif[0x8769] = {33434: 0.01}  # exposure
    for name, options in (("with", {"tiffinfo": exif}), ("without", {})):
        Image.fromarray(image_files.smooth()).save(tmp_path / f"{name}.tif", **options)
        placement = read_placement(probe(tmp_path / f"{name}.tif"))
        assert {placement.is_lost_in(suffix) for suffix in (".tif", ".jpg")} == {name == "with"}


def test_what_says_nothing_or_is_broken_gives_nothing(tmp_path):
    save(tmp_path / "a.npy", image_files.noise())
    assert read_placement(probe(tmp_path / "a.npy")) == NOTHING
    Image.fromarray(image_files.smooth()).save(tmp_path / "a.jpg", exif=b"Exif\0\0broken")
    assert read_placement(probe(tmp_path / "a.jpg")).exif == b""
    tifffile.imwrite(tmp_path / "a.tif", image_files.noise())
    placement = read_placement(probe(tmp_path / "a.tif"))
    assert not placement.is_lost_in(".npy")
    assert Placement(tags={33550: (12, 1, 0.5)}).is_lost_in(".png")


@pytest.mark.parametrize("suffix", [".npy", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
def test_floats_are_written(tmp_path, suffix, channels):
    image = image_files.noise(20, 24, channels, np.uint16)
    for number, write in enumerate(
        (
            lambda path: save(path, image, as_float=True),
            lambda path: save_rows(path, [image], image.shape, image.dtype, as_float=True),
        )
    ):
        path = tmp_path / f"{number}{suffix}"
        write(path)
        assert probe(path).is_float
        np.testing.assert_array_equal(read(path, channels), image)
    save(tmp_path / "a.png", image, as_float=True)
    np.testing.assert_array_equal(read(tmp_path / "a.png", channels), image)


def test_damaged_tags_lose_no_image(tmp_path):
    source, image = tmp_path / "a.tif", image_files.noise(4, 4, 3)
    options = {"photometric": "rgb", "extratags": GEO, "metadata": None}
    tifffile.imwrite(source, image, resolution=(300, 150), resolutionunit=3, **options)
    sound, info, rng = source.read_bytes(), probe(source), np.random.default_rng(0)
    first, count = struct.unpack_from("<I", sound, 4)[0], 0
    for place in range(first + 2, first + 2 + 12 * struct.unpack_from("<H", sound, first)[0]):
        damaged = bytearray(sound)
        damaged[place] ^= int(rng.integers(1, 8))
        source.write_bytes(damaged)
        placement = read_placement(info)
        count += placement != NOTHING
        for suffix in (".tif", ".jpg", ".png", ".bmp"):
            placement.is_lost_in(suffix)
            save(tmp_path / f"b{suffix}", image, placement=placement)
    assert count


def test_a_density_of_many_numbers_is_none(tmp_path):
    source = tmp_path / "a.tif"
    tifffile.imwrite(source, image_files.noise(4, 4, 3), photometric="rgb", resolution=(300, 150))
    content, info = bytearray(source.read_bytes()), probe(source)
    assert read_placement(info).density is not None
    content[content.index(struct.pack("<HHI", 282, 5, 1)) + 4] = 2
    source.write_bytes(content)
    assert read_placement(info).density is None


@pytest.mark.parametrize(
    "placement",
    [
        Placement(density=((4_000_000_000, 1), (300, 1), 2)),
        Placement(exif=b"Exif\0\0MM" + bytes(70_000)),
    ],
    ids=["density", "exif"],
)
def test_what_a_jpeg_cannot_hold_is_said_to_be_lost(tmp_path, placement):
    save(tmp_path / "a.jpg", image_files.noise(4, 4, 3), placement=placement)
    assert placement.is_lost_in(".jpg")
