"""What a file says beside its numbers is in its translation, or is said to be lost."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.images import camera_data, profiles
from cyclegan_tf.images.codecs import probe, read
from cyclegan_tf.images.io import save
from cyclegan_tf.images.placement import NOTHING, Placement, read_placement
from cyclegan_tf.images.stacks import read_stack, save_stack
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
    assert set(placement.tags) == {42113}  # true wherever it lies
    assert placement.density[:2] == ((150, 1), (300, 1))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif"])
@pytest.mark.parametrize("source", ["a.png", "a.jpg"])
def test_density(tmp_path, source, suffix):
    image = Image.fromarray(image_files.smooth())
    image.save(tmp_path / source, dpi=(300, 150))
    placement = read_placement(probe(tmp_path / source))
    save(tmp_path / f"b{suffix}", image_files.smooth(), placement=placement)
    with Image.open(tmp_path / f"b{suffix}") as found:
        assert found.info["dpi"] == pytest.approx((300, 150), abs=0.03)
    assert not placement.lost_in(suffix)
    assert placement.lost_in(".npy") == ("a scale",)


@pytest.mark.parametrize(("unit", "density"), [(0, (1, 2)), (1, (300, 150)), (2, (118, 59))])
def test_a_jpeg_keeps_its_unit(tmp_path, unit, density):
    stream = io.BytesIO()
    Image.fromarray(image_files.smooth()).save(stream, "JPEG")
    data = bytearray(stream.getvalue())
    data[13:18] = struct.pack(">BHH", unit, *density)
    (tmp_path / "a.jpg").write_bytes(data)
    save(
        tmp_path / "b.jpg",
        image_files.smooth(),
        placement=read_placement(probe(tmp_path / "a.jpg")),
    )
    assert (tmp_path / "b.jpg").read_bytes()[13:18] == data[13:18]


def test_a_png_keeps_the_scale_of_a_microscope(tmp_path):
    scale = image_files.png_chunk(b"pHYs", struct.pack(">IIB", 6_153_846, 6_153_847, 1))
    row = [bytes(12)] * 3
    image_files.png(tmp_path / "a.png", (4, 3), 8, 2, row, scale)
    placement = read_placement(probe(tmp_path / "a.png"))
    save(tmp_path / "b.png", image_files.noise(3, 4), placement=placement)
    assert scale in (tmp_path / "b.png").read_bytes()
    assert placement.lost_in(".jpg") == ("a scale",)  # 156,308 per inch
    save(tmp_path / "b.tif", image_files.noise(3, 4), placement=placement)
    assert tags(tmp_path / "b.tif")[282] == (3_076_923, 50)


@pytest.fixture(scope="module")
def exif():
    exif = image_files.exif(6)
    exif[271], exif[306], exif[270] = "maker", "2026:11:28 10:00:00", "a barn"
    exif.get_ifd(0x8769)[40962] = 32  # width
    exif.get_ifd(0x8769)[33434] = 0.01  # exposure
    exif.get_ifd(0x8825)[1] = "N"
    return exif


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".tif by rows"])
@pytest.mark.parametrize("source", ["a.jpg", "a.tif"])
def test_exif_but_for_rotation_size_and_thumbnail(tmp_path, exif, source, suffix):
    path, (suffix, *by_rows) = tmp_path / source, suffix.split(" ", 1)
    Image.fromarray(image_files.smooth()).save(path, exif=exif.tobytes())
    placement, image = read_placement(probe(path)), image_files.smooth()
    target = tmp_path / f"b{suffix}"
    if by_rows:
        save_rows(target, iter([image]), image.shape, image.dtype, placement=placement)
    else:
        save(target, image, placement=placement)
    np.testing.assert_allclose(read(target), image, atol=24)
    with Image.open(target) as image:
        found = image.getexif()
        assert [found[tag] for tag in (270, 271, 306)] == [exif[tag] for tag in (270, 271, 306)]
        assert 274 not in found
        assert 40962 not in found.get_ifd(0x8769)
        assert found.get_ifd(0x8769)[33434] == pytest.approx(0.01)
        assert found.get_ifd(0x8825)[1] == "N"
    assert placement.lost_in(".bmp") == ("camera data",)
    assert not placement.lost_in(suffix)


def test_exif_of_a_stack_of_16_bits(tmp_path, exif):
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for seed in range(2):
            page = image_files.noise(4, 5, 3, np.uint16, seed)
            writer.write(page, photometric="rgb", metadata=None)
    with (tmp_path / "a.tif").open("r+b") as stream:
        camera_data.finish_tiff(stream, exif.tobytes())
    stack = read_stack(probe(tmp_path / "a.tif"), 3)
    save_stack(tmp_path / "b.tif", stack)
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert [page.tags.valueof(34853) for page in file.pages] == [{"GPSLatitudeRef": "N"}, None]
        np.testing.assert_array_equal(file.asarray(), stack.images)


SRGB = profiles.srgb()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
@pytest.mark.parametrize("profile", [SRGB, image_files.icc_profile(*image_files.WIDE)])
def test_what_was_read_into_srgb_says_so(tmp_path, suffix, profile):
    Image.fromarray(image_files.smooth()).save(tmp_path / "a.png", icc_profile=profile)
    placement = read_placement(probe(tmp_path / "a.png"))
    for channels in (1, 3):
        target = tmp_path / f"b{channels}{suffix}"
        save(target, image_files.noise(4, 5, channels), placement=placement)
        with Image.open(target) as image:
            assert image.info.get("icc_profile") == (SRGB if channels == 3 else None)
    assert not placement.lost_in(".bmp")


def test_what_says_nothing_or_is_broken_gives_nothing(tmp_path):
    save(tmp_path / "a.npy", image_files.noise())
    assert read_placement(probe(tmp_path / "a.npy")) == NOTHING
    Image.fromarray(image_files.smooth()).save(tmp_path / "a.jpg", exif=b"Exif\0\0broken")
    assert read_placement(probe(tmp_path / "a.jpg")).exif == b""
    tifffile.imwrite(tmp_path / "a.tif", image_files.noise())
    placement = read_placement(probe(tmp_path / "a.tif"))
    assert not placement.lost_in(".npy")
    assert Placement(tags={33550: (12, 1, 0.5)}).lost_in(".png") == ("a place on Earth",)


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
            placement.lost_in(suffix)
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
    assert placement.lost_in(".jpg")
