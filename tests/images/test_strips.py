"""Images by rows: the pixels that reading the whole gives, and only as much of a file as is asked
for."""

import importlib.util

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.strips import TiffRows, WholeImage, open_rows, require_writer, save_rows
from tests.helpers import image_files, preloaded
from tests.helpers.errors import refused

tifffile = pytest.importorskip("tifffile", reason="needs the optional library tifffile")

WINDOWS = [(0, 1), (0, 40), (13, 14), (15, 33), (39, 40)]
STORED = {
    "strips": {"rowsperstrip": 7},
    "one strip": {"rowsperstrip": 40},
    "compressed strips": {"rowsperstrip": 7, "compression": "zlib", "predictor": True},
    "lzw": {"rowsperstrip": 16, "compression": "lzw"},
    "tiles": {"tile": (16, 16)},
    "compressed tiles": {"tile": (16, 32), "compression": "zlib"},
    "big": {"bigtiff": True, "rowsperstrip": 3},
    "other byte order": {"byteorder": ">", "rowsperstrip": 9},
}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("kind", STORED)
def test_a_tiff_is_read_by_pieces(tmp_path, kind, dtype):
    values = image_files.noise(40, 37, 3, dtype)
    tifffile.imwrite(tmp_path / "p.tif", values, photometric="rgb", **STORED[kind])
    with open_rows(tmp_path / "p.tif", 3) as image:
        assert isinstance(image, TiffRows)
        assert (image.height, image.width, image.channels, image.dtype) == (40, 37, 3, dtype)
        for top, bottom in WINDOWS:
            np.testing.assert_array_equal(image.read(top, bottom), values[top:bottom])


def test_gray_is_repeated_and_pillows_own_tiff_is_read_by_pieces(tmp_path):
    values = image_files.noise(40, 37, 1)
    Image.fromarray(values[..., 0]).save(tmp_path / "p.tif", compression="tiff_deflate")
    for channels in (1, 3):
        with open_rows(tmp_path / "p.tif", channels) as image:
            assert isinstance(image, TiffRows)
            np.testing.assert_array_equal(
                image.read(5, 21), np.repeat(values[5:21], channels, axis=-1)
            )


@pytest.mark.parametrize(
    "options",
    [
        {"photometric": "miniswhite"},
        {"photometric": "minisblack", "extratags": [(274, 3, 1, 6, True)]},  # lies on its side
        {"photometric": "minisblack", "extratags": [(281, 3, 1, 1023, True)]},  # white is 1023
    ],
)
def test_a_tiff_that_rows_alone_do_not_give_is_decoded_whole(tmp_path, options):
    values = image_files.noise(40, 37, 1, np.uint16)[..., 0] % 1024
    tifffile.imwrite(tmp_path / "p.tif", values, **options)
    with open_rows(tmp_path / "p.tif", 3) as image:
        assert isinstance(image, WholeImage)
        np.testing.assert_array_equal(
            image.read(0, image.height), image_io.read(tmp_path / "p.tif")
        )


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.npy", "alpha.tif"])
def test_other_kinds_are_as_read(tmp_path, name):
    if name == "alpha.tif":
        Image.fromarray(image_files.noise(20, 30, 4)).save(tmp_path / name)
    else:
        image_io.save(tmp_path / name, image_files.noise(20, 30))
    with open_rows(tmp_path / name, 3) as image:
        assert (image.height, image.width, image.channels, image.dtype) == (20, 30, 3, np.uint8)
        np.testing.assert_array_equal(image.read(3, 17), image_io.read(tmp_path / name)[3:17])


def test_a_tiff_by_strips_may_have_any_size_and_others_keep_the_limit(tmp_path, monkeypatch):
    values = image_files.noise(40, 40)
    tifffile.imwrite(tmp_path / "p.tif", values, photometric="rgb", rowsperstrip=8)
    image_io.save(tmp_path / "p.png", values)
    monkeypatch.setattr(image_io.read, "__defaults__", (3, 1000))
    with open_rows(tmp_path / "p.tif", 3) as image:
        np.testing.assert_array_equal(image.read(0, 40), values)
    with (
        refused("unreadable", match="has 40 x 40 pixels by its header", kind=image_io.ImageError),
        open_rows(tmp_path / "p.png", 3),
    ):
        pass


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_damaged_tiff_is_named(tmp_path, compression):
    path = tmp_path / "p.tif"
    tifffile.imwrite(
        path, image_files.noise(40, 40), photometric="rgb", rowsperstrip=8, compression=compression
    )
    with tifffile.TiffFile(path) as file:
        offset = file.pages[0].dataoffsets[3]
    data = path.read_bytes()
    path.write_bytes(data[:offset] + (b"" if compression is None else b"\0" * (len(data) - offset)))
    with open_rows(path, 3) as image:
        image.read(0, 24)
        with refused(
            "unreadable", match=r"p\.tif: is damaged or cut off", kind=image_io.ImageError
        ):
            image.read(24, 40)


def parts(values, sizes=(1, 9, 30)):
    top = 0
    for size in sizes:
        yield values[top : top + size]
        top += size


@pytest.mark.parametrize("name", ["o.tif", "o.tiff", "o.png", "o.npy", "new/folder/o.tif"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_what_is_written_by_rows_is_read_back(tmp_path, name, channels, dtype):
    values = image_files.noise(40, 37, channels, dtype)
    save_rows(tmp_path / name, parts(values), values.shape, values.dtype)
    read = image_io.read(tmp_path / name, channels)
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, values)
    assert [path.name for path in (tmp_path / name).parent.iterdir() if path.is_file()] == [
        name.rpartition("/")[2]
    ]


def test_a_tiff_that_fails_midway_leaves_what_was_there(tmp_path):
    (tmp_path / "o.tif").write_bytes(b"mine")

    def failing():
        yield image_files.noise(20, 37)
        raise UserError("the well is dry.")

    with refused("invalid", match="the well is dry"):
        save_rows(tmp_path / "o.tif", failing(), (40, 37, 3), np.dtype(np.uint8))
    assert [path.name for path in tmp_path.iterdir()] == ["o.tif"]
    assert (tmp_path / "o.tif").read_bytes() == b"mine"


def test_without_tifffile_tiffs_are_read_whole_and_writing_one_says_what_is_missing(
    tmp_path, monkeypatch
):
    values = image_files.noise(20, 20)
    image_io.save(tmp_path / "p.tif", values)
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "tifffile" else find(name)
    )
    with open_rows(tmp_path / "p.tif", 3) as image:
        assert isinstance(image, WholeImage)
        np.testing.assert_array_equal(image.read(0, 20), values)
    require_writer(tmp_path / "o.png")
    with refused("dependency", match=r'pip install "\.\[tiff\]"'):
        save_rows(tmp_path / "o.tif", parts(values), values.shape, values.dtype)


COPY = """
from pathlib import Path
from benchmarks.machine import most_held_bytes
from cyclegan_tf.images.strips import open_rows, save_rows
for source in map(Path, {sources}):
    with open_rows(source, 3) as image:
        before = most_held_bytes()
        assert before, "this system does not tell"
        rows = (image.read(top, top + 64) for top in range(0, image.height, 64))
        save_rows(source.with_suffix(".tiff"), rows, (image.height, image.width, 3), image.dtype)
    print(most_held_bytes() - before)
"""


@pytest.mark.slow
def test_memory_does_not_hold_the_image(tmp_path):
    """48 MiB of pixels pass through a process that grows by less than a third of them."""
    block = image_files.noise(64, 2048)
    values = np.tile(block, (128, 1, 1))
    # the first is all one strip, as careless writers leave it
    for name, options in {
        "a.tif": {"rowsperstrip": len(values)},
        "b.tif": {"compression": "zlib"},
    }.items():
        tifffile.imwrite(
            tmp_path / name, values, photometric="rgb", **{"rowsperstrip": 64, **options}
        )
    sources = [str(tmp_path / name) for name in ("a.tif", "b.tif")]
    status, said = preloaded.run_code(COPY.format(sources=sources), tmp_path)
    assert status == 0, said
    grown = [int(line) for line in said.splitlines()]
    assert len(grown) == 2
    assert max(grown) < 16 * 2**20
    for name in ("a.tiff", "b.tiff"):
        with open_rows(tmp_path / name, 3) as image:
            np.testing.assert_array_equal(
                image.read(64 * 127 - 5, 64 * 128 - 5), np.roll(block, 5, axis=0)
            )


def test_what_tifffile_cannot_open_is_left_to_pillow(tmp_path, monkeypatch):
    path = tmp_path / "damaged.tif"
    values = image_files.noise(40, 37)
    image_io.save(path, values)

    def refuse(_path):
        raise tifffile.TiffFileError("corrupt tag list")

    monkeypatch.setattr(tifffile, "TiffFile", refuse)
    with open_rows(path, 3) as image:
        assert isinstance(image, WholeImage)
        np.testing.assert_array_equal(image.read(0, 40), values)
