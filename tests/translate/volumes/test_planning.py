"""Which volume becomes which, and which options go with volumes."""

import pytest

from cyclegan_tf.translate.volumes import planning
from tests.helpers import volumes
from tests.helpers.errors import refused

NONE = dict.fromkeys(("axis", "directions", "tile_px", "labels", "temporal_half_life_frames"))


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "scans"
    volumes.write_nifti(root / "a.nii.gz", volumes.numbers())
    volumes.write_nifti(root / "deep" / "b.nii", volumes.numbers())
    volumes.write_dicom(root / "series", volumes.numbers())
    (root / "notes.txt").write_text("text")
    return root


def planned(source, target, into_folder=False):
    plan = planning.plan_volumes(source, target, into_folder)
    return [task.target.relative_to(target.parent).as_posix() for task in plan.tasks]


def test_what_holds_volumes(folder):
    for path in (folder, folder / "a.nii.gz", folder / "series"):
        assert planning.takes_volumes(path)
    assert not planning.takes_volumes(folder / "notes.txt")
    assert not planning.takes_volumes(folder / "missing")
    with refused("unsupported", folder / "series" / "IM001.dcm", match="give its folder"):
        planning.takes_volumes(folder / "series" / "IM001.dcm")
    (folder / "photo.png").write_bytes(b"")
    assert not planning.takes_volumes(folder)


def test_names_are_kept(folder, tmp_path):
    out = tmp_path / "out"
    assert planned(folder, out) == ["out/a.nii.gz", "out/deep/b.nii", "out/series"]
    assert planning.plan_volumes(folder, out, False).left_out == {".txt": 1}
    assert planned(folder / "a.nii.gz", out, into_folder=True) == ["out/a.nii.gz"]
    assert planned(folder / "a.nii.gz", tmp_path / "b.mha") == ["b.mha"]
    assert planned(folder / "series", out, into_folder=True) == ["out"]
    assert planned(folder / "series", tmp_path / "c.nii.gz") == ["c.nii.gz"]


def test_outputs_that_cannot_be_are_refused(folder, tmp_path):
    for source, target, code in (
        (folder / "a.nii.gz", tmp_path / "out.png", "unsupported"),
        (folder / "a.nii.gz", tmp_path / "out", "unsupported"),
        (folder / "a.nii.gz", folder / "a.nii.gz", "exists"),
        (folder / "series", folder / "series", "exists"),
    ):
        with refused(code, target):
            planning.plan_volumes(source, target, False)


@pytest.mark.parametrize(
    ("of_volumes", "field", "value", "code"),
    [
        (True, "tile_px", 64, "mismatch"),
        (True, "labels", "folder", "mismatch"),
        (True, "directions", 2, "invalid"),
        (True, "axis", "lateral", "invalid"),
        (False, "directions", 3, "mismatch"),
        (False, "axis", "0", "mismatch"),
    ],
)
def test_options_that_do_not_go_with_the_input_are_refused(of_volumes, field, value, code):
    planning.check_options(NONE, of_volumes)
    with refused(code, f"--{field}"):
        planning.check_options({**NONE, field: value}, of_volumes)


def test_three_directions_take_all_axes():
    with refused("mismatch", "--axis"):
        planning.check_options({**NONE, "axis": "axial", "directions": 3}, True)
    assert planning.axes_of(3, "0") == ("axial", "coronal", "sagittal")
    assert planning.axes_of(None, "0") == ("0",)
