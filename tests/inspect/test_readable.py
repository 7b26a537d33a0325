"""What can be inspected, before anything is opened."""

import pytest

from cyclegan_tf.inspect import inspector
from cyclegan_tf.inspect.readable import SUFFIXES, newest_version, refuse_others
from tests.helpers.errors import refused

BEGINNINGS = {"a.keras": b"PK..", "a.h5": b"\x89HDF", "a.pth": b"\x80\x02", "a.onnx": b"."}


def test_the_suffixes_are_those_of_the_readers():
    assert set(SUFFIXES) == set(inspector._FILES)


def test_files_by_their_beginning(tmp_path):
    for name, content in BEGINNINGS.items():
        (tmp_path / name).write_bytes(content)
        refuse_others(tmp_path / name)
        (tmp_path / name).write_bytes(b"milk, bread")
        if name != "a.onnx":
            with refused("unreadable", tmp_path / name):
                refuse_others(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "code", "said"),
    [
        ("a.keros", "missing", r"did you mean \S+a\.keras\?"),
        ("notes.txt", "unsupported", "cannot be inspected; give a run directory"),
        ("runs", "unsupported", "there are mine in it"),
        ("empty", "unsupported", "as a whole; give a run directory"),
    ],
)
def test_others_are_named(tmp_path, name, code, said):
    for file in ("a.keras", "notes.txt", "runs/mine/config.yaml", "empty/a.jpg"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text("PK")
    with refused(code, tmp_path / name, match=said):
        refuse_others(tmp_path / name)


def test_the_newest_version(tmp_path):
    for version in ("9", "10", "x"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "saved_model.pb").touch()
    assert newest_version(tmp_path) == tmp_path / "10"
    refuse_others(tmp_path)
