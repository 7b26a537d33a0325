"""HTTP connections that end: deadlines for heads and idleness, and room for a newcomer."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from cyclegan_tf.serve.rest import protocol

_MIN_BYTES_READ = 2**16  # by a client, within Patience.answer
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Patience:
    """Seconds that a connection may take while no request of it is under way.

    A request's body and its answer have `Limits.timeout_seconds`.

    Attributes:
      head: from the first byte (of a new connection: from its beginning) to the end of the head.
      idle: without a byte, after an answer.
      unread: for the rest of a body whose request has been answered already.
      answer: in which a client must read 64 KiB of its answer, or all that is left.

    Example:
      >>> Room(limit=500, patience=Patience(head=5.0))
    """

    head: float = 10.0
    idle: float = 75.0
    unread: float = 10.0
    answer: float = 60.0


@dataclass
class Room:
    """The connections of one server.

    Attributes:
      limit: how many may be open.
      patience: with each of them.
      open: those that are, in the order in which they last began to wait.

    Example:
      >>> room = Room(limit=500)
      >>> config = uvicorn.Config(app, http=functools.partial(Connection, room))
    """

    limit: int
    patience: Patience = Patience()
    open: dict[Connection, None] = field(default_factory=dict)
    _full: bool = False

    def enter(self, connection: Connection) -> None:
        """Let a new connection in; the one that has waited longest makes room for it.

        If all are busy, the new one is answered with 503.
        """
        self.open[connection] = None
        if len(self.open) <= self.limit:
            return
        if not self._full:
            _log.warning(
                "%d connections are open, which is the limit; the one that has waited longest is "
                "closed for each new one (this is logged once)",
                self.limit,
            )
            self._full = True
        waiting = (other for other in self.open if other is not connection and not other.busy)
        longest = next(waiting, None)
        if longest is None:
            connection.turn_away()
        else:
            longest.end("another needs its place")

    def renew(self, connection: Connection) -> None:
        """Put a connection behind all others that wait."""
        if self.open.pop(connection, 0) is None:
            self.open[connection] = None


class Connection(H11Protocol):
    """uvicorn's protocol, with a deadline in each state in which uvicorn waits for ever.

    Example:
      >>> config = uvicorn.Config(app, http=functools.partial(Connection, Room(500)))
    """

    def __init__(self, room: Room, **given: Any) -> None:
        super().__init__(**given)
        self._room = room
        self._state: str | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unsent = 0

    @property
    def busy(self) -> bool:
        """Whether a request is under way."""
        return self.cycle is not None and not self.cycle.response_complete

    def _waits_for(self) -> str | None:
        """The field of Patience that holds now; None while a request is under way."""
        if self.transport.is_closing() or self.flow.write_paused:
            return "answer"
        if not self.busy and self.transport.get_write_buffer_size():
            return "answer"
        if self.busy:
            return None
        if self.conn.their_state is h11.SEND_BODY:
            return "unread"
        return "head" if self.cycle is None or self.conn.trailing_data[0] else "idle"

    def _follow(self) -> None:
        """Start the deadline of a state that has just begun; one that goes on keeps its own."""
        state = self._waits_for()
        if state == self._state:
            return
        self._state = state
        self._start_timer()
        if state == "idle":
            self._room.renew(self)

    def _start_timer(self) -> None:
        self._stop_timer()
        if self._state is not None:
            self._unsent = self.transport.get_write_buffer_size()
            seconds = getattr(self._room.patience, self._state)
            self._timer = self.loop.call_later(seconds, self._time_is_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time_is_up(self) -> None:
        left = self.transport.get_write_buffer_size()
        if self._state == "answer" and left <= max(self._unsent - _MIN_BYTES_READ, 0):
            self._state = self._waits_for()
            self._start_timer()
            return
        self.end(f"the time for its {self._state} is up")

    def end(self, why: str) -> None:
        """Close at once, whatever has not been sent."""
        _log.debug("closed a connection: %s", why)
        self._room.open.pop(self, None)
        self._stop_timer()
        self.transport.abort()

    def turn_away(self) -> None:
        """Answer 503 before any request has come, and close."""
        self._room.open.pop(self, None)
        body = protocol.to_json(protocol.error_document("all connections are in use"))
        head = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n"
        head += f"retry-after: 1\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
        self.transport.write(head.encode() + body)
        self.transport.close()

    def connection_made(self, transport: Any) -> None:
        """Enter the room; the head's deadline begins."""
        super().connection_made(transport)
        self._room.enter(self)
        self._follow()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave the room."""
        self._room.open.pop(self, None)
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take bytes in, and see what is waited for now."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        """See what is waited for after an answer."""
        super().on_response_complete()
        self._follow()

    def pause_writing(self) -> None:
        """The client does not read its answer as fast as it is sent."""
        super().pause_writing()
        self._follow()

    def resume_writing(self) -> None:
        """The client has caught up."""
        super().resume_writing()
        self._follow()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in the form of all refusals; where an answer has begun, close."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.end(msg)
            return
        body = protocol.to_json(protocol.error_document(f"Malformed request: {msg}"))
        headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
        headers.append((b"content-length", str(len(body)).encode()))
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
