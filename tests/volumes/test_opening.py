"""Volumes of all kinds: found, opened, saved, refused."""

import importlib.util
import pickle

import nibabel
import numpy as np
import pytest

from cyclegan_tf.volumes import opening
from cyclegan_tf.volumes.opening import VolumeError, open_volume, save_volume
from tests.helpers import volumes
from tests.helpers.errors import refused


@pytest.fixture
def folder(tmp_path):
    """A folder of all kinds, with other files."""
    root = tmp_path / "scans"
    volumes.write_nifti(root / "b.nii.gz", volumes.numbers())
    volumes.write_nifti(root / "deep" / "a.NII", volumes.numbers())
    volumes.write_dicom(root / "series", volumes.numbers())
    source = open_volume(root / "b.nii.gz")
    for name in ("c.mha", "d.nrrd"):
        save_volume(root / name, source.voxels, source, is_same_unit=True, replace=False)
    (root / "readme.txt").write_text("text")
    (root / ".hidden.nii").write_text("text")
    return root


def test_all_kinds_are_found_and_opened(folder):
    listing = opening.list_volumes(folder)
    names = [path.relative_to(folder).as_posix() for path in listing.volumes]
    assert names == ["b.nii.gz", "c.mha", "d.nrrd", "deep/a.NII", "series"]
    assert listing.others == {".txt": 1}
    kinds = [open_volume(path).kind for path in listing.volumes]
    assert kinds == ["NIfTI", "MetaImage", "NRRD", "NIfTI", "DICOM"]
    for path in listing.volumes:
        assert opening.is_volume(path)
        assert np.array_equal(open_volume(path).voxels, volumes.numbers())
    assert opening.holds_volumes(folder)
    assert not opening.is_volume(folder)
    assert not opening.holds_volumes(folder / "b.nii.gz")


def test_names():
    assert opening.suffix_of("a/B.NII.GZ") == ".nii.gz"
    assert opening.stem_of("B.NII.GZ") == "B"
    assert opening.stem_of("series") == "series"


def test_a_volume_is_saved_whole_or_not_at_all(folder, tmp_path, monkeypatch):
    source = open_volume(folder / "series")
    for name in ("out.nii.gz", "out.mha", "out.nrrd", "out"):
        save_volume(tmp_path / name, source.voxels, source, is_same_unit=True, replace=False)
        assert np.array_equal(open_volume(tmp_path / name).voxels, source.voxels)
        affine = open_volume(tmp_path / name).geometry.affine
        assert np.allclose(affine, source.geometry.affine)
    with refused("exists", tmp_path / "out"):
        save_volume(tmp_path / "out", source.voxels, source, is_same_unit=True, replace=False)
    before = sorted(tmp_path.iterdir())

    def stopped(*_):
        raise KeyboardInterrupt

    for module, name in (("nifti", "new.nii"), ("dicom_output", "new")):
        monkeypatch.setattr(f"cyclegan_tf.volumes.{module}.write", stopped)
        with pytest.raises(KeyboardInterrupt):
            save_volume(tmp_path / name, source.voxels, source, is_same_unit=True, replace=True)
    assert sorted(tmp_path.iterdir()) == before


def test_only_a_series_becomes_a_series(tmp_path):
    opening.check_target(tmp_path / "out", is_series=True)
    opening.check_target(tmp_path / "a.nii.gz", is_series=True)
    for name, is_series in (("out", False), ("a.png", False), ("a.png", True)):
        with refused("unsupported", tmp_path / name):
            opening.check_target(tmp_path / name, is_series=is_series)


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz", "a.mha", "a.nrrd"])
def test_broken_files_are_named(tmp_path, name):
    path = tmp_path / name
    for content in (b"", b"no volume at all" * 40):
        path.write_bytes(content)
        with refused("unreadable", path):
            open_volume(path)
    with refused("unreadable"):
        open_volume(tmp_path / f"missing_{name}")


def test_a_missing_package_comes_with_its_command(folder, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name, package in (("b.nii.gz", "nibabel"), ("d.nrrd", "nrrd"), ("series", "pydicom")):
        with refused("dependency", package, match=r'pip install "\.\[medical\]"'):
            open_volume(folder / name)
    assert open_volume(folder / "c.mha").kind == "MetaImage"


def test_an_error_can_be_pickled():
    error = pickle.loads(pickle.dumps(VolumeError("a.nii", "is empty")))
    assert str(error) == "a.nii: is empty"


def test_extensions_of_a_header_are_kept(tmp_path):
    image = nibabel.Nifti1Image(volumes.numbers(), volumes.AFFINE)
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"of a scanner"))
    nibabel.save(image, tmp_path / "a.nii.gz")
    source = open_volume(tmp_path / "a.nii.gz")
    assert np.array_equal(source.voxels, volumes.numbers())
    save_volume(tmp_path / "b.nii.gz", source.voxels, source, is_same_unit=True, replace=False)
    (kept,) = nibabel.load(tmp_path / "b.nii.gz").header.extensions
    assert kept.get_content().rstrip(b"\0") == b"of a scanner"
