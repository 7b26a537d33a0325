"""Files and folders that appear whole or not at all.

Everything is written beside its target under a short name that starts with a dot, and takes the
target's name when it is complete. What a killed process left is removed, or put back, by the next
writer in the same folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import hashlib
import os
import platform
import re
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cyclegan_tf.errors import UserError

# `.partial-<process>-<machine>-<random>-<check>`: as short for a long target as for a short one,
# and passed over by TF Serving, which looks for numbers.
_PARTIAL = re.compile(r"\.partial-((\d+)-([0-9a-f]{4})-[0-9a-f]{8})-([0-9a-f]{8})(\..+)?")
# Longer endings name no format, and would make the name grow with the target's.
_LONGEST_SUFFIX = 16
# Names of this process that are in use.
_own: set[str] = set()
# Folders this process has looked through: once is enough, and a folder may hold a million files.
_searched: set[str] = set()
# Of other machines it cannot be known whether a process still runs.
_ABANDONED_SECONDS = 24 * 3600
# A folder that waits for another to take its place lies in one of this ending, with its name.
_HOLDER, _REPLACED, _NAME = ".replaced", "replaced", "name"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # of Linux's <fcntl.h> and <stdio.h>
_OF_ONE_NAME = (errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ)


@contextlib.contextmanager
def atomic_file(target: str | os.PathLike, *, durable: bool = False) -> Iterator[Path]:
    """Gives a path to write to, which becomes `target` when the block ends without an error.

    Args:
      target: the file to be, replaced if it is there; its folder is made. Its last suffix is kept
        by the partial file, since writers choose the format by it.
      durable: flush the file and its folder to the disk first, so that both survive a power cut.

    Raises:
      OSError: the disk is full, the folder cannot be written, or the target is a folder, a device
        or a pipe; what is there stays.

    Example:
      >>> with atomic_file("report.html") as partial:
      ...     partial.write_text("<html></html>")
    """
    target = Path(target)
    if target.exists() and not target.is_file():
        raise OSError(errno.EEXIST, "it is there and is no regular file", str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    with _partial(target.parent, target.suffix) as partial:
        try:
            yield partial
            if durable:
                _sync(partial, os.O_RDWR)
            os.replace(partial, target)
        except OSError as error:
            if error.filename == str(partial):
                error.filename = str(target)  # the name that the reader of a message knows
            raise
        if durable:
            _sync_folder(target.parent)


def write_text(target: str | os.PathLike, text: str, *, durable: bool = False) -> None:
    """Writes a small UTF-8 file whole or not at all.

    Of names of files that are no UTF-8, escapes are written, as JSON has them.

    Args:
      target: the file to be, replaced if it is there.
      text: what it holds.
      durable: see `atomic_file`.

    Raises:
      OSError: see `atomic_file`.
    """
    with atomic_file(target, durable=durable) as partial:
        partial.write_text(text, encoding="utf-8", errors="backslashreplace")


@contextlib.contextmanager
def atomic_directory(
    target: Path, replace: bool = False, mark: str | None = None
) -> Iterator[Path]:
    """Gives a new empty folder, which becomes `target` when the block ends without an error.

    Args:
      target: the folder to be; its parents are made.
      replace: put it in the place of a folder that is there; in the place of a link, whose folder
        then stays where it is.
      mark: see `refuse_existing`.

    Raises:
      UserError: `target` exists and is not to be replaced.
      OSError: it cannot be written; the old folder stays.

    Example:
      >>> with atomic_directory(Path("shipped"), replace=True) as partial:
      ...     (partial / "model.onnx").write_bytes(b"...")
    """
    refuse_existing(target, replace, mark)
    place = Path(os.path.abspath(target))
    place.parent.mkdir(parents=True, exist_ok=True)
    with scratch_directory(place.parent) as partial:
        refuse_existing(target, replace, mark)  # it may have been put back
        yield partial
        refuse_existing(target, replace, mark)  # it may have come meanwhile
        _put_in_place(partial, place)


@contextlib.contextmanager
def scratch_directory(folder: Path) -> Iterator[Path]:
    """Gives a new folder in an existing one, which is gone afterwards.

    After a kill, the next writer in `folder` removes it.

    Raises:
      OSError: `folder` cannot be written.
    """
    with _partial(folder) as partial:
        partial.mkdir()
        yield partial


def refuse_existing(target: Path, replace: bool = False, mark: str | None = None) -> None:
    """Refuses a folder that is there already.

    Args:
      target: the folder to be.
      replace: allow a folder that is there.
      mark: name of a file by which a folder that may be replaced is known; None takes any.

    Raises:
      UserError: it is, and `replace` is False, or it is not a folder, or holds other things.
    """
    if not os.path.lexists(target):
        return
    is_folder = target.is_dir() or (target.is_symlink() and not target.exists())
    if not (replace and is_folder):
        raise UserError(
            f"{target} exists already; give --overwrite to replace it, or another output folder.",
            code="exists",
            field=str(target),
        )
    if mark and target.is_dir() and any(target.iterdir()) and not (target / mark).is_file():
        raise UserError(
            f"{target} holds something else than this command writes (it has no {mark}) and is "
            "left as it is; give another output folder.",
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


def is_of_one_name(error: OSError) -> bool:
    """Whether an error is about a name that the file system does not take.

    It is too long, or has characters that are not for this file system: others can be written.
    """
    return error.errno in _OF_ONE_NAME


def partial_name(suffix: str = "") -> str:
    """A new name for what is not complete yet.

    It holds the process, the machine, and a check by which it is known as made here, since nothing
    else is ever removed. For this process it is in use from now on.

    Args:
      suffix: to end in.
    """
    start = f"{os.getpid()}-{_machine()}-{secrets.token_hex(4)}"
    name = f".partial-{start}-{_check(start)}{suffix}"
    _own.add(name)
    return name


def is_partial(name: str) -> bool:
    """Whether a name is one of `partial_name`, of this or any other process."""
    match = _PARTIAL.fullmatch(name)
    return match is not None and _check(match[1]) == match[4]


def is_abandoned(name: str, last_change: Callable[[], float]) -> bool:
    """Whether a name is of `partial_name` and of a process that no longer runs.

    Args:
      name: of a file or folder.
      last_change: gives the time, in seconds, at which its content changed; asked where the
        machine is another one, whose processes count as gone after a day without a change.
    """
    match = _PARTIAL.fullmatch(name)
    if not match or not is_partial(name) or name in _own:
        return False
    if match[3] != _machine():
        return last_change() < time.time() - _ABANDONED_SECONDS
    # Another of this number has ended: numbers are used again, in a container at each start.
    return int(match[2]) == os.getpid() or not _is_running(int(match[2]))


@contextlib.contextmanager
def _partial(folder: Path, suffix: str = "") -> Iterator[Path]:
    """Gives a path of our own in a folder; what lies there in the end is removed."""
    _remove_abandoned(folder)
    name = partial_name(suffix if len(suffix) <= _LONGEST_SUFFIX else "")
    try:
        yield folder / name
    finally:
        with contextlib.suppress(OSError):  # of the disk that was full, which is said already
            _remove(folder / name)
        _own.discard(name)


def _put_in_place(new: Path, target: Path) -> None:
    """Gives a folder its name; what has it now lies under the old name of `new`, or is gone."""
    if not os.path.lexists(target):
        os.replace(new, target)
    elif not _exchange(new, target):
        _replace_in_two_steps(new, target)


def _exchange(one: Path, other: Path) -> bool:
    """Swaps two names in one step; False where the system, or the file system, cannot."""
    swap = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    if swap is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    return swap(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0


def _replace_in_two_steps(new: Path, target: Path) -> None:
    """Replaces a folder such that it can be put back after a kill between the steps."""
    with _partial(target.parent, _HOLDER) as holder:
        holder.mkdir()
        (holder / _NAME).write_bytes(os.fsencode(target.name))
        _sync(holder / _NAME, os.O_RDWR)
        os.replace(target, holder / _REPLACED)
        os.replace(new, target)


def _remove_abandoned(folder: Path) -> None:
    """Removes what processes that no longer run have left, after putting back what they took."""
    if (name := str(folder.absolute())) in _searched:
        return
    _searched.add(name)
    with contextlib.suppress(OSError):  # where names cannot be listed, files can still be written
        names = [name for name in os.listdir(folder) if name.startswith(".partial-")]
        # Holders first: what waits in them goes back before anything is removed.
        for name in sorted(names, key=lambda name: not name.endswith(_HOLDER)):
            if is_abandoned(name, functools.partial(_last_change, folder / name)):
                with contextlib.suppress(OSError):  # it may be somebody else's to remove
                    _remove(folder / name)


def _remove(path: Path) -> None:
    """Removes a file, a link or a folder, if it is there; of a holder, puts back what waits."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    waiting = path / _REPLACED
    if path.suffix == _HOLDER and os.path.lexists(waiting):
        target = path.parent / os.fsdecode((path / _NAME).read_bytes())
        if not os.path.lexists(target):
            os.replace(waiting, target)
        elif target.samefile(path.parent):
            return  # the power was cut before its name was written
    shutil.rmtree(path, ignore_errors=True)


def _last_change(path: Path) -> float:
    """When anything in a file or folder changed last."""
    inner = (Path(parent, name) for parent, _, names in os.walk(path) for name in names)
    return max(each.lstat().st_mtime for each in (path, *inner))


def _check(start: str) -> str:
    return hashlib.sha256(f"cyclegan_tf {start}".encode()).hexdigest()[:8]


@functools.lru_cache
def _machine() -> str:
    """Four digits for the machine, or the container, within which process numbers are unique."""
    names = platform.node()
    with contextlib.suppress(OSError):
        names += os.readlink("/proc/self/ns/pid")
    return hashlib.sha256(names.encode()).hexdigest()[:4]


def _is_running(pid: int) -> bool:
    if os.name == "nt":  # there, asking with signal 0 would end the process
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
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
