"""The server as a process: its socket, its signals, its orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import math
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from cyclegan_tf.errors import UserError
from cyclegan_tf.serve import descriptors
from cyclegan_tf.serve.http.connections import Connection, Room
from cyclegan_tf.serve.models.engine import Engine

_BACKLOG = 1024
_LOG_AGAIN_SECONDS = 60.0
_LAST_ANSWERS_SECONDS = 0.05
_log = logging.getLogger(__name__)


def log_to_stdout(verbose: bool) -> None:
    """Log one line per event on standard output, with the time; `verbose` adds one per request."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"))
    for name, level in {
        "cyclegan_tf.serve": logging.DEBUG if verbose else logging.INFO,
        "uvicorn.error": logging.ERROR,  # it warns of each request that is no HTTP
    }.items():
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


def listen(host: str, port: int) -> socket.socket:
    """Open a listening socket.

    Args:
      host: name or address.
      port: 0 takes a free one.

    Raises:
      UserError: the address cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with contextlib.ExitStack() as until_bound:
            bound = until_bound.enter_context(socket.socket(family, kind, protocol))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(_BACKLOG)
            until_bound.pop_all()
    except (OSError, OverflowError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"cannot listen on port {port} of {host} ({why}); choose another --port or --host.",
            code="in_use",
            field="--port",
        ) from error
    return bound


def url_of(listening: socket.socket) -> str:
    """The address of a listening socket, for a browser."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers, which end the process by the signal that came."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _uvicorn_config(app: Any, grace_seconds: float, room: Room, backlog: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=functools.partial(Connection, room),  # type: ignore[arg-type]
        ws="none",
        log_config=None,
        log_level="error",
        access_log=False,
        lifespan="off",
        server_header=False,
        backlog=backlog,
        timeout_keep_alive=math.ceil(room.patience.idle),
        timeout_graceful_shutdown=grace_seconds,  # type: ignore[arg-type]
    )


class _LogOnce:
    """asyncio's exception handler that logs a failing accept once a minute.

    Without descriptors, asyncio reports each of the waiting connections, again and again.
    """

    def __init__(self) -> None:
        self._next = 0.0

    def __call__(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), OSError) or "socket" not in context:
            loop.default_exception_handler(context)
        elif time.monotonic() >= self._next:
            self._next = time.monotonic() + _LOG_AGAIN_SECONDS
            _log.error("no connection can be taken in: %s", context["exception"])


async def serve_until_stopped(
    app: Any,
    engine: Engine,
    listening: socket.socket,
    grace_seconds: float,
    start_grpc: Callable[[], Any] | None = None,
) -> bool:
    """Serve until SIGTERM or SIGINT, then finish what is in flight and take nothing new.

    A second signal ends it at once.

    Args:
      app: ASGI application.
      engine: its store is started and stopped here.
      listening: from `listen`; closed at the end.
      grace_seconds: how long requests in flight may take after the signal.
      start_grpc: coroutine function that starts a gRPC server.

    Returns:
      False if requests had to be cut off.
    """
    most, backlog = descriptors.shares(descriptors.raise_limit())
    config = _uvicorn_config(app, grace_seconds, Room(most), backlog)
    server, stopping = _Server(config), asyncio.Event()

    def stop() -> None:
        server.force_exit = stopping.is_set()
        server.should_exit = True
        stopping.set()

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_LogOnce())
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    grpc_server = await start_grpc() if start_grpc else None
    _log.info("listening on %s", url_of(listening))
    engine.store.start()
    http = asyncio.ensure_future(server.serve(sockets=[listening]))
    waiting = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({http, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    cut_off, in_flight = engine.cut_off, engine.waiting + engine.running
    _log.info("stopping: finishing %d requests, within %g s", in_flight, grace_seconds)
    if grpc_server is not None:
        await asyncio.gather(http, grpc_server.stop(grace_seconds))
    await http
    # What was cancelled at the end of the grace sends its answers.
    await asyncio.sleep(_LAST_ANSWERS_SECONDS)
    cut_off = engine.cut_off - cut_off
    _log.info("stopped%s", f"; {cut_off} requests were cut off" if cut_off else "")
    return cut_off == 0
