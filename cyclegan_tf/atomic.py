"""Folders that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from cyclegan_tf.errors import UserError

_PARTIAL = re.compile(r"\.partial-(\d+)-.*")


@contextlib.contextmanager
def placed(final: Path, replace: bool = False) -> Iterator[Path]:
    """Gives a new empty folder beside `final`, which takes that name when the block ends without an
    error.

    The folder in the making has a name that starts with a dot, so that TF Serving, which looks for
    numbers, passes it over. What a killed process left behind is removed.

    Args:
      final: the folder to be; its parents are made.
      replace: put it in the place of a folder that is there.

    Raises:
      UserError: `final` exists and is not to be replaced.
    """
    refuse_existing(final, replace)
    final.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_behind(final.parent)
    partial = final.parent / f".partial-{os.getpid()}-{final.name}"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        refuse_existing(final, replace)  # it may have come meanwhile
        if final.exists():
            old = final.parent / f".partial-{os.getpid()}-{final.name}-old"
            os.replace(final, old)
            os.replace(partial, final)
            shutil.rmtree(old)
        else:
            os.replace(partial, final)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def refuse_existing(final: Path, replace: bool = False) -> None:
    """Refuses a folder that is there already.

    Raises:
      UserError: it is, and `replace` is False, or it is not a folder.
    """
    if final.exists() and not (replace and final.is_dir()):
        raise UserError(
            f"{final} exists already; give --overwrite to replace it, or another output folder."
        )


def next_version(model: Path) -> int:
    """The next free version number of a TF Serving model folder, from 1."""
    if not model.is_dir():
        return 1
    return 1 + max(
        (int(entry.name) for entry in model.iterdir() if entry.name.isdecimal()), default=0
    )


def _remove_left_behind(parent: Path) -> None:
    for entry in parent.iterdir():
        match = _PARTIAL.fullmatch(entry.name)
        if match and not _is_running(int(match[1])):
            shutil.rmtree(entry, ignore_errors=True)


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
