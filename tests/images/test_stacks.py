"""Pages and frames of one size: all read as the first is, and written into a file of as many."""

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.images.codecs import Kept, probe, read
from cyclegan_tf.images.headers import ImageError
from cyclegan_tf.images.pages import full_size_pages
from cyclegan_tf.images.stacks import Stack, count_images, read_stack, require_one, save_stack
from tests.helpers import image_files

tifffile = pytest.importorskip("tifffile", reason="needs the optional library tifffile")

ADAPTIVE = Image.Palette.ADAPTIVE
IMAGEJ = "ImageJ=1.54f\nimages=4\nslices=4\nunit=micron\nspacing=2.0\n"


def write_pages(path, pages, **options):
    with tifffile.TiffWriter(path) as writer:
        for page in pages:
            writer.write(page, metadata=None, **options)
    return path


def noise_pages(count, dtype, channels=1):
    return [image_files.noise(12, 10 + n, channels, dtype)[:, :10] for n in range(count)]


@pytest.mark.parametrize(("dtype", "channels"), [(np.uint8, 1), (np.uint8, 3), (np.uint16, 3)])
def test_every_page_of_a_tiff(tmp_path, dtype, channels):
    pages = noise_pages(4, dtype, channels)
    photometric = "rgb" if channels == 3 else "minisblack"
    path = write_pages(tmp_path / "in.tif", [np.squeeze(p) for p in pages], photometric=photometric)
    info = probe(path)
    assert count_images(info, ".tif") == 4
    stack = read_stack(info, channels)
    for found, page in zip(stack.images, pages, strict=True):
        np.testing.assert_array_equal(found, page)
    save_stack(tmp_path / "out.tif", stack)
    again = read_stack(probe(tmp_path / "out.tif"), channels)
    np.testing.assert_array_equal(again.images, stack.images)


def test_white_of_each_page_is_its_own(tmp_path):
    with tifffile.TiffWriter(tmp_path / "in.tif") as writer:
        for photometric in ("minisblack", "miniswhite"):
            writer.write(np.full((4, 5), 200, np.uint8), photometric=photometric, metadata=None)
    first, second = read_stack(probe(tmp_path / "in.tif"), 1).images
    assert (first[0, 0, 0], second[0, 0, 0]) == (200, 55)


def test_scale_and_description_of_a_microscope(tmp_path):
    pages = np.stack(noise_pages(4, np.uint16))[..., 0]
    scale = {"photometric": "minisblack", "resolution": (6.15, 6.15), "resolutionunit": 1}
    tifffile.imwrite(tmp_path / "in.tif", pages, description=IMAGEJ, metadata=None, **scale)
    save_stack(tmp_path / "out.tif", read_stack(probe(tmp_path / "in.tif"), 1))
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert file.imagej_metadata["spacing"] == 2.0
        assert file.pages[0].resolution == pytest.approx((6.15, 6.15), rel=1e-6)
        starts = [page.dataoffsets[0] for page in file.pages]
    # ImageJ reads no directory but the first
    assert np.diff(starts).tolist() == [pages[0].nbytes] * 3
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), pages)


def test_each_page_keeps_its_own_place_on_earth(tmp_path):
    ties = [(0.0, 0.0, 0.0, 10.0 * n, 50.0, 0.0) for n in range(2)]
    with tifffile.TiffWriter(tmp_path / "in.tif") as writer:
        for page, tie in zip(noise_pages(2, np.uint8), ties, strict=True):
            writer.write(page[..., 0], metadata=None, extratags=[(33922, "d", 6, tie, True)])
    save_stack(tmp_path / "out.tif", read_stack(probe(tmp_path / "in.tif"), 1))
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert [page.tags[33922].value for page in file.pages] == ties


def test_floats_stay_floats(tmp_path):
    pages = [np.full((4, 5), value, np.float32) for value in (0.25, 1)]
    path = write_pages(tmp_path / "in.tif", pages)
    save_stack(tmp_path / "out.tif", read_stack(probe(path), 1), as_float=True)
    found = tifffile.imread(tmp_path / "out.tif")
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, pages, atol=1e-5)


@pytest.mark.parametrize(
    "second",
    [np.zeros((12, 11), np.uint8), np.zeros((12, 10), np.uint16), np.zeros((12, 10), np.int16)],
)
def test_pages_of_other_size_or_kind_are_no_stack(tmp_path, second):
    path = write_pages(tmp_path / "in.tif", [np.zeros((12, 10), np.uint8), second])
    assert read_stack(probe(path), 1) is None


def test_thumbnails_are_left_out(tmp_path):
    pages = noise_pages(3, np.uint8)
    with tifffile.TiffWriter(tmp_path / "in.tif") as writer:
        for page, kind in zip(pages, (0, 1, 0), strict=True):
            writer.write(page[..., 0], subfiletype=kind, metadata=None)
    with (tmp_path / "in.tif").open("rb") as stream:
        assert full_size_pages(stream) == [0, 2]
    np.testing.assert_array_equal(read_stack(probe(tmp_path / "in.tif"), 1).images, pages[::2])


def test_a_damaged_page_is_named(tmp_path):
    path = write_pages(tmp_path / "in.tif", [p[..., 0] for p in noise_pages(3, np.uint8)])
    with tifffile.TiffFile(path) as file:
        tag = file.pages[1].tags["StripOffsets"]
    data = bytearray(path.read_bytes())
    data[tag.valueoffset : tag.valueoffset + 4] = (10**8).to_bytes(4, "little")
    path.write_bytes(data)
    assert read(path, 1).shape == (12, 10, 1)
    with pytest.raises(ImageError, match="page 2 "):
        read_stack(probe(path), 1)


def test_all_together_are_no_larger_than_one_image_may_be(tmp_path):
    info = probe(write_pages(tmp_path / "in.tif", [p[..., 0] for p in noise_pages(3, np.uint8)]))
    assert [count_images(info, ".tif", most) for most in (360, 359)] == [3, 1]
    assert count_images(info, ".png") == 1  # pages have no times


def animation(path, mode="RGB", **options):
    """Three frames, of which a part moves, so that formats store differences."""
    frames = []
    for number in range(3):
        frame = image_files.smooth(16, 16)
        frame[number * 4 : number * 4 + 4] = 40 * number
        frames.append(Image.fromarray(frame).convert(mode, palette=ADAPTIVE))
    first, *others = frames
    first.save(path, save_all=True, append_images=others, duration=[70, 200, 50], **options)
    return path


@pytest.mark.parametrize(("suffix", "mode"), [(".gif", "P"), (".png", "RGB"), (".webp", "RGBA")])
@pytest.mark.parametrize("target", [".png", ".webp", ".tif"])
def test_every_frame_of_an_animation_and_its_time(tmp_path, suffix, mode, target):
    lossless = {"lossless": True} if suffix == ".webp" else {}
    path = animation(tmp_path / f"in{suffix}", mode, loop=3, **lossless)
    info = probe(path)
    assert count_images(info, target) == 3
    stack = read_stack(info, 3)
    np.testing.assert_array_equal(stack.images[0], read(path))
    assert (list(stack.durations_ms), stack.loops) == ([70, 200, 50], 3)
    save_stack(tmp_path / f"out{target}", stack)
    again = read_stack(probe(tmp_path / f"out{target}"), 3)
    if target != ".tif":
        assert (again.durations_ms, again.loops) == (stack.durations_ms, 3)
    for before, after in zip(stack.images, again.images, strict=True):
        difference = np.abs(after.astype(int) - before).mean()
        assert difference < 8 if target == ".webp" else difference == 0


def test_an_animation_holds_gray_or_color(tmp_path):
    stack = Stack([np.zeros((4, 5, 2), np.uint8)] * 2, [10, 10])
    with pytest.raises(ImageError, match="animations hold 1 or 3 channels"):
        save_stack(tmp_path / "out.png", stack)
    assert not (tmp_path / "out.png").exists()


def test_where_one_image_is_wanted_several_are_refused(tmp_path):
    pages = [p[..., 0] for p in noise_pages(2, np.uint8)]
    require_one(probe(write_pages(tmp_path / "one.tif", pages[:1])))
    with pytest.raises(ImageError, match="several pages or frames"):
        require_one(probe(write_pages(tmp_path / "two.tif", pages)))


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_alpha_of_every_frame_is_kept_on_request(tmp_path, suffix):
    frames = [image_files.noise(12, 10, 4, seed=seed) for seed in range(3)]
    for seed, frame in enumerate(frames):
        frame[..., 3] = 100 + 50 * seed
    first, *others = map(Image.fromarray, frames)
    options = {"lossless": True} if suffix == ".webp" else {}
    first.save(tmp_path / f"a{suffix}", save_all=True, append_images=others, **options)
    stack = read_stack(probe(tmp_path / f"a{suffix}"), 3, kept=Kept(alpha=True))
    save_stack(tmp_path / f"b{suffix}", stack)
    with Image.open(tmp_path / f"b{suffix}") as image:
        for number in range(3):
            image.seek(number)
            alpha = np.asarray(image.convert("RGBA"))[..., 3]
            assert np.abs(alpha.astype(int) - (100 + 50 * number)).max() <= 1
