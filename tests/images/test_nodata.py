"""Pixels without data are the mean of the others to a network, and without data in its output."""

import numpy as np
import pytest

from cyclegan_tf.images import nodata
from cyclegan_tf.images.codecs import probe, read
from cyclegan_tf.images.io import save
from cyclegan_tf.images.nodata import Missing
from cyclegan_tf.images.placement import Placement, read_placement
from cyclegan_tf.images.strips import TiffRows, open_rows, save_rows
from tests.helpers import image_files

tifffile = pytest.importorskip("tifffile", reason="needs the optional library tifffile")


def mosaic(channels=3, dtype=np.uint8, number=0):
    """An image whose corner has no data, and the same without the hole."""
    whole = np.clip(image_files.noise(40, 24, channels, np.uint8), 1, 254).astype(dtype)
    image, where = whole.copy(), np.zeros((40, 24), bool)
    where[:10, :15] = True
    image[where] = number
    return image, where


def write(path, image, number="0", **options):
    tags = [(nodata.TAG, "s", 0, number, True)]
    options = {"photometric": "rgb" if image.shape[-1] == 3 else "minisblack", **options}
    planar = {"planarconfig": "contig"} if image.shape[-1] > 1 else {}
    image = image if planar else image[..., 0]
    tifffile.imwrite(path, image, metadata=None, extratags=tags, **planar, **options)
    return path


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_they_are_read_as_the_mean(tmp_path, dtype, channels):
    image, where = mosaic(channels, dtype)
    found = read(write(tmp_path / "a.tif", image), channels)
    np.testing.assert_array_equal(found[~where], image[~where])
    mean = np.rint(image[~where].mean(axis=0))
    np.testing.assert_array_equal(found[where], np.broadcast_to(mean, (150, channels)))


@pytest.mark.parametrize("number", ["nan", "-9999", "-3.4028234663852886e+38"])
def test_of_floats(tmp_path, number):
    image, where = mosaic(1, np.float32)
    image[~where] /= 255
    image[where] = np.float32(number)
    path = write(tmp_path / "a.tif", image, number)
    assert np.ptp(read(path, 1)[where]) == 0
    placement = read_placement(probe(path))
    levels = image_files.noise(40, 24, 1, np.uint16)
    save(tmp_path / "b.tif", levels, as_float=True, placement=placement)
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert file.pages[0].tags.valueof(nodata.TAG) == number
        np.testing.assert_array_equal(file.asarray()[where], image[where][:, 0])
        np.testing.assert_allclose(file.asarray()[~where], levels[~where][:, 0] / 65535, atol=1e-6)


@pytest.mark.parametrize("number", ["none", "1e300", "0.5", "-1", "inf"])
def test_what_is_no_number_of_the_file_is_none(tmp_path, number):
    image, _ = mosaic()
    path = write(tmp_path / "a.tif", image, number)
    np.testing.assert_array_equal(read(path), image)
    assert read_placement(probe(path)).missing is None


def test_nothing_but_holes(tmp_path):
    path = write(tmp_path / "a.tif", np.full((4, 5, 1), 7, np.uint8), "7")
    assert not read(path, 1).any()


@pytest.mark.parametrize("options", [{}, {"tile": (16, 16), "compression": "adobe_deflate"}])
@pytest.mark.parametrize("channels", [1, 3])
def test_by_rows_it_is_the_same(tmp_path, options, channels):
    image, where = mosaic(channels, np.uint16)
    path = write(tmp_path / "a.tif", image, **options)
    with open_rows(path, 3) as rows:
        assert isinstance(rows, TiffRows)
        np.testing.assert_array_equal(rows.read(3, 30), read(path)[3:30])
        np.testing.assert_array_equal(rows.missing.rows(5, 40), where[5:])
    with open_rows(write(tmp_path / "b.tif", mosaic(5)[0]), 5) as rows:
        np.testing.assert_array_equal(rows.missing.rows(5, 40), where[5:])


@pytest.mark.parametrize("by_rows", [False, True])
@pytest.mark.parametrize("suffix", [".tif", ".png", ".npy"])
def test_the_output_has_none_at_the_same_pixels(tmp_path, suffix, by_rows):
    image, where = mosaic()
    placement = read_placement(probe(write(tmp_path / "a.tif", image)))
    translated = image_files.noise(40, 24, 3)
    translated[39] = 0  # black, and not without data
    target = tmp_path / f"b{suffix}"
    if by_rows:
        parts = [translated[:7], translated[7:]]
        save_rows(target, parts, translated.shape, translated.dtype, placement=placement)
    else:
        save(target, translated, placement=placement)
    if suffix == ".tif":
        np.testing.assert_array_equal(read_placement(probe(target)).missing.rows(0, 40), where)
        with tifffile.TiffFile(target) as file:
            found = file.asarray()
    else:
        found = read(target)
    np.testing.assert_array_equal(nodata.find(found, 0), where)
    assert (found[39] == 1).all()
    np.testing.assert_array_equal(found[10:39], translated[10:39])


def test_rasterio_finds_place_and_holes(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    image, where = mosaic()
    facts = {"crs": "EPSG:32633", "transform": rasterio.Affine(10, 0, 5e5, 0, -10, 4e6)}
    profile = {"driver": "GTiff", "width": 24, "height": 40, "count": 3, "dtype": "uint8"}
    with rasterio.open(tmp_path / "a.tif", "w", nodata=0, **profile, **facts) as file:
        file.write(image.transpose(2, 0, 1))
        file.update_tags(1, sensor="MSI", STATISTICS_MAXIMUM="254")
    placement = read_placement(probe(tmp_path / "a.tif"))
    save(tmp_path / "b.tif", image_files.noise(40, 24), placement=placement)
    with rasterio.open(tmp_path / "a.tif") as before, rasterio.open(tmp_path / "b.tif") as after:
        assert (after.crs, after.transform, after.nodata) == (before.crs, before.transform, 0)
        assert before.tags(1)["STATISTICS_MAXIMUM"] == "254"
        assert after.tags(1) == {"sensor": "MSI"}  # its maximum is another one
        np.testing.assert_array_equal(after.dataset_mask(), before.dataset_mask())
        np.testing.assert_array_equal(after.dataset_mask() == 0, where)


@pytest.mark.parametrize(
    ("number", "dtype", "written"),
    [(-9999, np.uint8, 0), (255, np.uint8, 255), (np.nan, np.int16, 0), (-9999, np.int16, -9999)],
)
def test_a_type_that_does_not_hold_the_number(number, dtype, written):
    where = np.array([[True, False]])
    missing = Missing(number, lambda top, bottom: where[top:bottom])
    found = missing.put_into(np.full((1, 2, 1), written, dtype))
    assert found[0, 0, 0] == written
    assert abs(int(found[0, 1, 0]) - written) == 1
    placement = Placement({nodata.TAG: (2, 0, str(number))}, missing=missing)
    tag = placement.fitting(np.dtype(dtype), ".tif").tags[nodata.TAG][2]
    assert tag == (str(number) if number == written else "0")
