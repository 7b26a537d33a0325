"""A bounded queue and worker threads between requests (REST and gRPC) and TensorFlow."""

from __future__ import annotations

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from cyclegan_tf.images import chatter
from cyclegan_tf.serve.models.damage import check_pixels
from cyclegan_tf.serve.models.limits import (
    BAD_REQUEST,
    TOO_MANY,
    Limits,
    RequestError,
    check_inputs,
)
from cyclegan_tf.serve.models.store import ModelStore
from cyclegan_tf.serve.models.versions import ModelVersion, Signature

GIVEN_UP, UNAVAILABLE, TIMED_OUT = 499, 503, 504
_RETRY_AFTER_S = 1
# Errors of TensorFlow that a request can cause; others are faults of the server or the model.
_STATUSES: list[tuple[type[Exception], int]] = [
    (tf.errors.InvalidArgumentError, BAD_REQUEST),
    (tf.errors.OutOfRangeError, BAD_REQUEST),
    (tf.errors.ResourceExhaustedError, TOO_MANY),
    (tf.errors.UnimplementedError, 501),
]

Answer = TypeVar("Answer")


class Ticket:
    """A request that has been let in; it counts until it is answered and no worker is busy with it.

    Attributes:
      started: `time.monotonic()` of its arrival.
      deadline: when its client gets an answer at the latest.
      version: what it runs on, once that is known.

    Example:
      >>> with engine.admit() as ticket:
      ...     ticket.seconds_left
    """

    def __init__(self, seconds: float, started: float | None = None) -> None:
        self.started = time.monotonic() if started is None else started
        self.deadline = self.started + seconds
        self.version: ModelVersion | None = None
        self.holders = 1

    @property
    def seconds_left(self) -> float:
        """Until the deadline, 0 at least."""
        return max(self.deadline - time.monotonic(), 0.0)


class Engine:
    """A few worker threads behind a bounded queue.

    Attributes:
      store: the models.
      limits: what requests may ask for.
      cut_off: requests whose handling was cancelled from outside, as at the end of a stop.

    Example:
      >>> engine = Engine(store, Limits(workers=2))
      >>> with engine.admit() as ticket:
      ...     outputs = await engine.run(ticket, "horse2zebra_xy", None, work)
    """

    def __init__(self, store: ModelStore, limits: Limits) -> None:
        self.store, self.limits, self.cut_off = store, limits, 0
        self._lock = threading.Lock()
        self._admitted = self._running = 0
        self._workers = ThreadPoolExecutor(limits.workers, thread_name_prefix="inference")

    @property
    def waiting(self) -> int:
        """Requests let in that no worker is busy with."""
        with self._lock:
            return self._admitted - self._running

    @property
    def running(self) -> int:
        """Requests that a worker is busy with, those that were given up included."""
        return self._running

    def stop(self) -> None:
        """Take no more work and drop what waits; what is being computed is not waited for."""
        self._workers.shutdown(wait=False, cancel_futures=True)

    def check_queue(self) -> None:
        """Refuse a request whose body has not been read where there is no place for it now.

        Raises:
          RequestError: 429, as many requests wait as may.
        """
        with self._lock:
            self._check_queue()

    def _check_queue(self) -> None:
        if self._admitted >= self.limits.workers + self.limits.max_queue:
            waiting = self._admitted - self._running
            message = f"{waiting} requests are waiting already; try again later"
            raise RequestError(TOO_MANY, message, _RETRY_AFTER_S)

    @contextlib.contextmanager
    def admit(self, started: float | None = None) -> Iterator[Ticket]:
        """Let a request in whose body has been read.

        Args:
          started: `time.monotonic()` of its arrival; now by default.

        Raises:
          RequestError: 429, as many requests wait as may.
        """
        with self._lock:
            self._check_queue()
            self._admitted += 1
        ticket = Ticket(self.limits.timeout_seconds, started)
        try:
            yield ticket
        except asyncio.CancelledError:
            self.cut_off += 1
            raise
        finally:
            self._let_go(ticket)

    def _let_go(self, ticket: Ticket) -> None:
        with self._lock:
            ticket.holders -= 1
            self._admitted -= ticket.holders == 0

    async def run(
        self,
        ticket: Ticket,
        name: str,
        number: int | None,
        work: Callable[[ModelVersion], Answer],
        gone: Coroutine[Any, Any, None] | None = None,
    ) -> Answer:
        """Have a worker do `work` on the version asked for.

        Args:
          ticket: from `admit`.
          name: of the model.
          number: of the version; None for the newest.
          work: called in a worker's thread.
          gone: ends when the client has gone away.

        Returns:
          What `work` returned.

        Raises:
          RequestError: 404 for an unknown model or version, 504 when the time is up, 499 when
            nobody waits, 503 when the server stops.
          Exception: what `work` raised.
        """
        watching = asyncio.ensure_future(gone) if gone is not None else None
        try:
            future = self._submit(ticket, self.store.lease(name, number), work)
            return await self._first_of(future, watching, ticket)
        finally:
            if watching is not None:
                watching.cancel()

    def _submit(
        self, ticket: Ticket, version: ModelVersion, work: Callable[[ModelVersion], Answer]
    ) -> Future[Answer]:
        ticket.version = version
        # Emptied when the request is given up: then it holds no memory while it is in the queue.
        held = [work]

        def busy() -> Answer:
            with self._lock:
                self._running += 1
            try:
                return held[0](version)
            finally:
                with self._lock:
                    self._running -= 1

        def done(_: Future[Answer]) -> None:
            held.clear()
            self.store.give_back(version)
            self._let_go(ticket)

        try:
            future = self._workers.submit(busy)
        except RuntimeError as error:
            self.store.give_back(version)
            raise RequestError(UNAVAILABLE, "the server is stopping") from error
        with self._lock:
            ticket.holders += 1
        future.add_done_callback(done)
        return future

    async def _first_of(
        self, future: Future[Answer], watching: asyncio.Future[None] | None, ticket: Ticket
    ) -> Answer:
        wrapped = asyncio.wrap_future(future)
        # It may have no reader, and asyncio would complain.
        wrapped.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        waited_for: set[asyncio.Future[Any]] = {wrapped} | (
            {watching} if watching is not None else set()
        )
        try:
            await asyncio.wait(
                waited_for, timeout=ticket.seconds_left, return_when=asyncio.FIRST_COMPLETED
            )
            if wrapped.done():
                return wrapped.result()
        finally:
            future.cancel()  # it never starts if it has not, and goes on if it has
        if watching is not None and watching.done():
            raise RequestError(GIVEN_UP, "the client has gone away")
        raise RequestError(
            TIMED_OUT, f"the answer took longer than {self.limits.timeout_seconds:g} s"
        )


def infer(
    version: ModelVersion,
    signature_name: str,
    arrays_for: Callable[[Signature], Mapping[str, np.ndarray]],
    limits: Limits,
) -> tuple[dict[str, np.ndarray], int]:
    """Call a signature with checked inputs.

    Args:
      version: whose signature.
      signature_name: its name.
      arrays_for: gives the inputs by name, strings as object arrays of bytes; may raise
        RequestError.
      limits: of images.

    Returns:
      Outputs by name, and the number of images.

    Raises:
      RequestError: 400 or 413 for what the client can fix, 429 without memory, 500 for a fault of
        the model.
    """
    signature = version.signature(signature_name)
    arrays = arrays_for(signature)
    limits = version.limits(limits, signature_name)
    images = check_inputs(signature.inputs, arrays, limits, signature.decodes_images)
    try:
        is_noisy = signature.decodes_images and check_pixels(arrays)
        with chatter.unheard() if is_noisy else contextlib.nullcontext():
            return signature(arrays), images
    except tf.errors.OpError as error:
        status = next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)
        raise RequestError(status, _in_short(error)) from error


def _in_short(error: tf.errors.OpError) -> str:
    """TensorFlow's message without the place in the graph."""
    text = re.sub(r"\{\{.*?\}\}", "", str(error.message or "").split(" [[")[0])
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    return f"the model refused: {lines[-1][:300]}" if lines else type(error).__name__
