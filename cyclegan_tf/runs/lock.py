"""The lock of a run directory: one process at a time, let go by the system even after kill -9.

Written here rather than taken from `filelock`, whose versions differ in what matters: some empty a
file that another process holds, some take a file system without locks for a held one, some fall
back on a marker that a killed process leaves behind.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import sys
from pathlib import Path

from cyclegan_tf.atomic import partial_name

_OWN = re.compile(r"(\d+) cyclegan_tf\n")
# Where Windows locks a byte: far behind the text, so that others may read that.
_LOCKED_BYTE = 1 << 30
_HELD = {errno.EACCES, errno.EAGAIN, errno.EDEADLK}
# A start that fails takes its lock file away, perhaps while another process opens it.
_TRIES = 100


class HeldElsewhereError(Exception):
    """Another process holds the lock.

    Attributes:
      holder: its number, or "unknown"; early versions and Windows may not say.
    """

    def __init__(self, holder: str) -> None:
        super().__init__(holder)
        self.holder = holder


class FolderLock:
    """A file that one process holds.

    Args:
      path: of the file; its folder must be there.

    Attributes:
      created: whether this process made the file.
      is_exclusive: False where the file system has no locks, and nothing keeps others out.

    Example:
      >>> lock = FolderLock(Path("runs/demo/.lock"))
      >>> lock.acquire()
      >>> lock.release()
    """

    def __init__(self, path: Path) -> None:
        self._path, self._handle = path, -1
        self.created = self.is_exclusive = False

    def acquire(self) -> None:
        """Takes the lock and writes this process's number into the file, or leaves it untouched.

        Raises:
          HeldElsewhereError: another process holds it.
          OSError: the file cannot be opened; FileNotFoundError where its folder is gone.
        """
        for _ in range(_TRIES):
            self._create_if_missing()
            try:
                self._handle = os.open(self._path, os.O_RDWR)
            except FileNotFoundError:
                continue
            try:
                self._lock()
                if self._is_in_place():
                    self._sign()
                    return
            except BaseException:
                self._close()
                raise
            self._close()
        raise HeldElsewhereError(_holder(self._path))

    def _create_if_missing(self) -> None:
        """Makes the file, signed from the first moment on: a killed start is known as ours."""
        if self._path.exists():
            return
        partial = self._path.with_name(partial_name())
        partial.write_bytes(_signature())
        try:
            os.link(partial, self._path)
            self.created = True
        except FileExistsError:
            pass
        except OSError:  # a file system without hard links
            with contextlib.suppress(FileExistsError), self._path.open("xb") as file:
                file.write(_signature())
                self.created = True
        finally:
            partial.unlink(missing_ok=True)

    def _lock(self) -> None:
        try:
            _lock_at_once(self._handle)
            self.is_exclusive = True
        except OSError as error:
            if error.errno in _HELD:
                raise HeldElsewhereError(_holder(self._path)) from None
            self.is_exclusive = False

    def _is_in_place(self) -> bool:
        """Whether the locked file is still the one of this name: its holder may have removed it
        between our opening and locking it, and a third process made a new one."""
        try:
            return os.path.samestat(os.fstat(self._handle), self._path.stat())
        except FileNotFoundError:
            return False

    def _sign(self) -> None:
        text = _signature()
        # Written over what is there, then cut: a kill in between leaves a signed file.
        os.lseek(self._handle, 0, os.SEEK_SET)
        os.write(self._handle, text)
        os.ftruncate(self._handle, len(text))

    def release(self, remove: bool = False) -> None:
        """Lets go of the lock.

        Args:
          remove: the file as well.
        """
        if remove and sys.platform != "win32":
            self._path.unlink(missing_ok=True)  # while it is held: nobody else's
        self._close()
        if remove and sys.platform == "win32":  # open files cannot be removed there
            with contextlib.suppress(PermissionError):  # another process has it by now
                self._path.unlink(missing_ok=True)

    def _close(self) -> None:
        os.close(self._handle)  # which also unlocks


def _signature() -> bytes:
    return f"{os.getpid()} cyclegan_tf\n".encode()


def is_own(path: Path) -> bool:
    """Whether a file is a lock that this package made."""
    return path.is_file() and not path.is_symlink() and _OWN.match(_text(path)) is not None


def is_of_others(path: Path) -> bool:
    """Whether a file is there, and is no lock that this package made; looks once."""
    try:
        with path.open("rb") as file:
            return _OWN.match(file.read(100).decode("ascii", "replace")) is None
    except FileNotFoundError:
        return path.is_symlink()
    except OSError:
        return True


def _holder(path: Path) -> str:
    match = re.match(r"\d+", _text(path))
    return match[0] if match else "unknown"


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(100).decode("ascii", "replace")
    except OSError:
        return ""


def _lock_at_once(handle: int) -> None:
    """Locks an open file, or raises OSError, of `_HELD` where another process has it."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(handle, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
