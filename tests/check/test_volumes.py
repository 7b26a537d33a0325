"""What `check` says of volumes."""

import numpy as np
import pytest

from cyclegan_tf.check import command, volumes
from cyclegan_tf.volumes.slices import AXIAL
from tests.helpers import volumes as made


@pytest.fixture
def folder(tmp_path):
    for name in ("trainA/a.nii.gz", "trainA/b.nii", "trainB/a.nii"):
        made.write_nifti(tmp_path / name, made.ball())
    made.write_dicom(tmp_path / "trainB" / "b", made.ball())
    return tmp_path


RANGES = ("--data.range_x", "auto", "--data.range_y", "auto")


def said(folder, capsys, *options):
    status = command.main([str(folder), *options])
    return status, " ".join(capsys.readouterr().out.split())


def test_counts_sizes_spacing_and_numbers(folder, capsys):
    status, text = said(folder, capsys, *RANGES)
    assert status == 0
    high = made.ball().max()
    assert f"trainA 2 2 NIfTI 24 x 20 x 16 2 x 1.5 x 3 int16 -1000 to {high} 32 8" in text
    assert f"trainB 2 1 NIfTI, 1 DICOM 24 x 20 x 16 2 x 1.5 x 3 int16 -1000 to {high}" in text
    assert "range_x" not in text


def test_numbers_with_a_sign_need_a_range(folder, capsys):
    status, text = said(folder, capsys, "--data.range_y", "auto")
    assert status == 2
    assert "trainA: int16 numbers need a range: take --data.range_x auto" in text
    assert "trainB: int16" not in text


def test_what_training_refuses_is_an_error(folder, capsys):
    (folder / "trainA" / "c.nii").write_bytes(b"nothing")
    made.write_nifti(folder / "trainA" / "d.nii", np.zeros((4, 4, 4), np.int16))
    status, text = said(folder, capsys)
    assert status == 2
    assert "2 of 4 volumes cannot be used; training refuses them" in text
    assert "holds empty slices only" in text


def test_other_spacings_are_a_warning(folder, capsys):
    made.write_nifti(folder / "trainB" / "c.nii", made.ball(), np.diag([1.0, 1, 1, 1]))
    status, text = said(folder, capsys, *RANGES)
    assert status == 1
    assert "trainB: voxels of 1 to 3 mm" in text


def test_folders_of_images_are_not_volumes(folder):
    (folder / "trainA" / "photo.png").write_bytes(b"")
    folders = {name: folder / name for name in ("trainA", "trainB")}
    assert list(volumes.volume_folders(folders)) == ["trainB"]
    found = volumes.examine({"X": folder / "trainB"}, AXIAL)
    assert [report.kind for report in found["X"]] == ["NIfTI", "DICOM"]
