"""Folders that appear whole or not at all."""

import os
import subprocess
import sys

import pytest

from cyclegan_tf.atomic import atomic_directory, next_version, refuse_existing
from cyclegan_tf.errors import UserError


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_the_folder_has_its_name_only_at_the_end(tmp_path):
    with atomic_directory(tmp_path / "a" / "final") as partial:
        (partial / "file").write_text("x")
        assert not (tmp_path / "a" / "final").exists()
        assert partial.parent == tmp_path / "a"
        assert not partial.name.isdecimal()
    assert (tmp_path / "a" / "final" / "file").read_text() == "x"
    assert names(tmp_path / "a") == ["final"]


def test_an_error_leaves_nothing(tmp_path):
    def fails():
        with atomic_directory(tmp_path / "final") as partial:
            (partial / "file").write_text("x")
            raise RuntimeError("in the middle")

    with pytest.raises(RuntimeError):
        fails()
    assert names(tmp_path) == []


def test_a_folder_that_is_there_is_replaced_only_when_asked(tmp_path):
    old = tmp_path / "final"
    old.mkdir()
    (old / "old").write_text("x")
    with pytest.raises(UserError, match=r"exists already.*--overwrite"), atomic_directory(old):
        pass
    assert names(old) == ["old"]
    with atomic_directory(old, replace=True) as partial:
        (partial / "new").write_text("y")
        assert names(old) == ["old"]  # until the last moment
    assert names(old) == ["new"]
    assert names(tmp_path) == ["final"]


def test_a_replacement_that_fails_leaves_the_old(tmp_path):
    old = tmp_path / "final"
    old.mkdir()

    def fails():
        with atomic_directory(old, replace=True):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert names(tmp_path) == ["final"]


def test_a_file_is_never_replaced(tmp_path):
    (tmp_path / "final").write_text("x")
    with pytest.raises(UserError, match="exists already"):
        refuse_existing(tmp_path / "final", replace=True)


def test_what_a_killed_process_left_is_removed_and_a_living_ones_work_is_not(tmp_path):
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    left = f".partial-{int(dead.stdout)}-0123abcd"
    living = f".partial-{os.getppid()}-4567cdef"
    (tmp_path / left).mkdir()
    (tmp_path / living).mkdir()
    with atomic_directory(tmp_path / "9"):
        pass
    assert names(tmp_path) == [living, "9"]


def test_versions_count_on_from_the_highest(tmp_path):
    assert next_version(tmp_path / "none") == 1
    for name in ("1", "12", "x", ".partial-1-40", "7"):
        (tmp_path / name).mkdir()
    assert next_version(tmp_path) == 13
