"""Files and folders that appear whole or not at all.

Everything is written beside its target under a short name that starts with a dot, and takes the
target's name when it is complete. What a killed process left is removed by the next writer.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from cyclegan_tf.errors import UserError

# `.partial-<process>-<random>`: as short for a long target as for a short one, and passed over by
# TF Serving, which looks for numbers.
_PARTIAL = re.compile(r"\.partial-(\d+)-[0-9a-f]{8}(\..+)?")
# Folders this process has looked through: once is enough, and a folder may hold a million files.
_searched: set[str] = set()


@contextlib.contextmanager
def atomic_file(target: str | os.PathLike, *, durable: bool = False) -> Iterator[Path]:
    """Gives a path to write to, which becomes `target` when the block ends without an error.

    Args:
      target: the file to be, replaced if it is there; its folder is made. Its last suffix is kept
        by the partial file, since writers choose the format by it.
      durable: flush the file and its folder to the disk first, so that both survive a power cut.

    Raises:
      OSError: the disk is full, or the folder cannot be written; the old file stays.

    Example:
      >>> with atomic_file("report.html") as partial:
      ...     partial.write_text("<html></html>")
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target.parent)
    partial = _partial_name(target.parent, target.suffix)
    try:
        yield partial
        if durable:
            _sync(partial, os.O_RDWR)
        os.replace(partial, target)
        if durable:
            _sync_folder(target.parent)
    finally:
        partial.unlink(missing_ok=True)


def write_text(target: str | os.PathLike, text: str) -> None:
    """Writes a small UTF-8 file whole or not at all.

    Raises:
      OSError: see `atomic_file`.
    """
    with atomic_file(target) as partial:
        partial.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def atomic_directory(target: Path, replace: bool = False) -> Iterator[Path]:
    """Gives a new empty folder, which becomes `target` when the block ends without an error.

    Args:
      target: the folder to be; its parents are made.
      replace: put it in the place of a folder that is there.

    Raises:
      UserError: `target` exists and is not to be replaced.
      OSError: it cannot be written; the old folder stays.

    Example:
      >>> with atomic_directory(Path("shipped"), replace=True) as partial:
      ...     (partial / "model.onnx").write_bytes(b"...")
    """
    refuse_existing(target, replace)
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target.parent)
    partial = _partial_name(target.parent)
    partial.mkdir()
    try:
        yield partial
        refuse_existing(target, replace)  # it may have come meanwhile
        if target.exists():
            old = _partial_name(target.parent)
            os.replace(target, old)
            os.replace(partial, target)
            shutil.rmtree(old)
        else:
            os.replace(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def refuse_existing(target: Path, replace: bool = False) -> None:
    """Refuses a folder that is there already.

    Raises:
      UserError: it is, and `replace` is False, or it is not a folder.
    """
    if target.exists() and not (replace and target.is_dir()):
        raise UserError(
            f"{target} exists already; give --overwrite to replace it, or another output folder.",
            code="exists",
            field=str(target),
        )


def next_version(model: Path) -> int:
    """The next free version number of a TF Serving model folder, from 1."""
    if not model.is_dir():
        return 1
    return 1 + max(
        (int(entry.name) for entry in model.iterdir() if entry.name.isdecimal()), default=0
    )


def _partial_name(folder: Path, suffix: str = "") -> Path:
    return folder / f".partial-{os.getpid()}-{secrets.token_hex(4)}{suffix}"


def _remove_abandoned(folder: Path) -> None:
    """Removes what processes that no longer run have left."""
    if (name := str(folder.absolute())) in _searched:
        return
    _searched.add(name)
    for entry in folder.iterdir():
        match = _PARTIAL.fullmatch(entry.name)
        if not match or _is_running(int(match[1])):
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)


def _is_running(pid: int) -> bool:
    if os.name == "nt":  # there, asking with signal 0 would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync_folder(folder: Path) -> None:
    """Makes the rename itself survive a power cut, where the system can open folders."""
    if hasattr(os, "O_DIRECTORY"):
        _sync(folder, os.O_RDONLY | os.O_DIRECTORY)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
