"""Bodies of requests, read before a request takes a place in the queue."""

from __future__ import annotations

import asyncio
import zlib
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect

from cyclegan_tf.serve.models.engine import GIVEN_UP
from cyclegan_tf.serve.models.limits import BAD_REQUEST, TOO_LARGE, TOO_MANY, Limits, RequestError

_TOO_SLOW, _WRONG_ENCODING = 408, 415
_GZIP = ("gzip", "x-gzip")
_RETRY_AFTER_S = 1
_GZIP_WINDOW = 31  # zlib's number for a gzip file with any window
_WHOLE_BODIES = 8  # so many of the longest may be on their way at once


@dataclass(eq=False)
class _Arriving:
    task: asyncio.Task[bytes] | None = None
    bytes: int = 0
    given_up: bool = False


class Bodies:
    """The bodies that are arriving.

    Together they may hold so many bytes; where that is not enough, the one that has been arriving
    for the longest time is given up, which is a slow one.

    Attributes:
      bytes: of all bodies that are arriving.

    Example:
      >>> bodies = Bodies(Limits())
      >>> data = await bodies.read(request, seconds=60.0)
    """

    def __init__(self, limits: Limits) -> None:
        self._max_bytes = limits.max_body_bytes
        self._max_bytes_of_all = _WHOLE_BODIES * limits.max_body_bytes
        self._arriving: dict[_Arriving, None] = {}
        self.bytes = 0

    async def read(self, request: Any, seconds: float) -> bytes:
        """Read a body of at most `Limits.max_body_bytes`, whatever its headers say.

        Args:
          request: a starlette Request.
          seconds: until it must be there.

        Raises:
          RequestError: 413 too long, 415 compressed otherwise than by gzip, 408 too slow,
            429 given up, 499 the client went away.
        """
        self._check_head(request)
        arriving = _Arriving()
        task = arriving.task = asyncio.ensure_future(self._collect(request, arriving))
        self._arriving[arriving] = None
        try:
            await asyncio.wait({task}, timeout=seconds)
            if task.done() and not task.cancelled():
                return task.result()
        except ClientDisconnect as error:
            raise RequestError(GIVEN_UP, "the client has gone away") from error
        finally:
            task.cancel()
            del self._arriving[arriving]
            self._forget(arriving)
        if arriving.given_up:
            raise RequestError(
                TOO_MANY, "too many bodies are arriving, and this one was slow", _RETRY_AFTER_S
            )
        raise RequestError(_TOO_SLOW, "the body did not arrive in time")

    def decode(self, request: Any, data: bytes) -> bytes:
        """Inflate a body if its head says that it is compressed; this may take a while.

        Raises:
          RequestError: 400 no whole gzip file, 413 longer than `Limits.max_body_bytes`.
        """
        if request.headers.get("content-encoding", "").lower() not in _GZIP:
            return data
        parts, length = [], 0
        while data:
            inflater = zlib.decompressobj(wbits=_GZIP_WINDOW)
            try:
                parts.append(inflater.decompress(data, self._max_bytes + 1 - length))
            except zlib.error as error:
                raise RequestError(BAD_REQUEST, f"the body is no gzip file ({error})") from error
            length += len(parts[-1])
            if length > self._max_bytes:
                raise self._too_long()
            if not inflater.eof:
                raise RequestError(BAD_REQUEST, "the body is a gzip file that was cut off")
            data = inflater.unused_data
        return b"".join(parts)

    def _check_head(self, request: Any) -> None:
        if request.headers.get("content-encoding", "").lower() not in ("", "identity", *_GZIP):
            raise RequestError(
                _WRONG_ENCODING, "of compressed bodies, those of gzip are read; send JSON as it is"
            )
        announced = request.headers.get("content-length", "0")
        if announced.isdecimal() and int(announced[:20]) > self._max_bytes:
            raise self._too_long()

    def _too_long(self) -> RequestError:
        return RequestError(
            TOO_LARGE, f"the body is longer than {self._max_bytes:,} bytes, which is the limit"
        )

    async def _collect(self, request: Any, arriving: _Arriving) -> bytes:
        parts = []
        async for part in request.stream():
            parts.append(part)
            arriving.bytes += len(part)
            self.bytes += len(part)
            if arriving.bytes > self._max_bytes:
                raise self._too_long()
            if self.bytes > self._max_bytes_of_all:
                self._give_up_slowest()
        return b"".join(parts)

    def _give_up_slowest(self) -> None:
        slowest = next(other for other in self._arriving if not other.given_up)
        slowest.given_up = True
        self._forget(slowest)
        if slowest.task is not None:
            slowest.task.cancel()

    def _forget(self, arriving: _Arriving) -> None:
        self.bytes -= arriving.bytes
        arriving.bytes = 0
