"""Files and folders that appear whole or not at all; what a kill leaves."""

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cyclegan_tf import atomic
from cyclegan_tf.atomic import (
    atomic_directory,
    atomic_file,
    is_of_one_name,
    next_version,
    refuse_existing,
    scratch_directory,
)
from tests.helpers.errors import refused


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
    with refused("exists", match=r"exists already.*--overwrite"), atomic_directory(old):
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
    with refused("exists", match="exists already"):
        refuse_existing(tmp_path / "final", replace=True)


def dead_process():
    """The number of a process that no longer runs."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    return ended.pid


def left_by(monkeypatch, pid, machine=None):
    """A name as `partial_name` gives it in another process, or on another machine."""
    with monkeypatch.context() as there:
        there.setattr(os, "getpid", lambda: pid)
        if machine:
            there.setattr(atomic, "_machine", lambda: machine)
        there.setattr(atomic, "_own", set())
        return atomic.partial_name()


def test_what_a_killed_process_left_is_removed_and_a_living_ones_work_is_not(tmp_path, monkeypatch):
    left, living = left_by(monkeypatch, dead_process()), left_by(monkeypatch, os.getppid())
    before = left_by(monkeypatch, os.getpid())  # a process of this number has been there before
    for name in (left, living, before):
        (tmp_path / name).mkdir()
    (tmp_path / f"{left}.png").write_bytes(b"half")
    (tmp_path / f"{left}.jpg").symlink_to(tmp_path / "nowhere")
    with atomic_directory(tmp_path / "9"):
        pass
    assert names(tmp_path) == sorted([living, "9"])


def test_what_another_program_made_stays_whatever_its_name(tmp_path):
    foreign = tmp_path / f".partial-{dead_process()}-0123abcd"
    close = tmp_path / f".partial-{dead_process()}-0123-01234567-01234567"
    for folder in (foreign, close):
        folder.mkdir()
        (folder / "thesis.txt").write_text("x")
    with atomic_file(tmp_path / "a.txt") as partial:
        partial.write_text("x")
    assert names(tmp_path) == sorted([foreign.name, close.name, "a.txt"])
    assert names(foreign) == names(close) == ["thesis.txt"]


def test_what_another_machine_left_is_removed_after_a_day(tmp_path, monkeypatch):
    fresh, old = (left_by(monkeypatch, 1, "beef") for _ in range(2))
    for name in (fresh, old):
        (tmp_path / name).mkdir()
        (tmp_path / name / "half").write_bytes(b"")
    long_ago = time.time() - 2 * 24 * 3600
    for path in (tmp_path / old, tmp_path / old / "half", tmp_path / fresh):
        os.utime(path, (long_ago, long_ago))
    used = atomic.partial_name()
    assert not atomic.is_abandoned(used, lambda: 0.0)
    atomic.write_text(tmp_path / "a.txt", "x")
    assert names(tmp_path) == sorted([fresh, "a.txt"])


def test_what_cannot_be_removed_or_listed_does_not_stop_the_writing(tmp_path, monkeypatch):
    (tmp_path / left_by(monkeypatch, dead_process())).write_bytes(b"")

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "unlink", refuse)
    atomic.write_text(tmp_path / "a.txt", "x")
    monkeypatch.setattr(os, "listdir", refuse)
    atomic.write_text(tmp_path / "b" / "b.txt", "x")


KILLED_BETWEEN = """
import os, sys
from pathlib import Path
from cyclegan_tf import atomic
atomic._exchange = lambda *_: False
replace, done = os.replace, []
def replace_once(*names):
    if done:
        os._exit(9)
    done.append(names)
    replace(*names)
os.replace = replace_once
with atomic.atomic_directory(Path(sys.argv[1]), replace=True) as partial:
    (partial / "new").write_text("y")
"""


def test_a_kill_between_the_steps_of_a_replacement_is_undone_by_the_next_writer(tmp_path):
    final = tmp_path / "final"
    final.mkdir()
    (final / "old").write_text("x")
    killed = subprocess.run([sys.executable, "-c", KILLED_BETWEEN, str(final)], check=False)
    assert killed.returncode == 9
    assert not final.exists()
    with refused("exists"), atomic_directory(final):
        pass
    assert names(tmp_path) == ["final"]
    assert names(final) == ["old"]


def test_folders_are_replaced_where_names_cannot_be_swapped(tmp_path, monkeypatch):
    swaps = []
    monkeypatch.setattr(atomic, "_exchange", lambda *both: swaps.append(both))
    final = tmp_path / "final"
    final.mkdir()
    (final / "old").write_text("x")
    with atomic_directory(final, replace=True) as partial:
        (partial / "new").write_text("y")
    assert (names(tmp_path), names(final), len(swaps)) == (["final"], ["new"], 1)
    replace = os.replace

    def fail_with_the_new(source, target):
        if Path(target) == final and Path(source).parent == tmp_path:
            raise PermissionError(errno.EACCES, "Permission denied", str(source))
        replace(source, target)

    def fails():
        with atomic_directory(final, replace=True) as partial:
            monkeypatch.setattr(os, "replace", fail_with_the_new)
            (partial / "newer").write_text("z")

    with pytest.raises(PermissionError):
        fails()
    assert (names(tmp_path), names(final)) == (["final"], ["new"])


@pytest.mark.skipif(sys.platform != "linux", reason="other systems replace in two steps")
def test_names_are_swapped_in_one_step(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").symlink_to(tmp_path / "a")
    if not atomic._exchange(tmp_path / "a", tmp_path / "b"):
        pytest.skip("this file system cannot")
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / "b").is_dir()
    assert not atomic._exchange(tmp_path / "a", tmp_path / "none")


@pytest.mark.parametrize("swapped", [True, False])
@pytest.mark.parametrize("dangling", [True, False])
def test_a_link_in_the_place_is_replaced_and_its_folder_stays(
    tmp_path, monkeypatch, swapped, dangling
):
    if not swapped:
        monkeypatch.setattr(atomic, "_exchange", lambda *_: False)
    if not dangling:
        (tmp_path / "real").mkdir()
        (tmp_path / "real" / "mine").write_text("x")
    (tmp_path / "final").symlink_to(tmp_path / "real")
    with refused("exists"), atomic_directory(tmp_path / "final"):
        pass
    with atomic_directory(tmp_path / "final", replace=True) as partial:
        (partial / "new").write_text("y")
    assert names(tmp_path) == ["final", "real"][: 2 - dangling]
    assert names(tmp_path / "final") == ["new"]
    assert not (tmp_path / "final").is_symlink()
    if not dangling:
        assert names(tmp_path / "real") == ["mine"]


def test_scratch_is_gone_afterwards_and_after_a_kill_with_the_next_writer(tmp_path):
    with scratch_directory(tmp_path) as scratch:
        (scratch / "tensor").write_bytes(b"x")
        assert scratch.parent == tmp_path
    assert names(tmp_path) == []
    code = (
        "import os, pathlib; from cyclegan_tf.atomic import scratch_directory\n"
        f"with scratch_directory(pathlib.Path({str(tmp_path)!r})): os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", code], check=False)
    assert len(names(tmp_path)) == 1
    atomic._searched.discard(str(tmp_path))
    atomic.write_text(tmp_path / "a.txt", "x")
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("target", ["n" * 251 + ".png", "\u5b57" * 84 + ".jp", "a." + "b" * 253])
def test_temporary_names_are_as_short_for_long_targets(tmp_path, target):
    with atomic_file(tmp_path / target) as partial:
        assert len(os.fsencode(partial.name)) < 60
        partial.write_text("x")
    assert names(tmp_path) == [target]


def test_errors_name_the_target_and_know_whether_others_can_be_written(tmp_path):
    with (
        pytest.raises(OSError, match="too long") as caught,
        atomic_file(tmp_path / ("n" * 256)) as partial,
    ):
        partial.write_text("x")
    assert is_of_one_name(caught.value)
    with pytest.raises(FileNotFoundError) as caught, atomic_file(tmp_path / "a.txt") as partial:
        partial.read_text()
    assert caught.value.filename == str(tmp_path / "a.txt")
    assert not is_of_one_name(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_pipes_and_folders_are_not_replaced_by_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(OSError, match="no regular file"), atomic_file(tmp_path / name):
            pass
    assert names(tmp_path) == ["folder", "pipe"]


def test_versions_count_on_from_the_highest(tmp_path):
    assert next_version(tmp_path / "none") == 1
    for name in ("1", "12", "x", ".partial-1-40", "7"):
        (tmp_path / name).mkdir()
    assert next_version(tmp_path) == 13


def test_a_text_with_the_name_of_a_file_that_is_no_utf_8_is_written(tmp_path):
    atomic.write_text(tmp_path / "a.json", '{"name": "caf\udce9 \u5b57"}')
    assert (tmp_path / "a.json").read_text("utf-8") == '{"name": "caf\\udce9 \u5b57"}'
    assert json.loads((tmp_path / "a.json").read_text("utf-8"))["name"] == "caf\udce9 \u5b57"
