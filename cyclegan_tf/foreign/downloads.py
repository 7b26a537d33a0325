"""Downloads that a library makes, and that must not hang."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

_TIMEOUT_S = 20


@contextmanager
def short_timeout() -> Iterator[None]:
    """Within it, a server that does not answer is an error after 20 seconds."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
