"""How many files and sockets a process may have open, and how many are for connections."""

from __future__ import annotations

import os

_WANTED = 2**16
_SPARE = 64  # files of models that are being loaded, gRPC's sockets, log files
_MAX_CONNECTIONS = 4096  # memory follows them
_MIN_CONNECTIONS = 8
_MAX_WAITING = 1024


def raise_limit() -> int:
    """Raise this process's limit of open descriptors as far as it may; return the limit.

    Where the system has no such limit (Windows), `_WANTED` is returned.
    """
    try:
        import resource
    except ImportError:
        return _WANTED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = resource.RLIM_INFINITY
    wanted = _WANTED if hard == unlimited else min(hard, _WANTED)
    if soft != unlimited and soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
        except (ValueError, OSError):  # some systems forbid what they announce
            pass
    return _WANTED if soft == unlimited else soft


def shares(limit: int) -> tuple[int, int]:
    """Divide the descriptors: connections at most, and how many are taken in at once.

    What asyncio takes in at once it takes before anything is closed for it, so it comes on top, and
    once more for what is being closed.

    Args:
      limit: of descriptors, from `raise_limit`.
    """
    waiting = min(max(limit // 8, _MIN_CONNECTIONS), _MAX_WAITING)
    free = limit - _in_use() - _SPARE - 2 * waiting
    return min(max(free, _MIN_CONNECTIONS), _MAX_CONNECTIONS), waiting


def _in_use() -> int:
    try:
        return len(os.listdir("/dev/fd"))
    except OSError:
        return _SPARE
