"""Folders of volumes as lists of images."""

from pathlib import Path

import numpy as np
import pytest

from cyclegan_tf.data import checksums, screening, sources, value_ranges, volume_lists
from cyclegan_tf.data.cache import open_cache
from cyclegan_tf.data.pairs import choose_pairs
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.data.volume_lists import VolumeFiles
from cyclegan_tf.images.ranges import ValueRange
from cyclegan_tf.volumes import opening
from cyclegan_tf.volumes.slices import Cutting
from tests.helpers import volumes
from tests.helpers.errors import refused

AXIAL = Cutting("axial")


@pytest.fixture
def folder(tmp_path):
    """Two domains of balls, 12 of 16 axial slices filled; one volume is a DICOM series."""
    for name in ("trainA/p1.nii.gz", "trainA/p2.nii", "trainB/p1.nii.gz", "testA/p9.nii"):
        volumes.write_nifti(tmp_path / name, volumes.ball())
    volumes.write_dicom(tmp_path / "trainB" / "p2", volumes.ball())
    return tmp_path


def test_each_slice_that_is_not_empty_is_an_image(folder):
    found = sources.open_folder(folder, "auto", "auto", 10**8, AXIAL)
    assert (len(found.train_x), len(found.train_y), len(found.test_x)) == (24, 24, 12)
    assert found.train_x.names[0] == "trainA/p1/0002.axial"
    assert found.train_y.names[-1] == "trainB/p2/0013.axial"
    assert found.train_x.channels == 1
    ((rows, columns),) = {(info.height, info.width) for info in found.train_x.infos}
    assert (rows, columns) == (20, 24)
    assert sum("8 of the 32 slices (axial) of 2 volumes of X" in note for note in found.notes) == 1


def test_slices_are_read_in_the_unit_of_the_volume_and_through_a_range(folder):
    images = sources.open_folder(folder, "auto", "auto", 10**8, AXIAL).train_x
    known = value_ranges.find_range(images, (0, 100), "x")
    assert known == ValueRange(-1000, volumes.ball().max(), "int16")
    ranged = value_ranges.with_range(images, known)
    wanted = volumes.ball()[::-1, ::-1, 5].T  # columns of the affine run to the left already
    assert np.array_equal(images.numbers(3)[..., 0], wanted[:, ::-1])
    assert np.array_equal(ranged.read(3), known.levels(images.numbers(3)))


def test_whole_numbers_with_a_sign_need_a_range(folder):
    images = sources.open_folder(folder, "auto", "auto", 10**8, AXIAL).train_x
    with refused("unsupported", "data.range_x"):
        value_ranges.require_white(images, "x")


@pytest.mark.parametrize(("dtype", "high"), [(np.float32, 1.0), (np.uint8, 255)])
def test_floats_of_0_to_1_and_bytes_need_none(tmp_path, dtype, high):
    volumes.write_nifti(tmp_path / "a.nii", volumes.ball(inside=0.5, outside=0, dtype=dtype) * 0)
    values = np.clip(volumes.ball(inside=90, outside=0) / 255 * high, 0, high).astype(dtype)
    volumes.write_nifti(tmp_path / "a.nii", values)
    images = VolumeFiles.opened([tmp_path / "a.nii"], tmp_path, "x", AXIAL).images(1)
    value_ranges.require_white(images, "x")
    assert images.read(6).dtype == np.uint16
    assert images.read(6).max() == np.rint(images.numbers(6).max() / high * 65535)


def test_floats_beyond_1_are_refused_rather_than_clipped(tmp_path):
    volumes.write_nifti(tmp_path / "a.nii", volumes.ball(dtype=np.float32))
    images = VolumeFiles.opened([tmp_path / "a.nii"], tmp_path, "y", AXIAL).images(1)
    with refused("unreadable", match=r"--data\.range_y auto"):
        images.read(0)


def test_neighbors_are_channels(folder):
    found = sources.open_folder(folder, "auto", "auto", 10**8, Cutting("axial", 2))
    assert (found.train_x.channels, found.train_y.channels) == (5, 5)
    image = found.train_x.numbers(5)
    assert np.array_equal(image[..., 3:], found.train_x.numbers(6)[..., 2:4])
    with refused("mismatch", "data.channels_x"):
        sources.open_folder(folder, 4, "auto", 10**8, Cutting("axial", 2))


def test_one_slice_is_repeated_where_color_is_wanted(folder):
    found = sources.open_folder(folder, 3, 3, 10**8, AXIAL).train_x.numbers(0)
    assert found.shape == (20, 24, 3)
    assert np.array_equal(found[..., 0], found[..., 2])


def test_a_volume_is_for_training_or_for_testing_as_a_whole(tmp_path):
    for number in range(5):
        for domain in "xy":
            volumes.write_nifti(tmp_path / domain / f"{number}.nii", volumes.ball())
    arguments = (tmp_path / "x", tmp_path / "y", 0.4, 7, "auto", "auto", 10**8)
    found = sources.open_two_folders(*arguments, None, AXIAL)
    train, test = (
        {volume_lists.volume_of(name) for name in images.names}
        for images in (found.train_x, found.test_x)
    )
    assert (len(train), len(test), train & test) == (3, 2, set())
    volumes.write_nifti(tmp_path / "x" / "9.nii", volumes.ball())
    again = sources.open_two_folders(*arguments, found.record(), AXIAL)
    assert again.test_x.names == found.test_x.names
    held_out = {
        f"test_{domain}": volume_lists.names_to_hold_out(tmp_path / domain) for domain in "xy"
    }
    assert not sources.open_two_folders(*arguments, held_out, AXIAL).train_x.names


def test_slices_of_one_name_and_number_are_partners(folder):
    found = sources.open_folder(folder, "auto", "auto", 10**8, AXIAL)
    pairs = choose_pairs(found, "auto", seed=0)
    assert pairs == tuple((index, index) for index in range(24))


def test_checksums_are_of_volumes(folder):
    found = sources.open_folder(folder, "auto", "auto", 10**8, AXIAL)
    sums = checksums.of_source(found)
    assert len(set(sums["train_y"])) == 2
    assert len(sums["train_y"]) == 24
    (folder / "trainB" / "p2" / "IM001.dcm").write_bytes(b"another")
    again = checksums.of_source(found)
    changed = checksums.changed_images(found.record(), sums, found, again)
    assert changed == [name for name in found.train_y.names if "/p2/" in name]


@pytest.mark.parametrize("kind", ["memory", "disk", "off", "lazy"])
def test_all_caches_hold_the_same_slices(folder, kind):
    images = sources.open_folder(folder, "auto", "auto", 10**8, AXIAL).train_x
    images = value_ranges.with_range(images, ValueRange(-1000, 1000, "int16"))
    transform = ImageTransform("none", 24, 24, flip=False)
    cache = open_cache(images, transform, kind, folder / "cache", "x")
    assert cache.kind == kind
    assert np.array_equal(cache.get(13), images.read(13))


def test_images_come_before_volumes(folder):
    (folder / "trainA" / "a.png").write_bytes(b"")
    listing, is_volumes = volume_lists.list_domain(folder / "trainA")
    assert ([path.name for path in listing.images], is_volumes) == (["a.png"], False)
    assert volume_lists.list_domain(folder / "trainB")[1]
    (folder / "none").mkdir()
    assert volume_lists.list_domain(folder / "none")[0].images == ()


def test_what_cannot_be_used_is_named(tmp_path):
    empty = volumes.write_nifti(tmp_path / "empty.nii", np.zeros((4, 4, 4), np.int16))
    with refused("unreadable", empty, match="empty slices only"):
        VolumeFiles.opened([empty], tmp_path, "x", AXIAL)
    one = volumes.write_nifti(tmp_path / "a.nii", volumes.ball())
    other = volumes.write_nifti(tmp_path / "a.nii.gz", volumes.ball())
    with refused("mismatch", other):
        VolumeFiles.opened([one, other], tmp_path, "x", AXIAL)
    source = opening.open_volume(one)
    unplaced = opening.Volume(Path("x"), "NRRD", source.voxels, source.geometry)
    assert unplaced.header is None
    (tmp_path / "b.mha").write_bytes(
        b"NDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n01234567"
    )
    with refused("unsupported", tmp_path / "b.mha", match="0, 1 or 2"):
        VolumeFiles.opened([tmp_path / "b.mha"], tmp_path, "x", AXIAL)
    assert len(VolumeFiles.opened([tmp_path / "b.mha"], tmp_path, "x", Cutting("0")).names) == 2


def test_slices_that_are_alike_are_no_copies_and_equal_ones_are(tmp_path):
    rng = np.random.default_rng(0)
    for number, name in enumerate(("trainA/a", "trainB/a", "testA/b", "testB/a")):
        values = volumes.ball().astype(np.int16) + (number == 2) * rng.integers(0, 2, (24, 20, 16))
        volumes.write_nifti(tmp_path / f"{name}.nii", values.astype(np.int16))
    transform = ImageTransform("none", 24, 24, flip=False)
    found = sources.open_folder(tmp_path, "auto", "auto", 10**8, AXIAL)
    for domain, count in (("x", 0), ("y", 12)):
        lists = [getattr(found, f"{split}_{domain}") for split in ("train", "test")]
        known = ValueRange(-1000, 1000, "int16")
        train, test = (value_ranges.with_range(images, known) for images in lists)
        cache = open_cache(train, transform, "memory", tmp_path, domain)
        screened = screening.find_flat_and_leaked(train, cache, test, transform)
        assert len(screened.leaked) == count
