"""How a request for an inference is answered, whatever its body and its answer look like."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fastapi import Request, Response

from cyclegan_tf.serve.http.bodies import Bodies
from cyclegan_tf.serve.models.engine import UNAVAILABLE, Engine
from cyclegan_tf.serve.models.limits import RequestError
from cyclegan_tf.serve.models.metrics import Metrics
from cyclegan_tf.serve.models.versions import ModelVersion
from cyclegan_tf.serve.rest import protocol

FAULT = "the server met a fault of its own; see its log"
_log = logging.getLogger(__name__)


class Made(NamedTuple):
    """What a worker made of a request.

    Attributes:
      content: of the answer.
      images: how many it translated.
      media_type: of the content.

    Example:
      >>> Made(b'{"predictions": []}', images=0)
    """

    content: bytes
    images: int
    media_type: str = "application/json"


def json_answer(
    document: Any, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Answer with JSON."""
    content = document if isinstance(document, bytes) else protocol.to_json(document)
    return Response(content, status, headers=dict(headers or {}), media_type="application/json")


def refusal_answer(error: RequestError) -> Response:
    """Answer a request that cannot be answered as it was meant."""
    wait = {} if error.retry_after is None else {"retry-after": str(error.retry_after)}
    return json_answer(protocol.error_document(error.message), error.status, wait)


class Answering:
    """Reads a body, waits in the queue, has a worker do the work, counts.

    Args:
      engine: what computes.
      metrics: where answers are counted.

    Example:
      >>> answering = Answering(engine, metrics)
      >>> work = lambda version, body: Made(body, images=1)
      >>> response = await answering(request, "horse2zebra_xy", None, work)
    """

    def __init__(self, engine: Engine, metrics: Metrics) -> None:
        self._engine, self._metrics = engine, metrics
        self._bodies = Bodies(engine.limits)

    async def __call__(
        self,
        request: Request,
        name: str,
        number: int | None,
        work: Callable[[ModelVersion, bytes], Made],
    ) -> Response:
        """Answer a request.

        Args:
          request: whose body has not been read.
          name: of the model.
          number: of the version; None for the newest.
          work: on the body, inflated; called in a worker's thread.

        Raises:
          RequestError: 404 for an unknown model or version; others become the answer.
        """
        # Unknown names are refused before a body is read. A request takes its place in the queue
        # when its body is there, so that slow ones keep nobody out.
        started = time.monotonic()
        known = self._engine.store.get(name, number)
        request.scope["served"] = (known.model, str(known.number))
        try:
            made, finished = await self._made(request, known, number, work, started)
        except RequestError as error:
            return refusal_answer(error)
        except asyncio.CancelledError:
            # The grace of a stop has ended; the client gets an answer rather than no more bytes.
            return refusal_answer(
                RequestError(UNAVAILABLE, "the server stopped before the answer was ready")
            )
        except Exception:  # one request's fault must not end in a closed connection
            _log.exception("a request to %s failed", name)
            return json_answer(protocol.error_document(FAULT), 500)
        request.scope["served"] = (finished.model, str(finished.number))
        seconds = time.monotonic() - started
        self._metrics.count_images("rest", finished.model, finished.number, made.images, seconds)
        return Response(made.content, media_type=made.media_type)

    async def _made(
        self,
        request: Request,
        known: ModelVersion,
        number: int | None,
        work: Callable[[ModelVersion, bytes], Made],
        started: float,
    ) -> tuple[Made, ModelVersion]:
        engine = self._engine
        engine.check_queue()
        body = await self._bodies.read(request, engine.limits.timeout_seconds)
        with engine.admit(started) as ticket:

            def on(version: ModelVersion) -> Made:
                return work(version, self._bodies.decode(request, body))

            made = await engine.run(ticket, known.model, number, on, _gone(request))
            return made, ticket.version or known


async def _gone(request: Request) -> None:
    """Ends when the client closes the connection; the body has been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
