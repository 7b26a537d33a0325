"""Volumes slice by slice, with networks that can be foreseen."""

import nibabel
import numpy as np
import pytest

from cyclegan_tf.images.ranges import FULL_RANGES, RangePair, ValueRange
from cyclegan_tf.translate.volumes.translation import VolumeTranslator
from cyclegan_tf.volumes.opening import open_volume
from tests.helpers import volumes
from tests.helpers.errors import refused

CT, MR = ValueRange(-1000, 3000, "int16"), ValueRange(0, 4, "float32")


class Network:
    """Stands where `Translator` does: changes each image in [-1, 1] by a function."""

    def __init__(self, change=lambda image: image, channels=1):
        self.channels, self.change, self.shapes = channels, change, []

    def batch(self, images):
        self.shapes += [image.shape for image in images]
        return [self.change(image).astype(np.float32) for image in images]


def translated(tmp_path, values, ranges, network=None, axes=("axial",), name="b.nii.gz", **options):
    source = volumes.write_nifti(tmp_path / "a.nii.gz", values)
    translate = VolumeTranslator(network or Network(), ranges, axes, **options)
    volume = translate.open(source)
    assert sum(translate.steps(volume, tmp_path / name)) == translate.count(volume)
    return open_volume(tmp_path / name), translate


@pytest.mark.parametrize("axis", ["axial", "coronal", "sagittal", "0", "1", "2"])
def test_an_identity_gives_the_volume_back_exactly(tmp_path, axis):
    values = volumes.ball()
    found, _ = translated(tmp_path, values, RangePair(CT, CT), axes=(axis,), at_once=5)
    assert found.voxels.dtype == np.int16
    assert np.array_equal(found.voxels, values)
    assert np.array_equal(found.geometry.affine, volumes.AFFINE)
    assert nibabel.load(tmp_path / "b.nii.gz").header["descrip"] == b"made by a test"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_without_ranges_unsigned_numbers_are_full(tmp_path, dtype):
    values = volumes.numbers(dtype=dtype, low=0)
    found, _ = translated(tmp_path, values, FULL_RANGES)
    assert np.array_equal(found.voxels, values)
    with refused("unsupported", tmp_path / "a.nii.gz", match="without a range"):
        translated(tmp_path, volumes.numbers(), FULL_RANGES)


def test_the_result_is_in_the_unit_and_type_of_the_target(tmp_path):
    values = volumes.ball()
    found, translate = translated(tmp_path, values, RangePair(CT, MR), name="b.mha")
    assert found.voxels.dtype == np.float32
    wanted = (values.astype(np.float64) + 1000) / 1000
    assert np.allclose(found.voxels, wanted, atol=1e-6)
    assert translate.clipped.share == 0


def test_what_lies_outside_is_clipped_and_counted(tmp_path):
    found, translate = translated(tmp_path, volumes.numbers(low=-1010), RangePair(CT, CT))
    assert translate.clipped.outside == 10
    assert found.voxels.min() == -1000


def test_of_several_directions_the_mean_is_taken(tmp_path):
    network = Network(lambda image: image + (0.3 if image.shape[:2] == (20, 24) else 0))
    values = np.clip(volumes.ball(), -1000, 0)
    axes = ("axial", "coronal", "sagittal")
    found, _ = translated(tmp_path, values, RangePair(CT, CT), network, axes)
    assert set(network.shapes) == {(20, 24, 1), (16, 24, 1), (16, 20, 1)}
    seen = values.max(axis=(0, 1)) > -1000  # what shows nothing is not translated
    assert np.abs(found.voxels - values - 200)[..., seen].max() <= 1
    assert np.array_equal(found.voxels[..., ~seen], values[..., ~seen])


def test_the_middle_of_the_neighbors_is_taken(tmp_path):
    values = volumes.numbers((6, 5, 4))
    network = Network(lambda image: image[..., ::-1], channels=5)
    found, _ = translated(tmp_path, values, RangePair(CT, CT), network, neighbors=2)
    assert np.array_equal(found.voxels, values)
    assert set(network.shapes) == {(5, 6, 5)}


def test_a_network_of_colors_gets_gray_and_others_are_refused(tmp_path):
    values = volumes.numbers()
    network = Network(channels=3)
    found, _ = translated(tmp_path, values, RangePair(CT, CT), network)
    assert np.array_equal(found.voxels, values)
    for channels, neighbors in ((5, 0), (1, 1), (5, 1)):
        with refused("mismatch", tmp_path / "a.nii.gz"):
            translated(
                tmp_path, values, RangePair(CT, CT), Network(channels=channels), neighbors=neighbors
            )


def test_nan_is_named(tmp_path):
    values = volumes.ball().astype(np.float32)
    values[3, 3, 3] = np.nan
    with refused("unsupported", tmp_path / "a.nii.gz", match="NaN"):
        translated(tmp_path, values, RangePair(MR, MR))


def test_stopped_in_the_middle_nothing_is_written(tmp_path):
    source = volumes.write_nifti(tmp_path / "in" / "a.nii.gz", volumes.ball())
    translate = VolumeTranslator(Network(), RangePair(CT, CT), ("axial",))
    steps = translate.steps(translate.open(source), tmp_path / "b.nii.gz")
    next(steps)
    steps.close()
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_series_becomes_a_series_and_says_its_unit(tmp_path):
    import pydicom

    source = volumes.write_dicom(tmp_path / "ct", volumes.ball())
    for target, kind in ((CT, "HU"), (MR, "US")):
        translate = VolumeTranslator(Network(), RangePair(CT, target), ("axial",))
        volume = translate.open(source)
        for _ in translate.steps(volume, tmp_path / "out", replace=True):
            pass
        found = open_volume(tmp_path / "out")
        wanted = target.from_signed(CT.to_signed(volume.voxels))
        assert np.allclose(found.voxels, wanted, atol=4 / 65535)
        assert pydicom.dcmread(found.header.files[0]).RescaleType == kind
