"""What may be named as RUN, before it is opened."""

import zipfile

import pytest

from cyclegan_tf.runs.targets import check_target, input_channels
from tests.helpers.errors import refused


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.fixture
def root(tmp_path):
    for name in (
        "runs/mine/config.yaml",
        "runs/mine/checkpoints/best/step_000000007.npz",
        "runs/new/config.yaml",
        "images/trainA/a.png",
        "shipped/saved_model/mine_xy/1/saved_model.pb",
        "g.keras",
        "g.pth",
    ):
        put(tmp_path / name)
    with zipfile.ZipFile(tmp_path / "g.keras", "w"):
        pass
    return tmp_path


def test_runs_and_files_pass(root):
    check_target(root / "runs/mine", "7")
    check_target(root / "g.keras")


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("runs/mime", "missing", r"it does not exist; did you mean \S+mine\?"),
        ("h.keras", "missing", r"it does not exist; did you mean \S+g\.keras\?"),
        ("g.pth", "unsupported", "is not a .keras file"),
        ("runs/new", "missing", "has no checkpoint yet; train it first"),
        ("runs/mine/checkpoints/best", "missing", r"lies in the run \S+mine: .* --checkpoint"),
        ("images", "missing", "is not a run directory: .*; it is a data set"),
        ("shipped", "missing", "it is an export: give the run"),
        ("runs", "missing", r"runs in it are \S+mine, \S+new"),
        ("images/trainA", "missing", "is not a run directory: it has no config.yaml"),
    ],
)
def test_other_things_are_named(root, name, code, said):
    with refused(code, root / name, match=said):
        check_target(root / name)


def test_a_step_that_there_is_not(root):
    with refused("missing", "--checkpoint", match="one of the steps there are in .*: 7"):
        check_target(root / "runs/mine", "8")


def test_what_is_no_archive(root):
    (root / "g.keras").write_text("milk, bread")
    with refused("unreadable", root / "g.keras"):
        check_target(root / "g.keras")


def test_channels_of_a_run_and_of_a_file(tiny_run, tmp_path):
    assert input_channels(tiny_run, "yx") == 3
    assert input_channels(tiny_run / "generator_xy.keras", "xy") == 3
    (tmp_path / "g.keras").write_text("milk, bread")
    assert input_channels(tmp_path / "g.keras", "xy") is None
    assert input_channels(tmp_path / "none.keras", "xy") is None


def test_a_file_has_no_checkpoints(root):
    with refused("invalid", "--checkpoint"):
        check_target(root / "g.keras", "last")
