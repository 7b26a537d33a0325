"""The HTTP application: TF Serving's REST addresses, the page, health and metrics."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Route

from cyclegan_tf.serve.http import addresses, origins, page
from cyclegan_tf.serve.http.answering import (
    FAULT,
    Answering,
    Made,
    json_answer,
    refusal_answer,
)
from cyclegan_tf.serve.http.translate import add_translate
from cyclegan_tf.serve.models.engine import UNAVAILABLE, Engine, infer
from cyclegan_tf.serve.models.limits import BAD_REQUEST, NOT_FOUND, RequestError
from cyclegan_tf.serve.models.metrics import CONTENT_TYPE, Metrics
from cyclegan_tf.serve.models.versions import ModelVersion
from cyclegan_tf.serve.rest import protocol
from cyclegan_tf.serve.rest.answers import encode_response

Scope = MutableMapping[str, Any]
AsgiCallable = Callable[[Scope, Callable, Callable], Awaitable[None]]

_MAX_VERSION_DIGITS = 18
_FORBIDDEN = 403
_READING = ["GET", "HEAD"]
_METRICS_OF_TF_SERVING = "/monitoring/prometheus/metrics"
_NO_PAGE = "The page is not part of this installation (cyclegan_tf/page/index.html is missing)."
_log = logging.getLogger(__name__)


def build_app(
    engine: Engine,
    metrics: Metrics,
    page_folder: Path = page.FOLDER,
    hosts: Collection[str] | None = None,
) -> AsgiCallable:
    """Build the application.

    Args:
      engine: what computes; its store says which models there are.
      metrics: where requests are counted.
      page_folder: files of the page, looked through once, now.
      hosts: names that `Host` and `Origin` may have beside those of this machine; None for any,
        where the server listens to others anyway.

    Returns:
      An ASGI callable.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    files = page.page_files(page_folder)
    _add_errors(app, files)
    _add_models(app, engine)
    answering = Answering(engine, metrics)
    _add_predict(app, engine, answering)
    add_translate(app, engine, answering)
    _add_operation(app, engine, metrics)
    _add_page(app, engine, files)
    return Observed(app, metrics, hosts)


class Observed:
    """Middleware around all: adds the headers of every answer, counts and logs requests.

    Requests that a page of another place may have sent, and those of two lengths, are refused.

    Example:
      >>> app = Observed(FastAPI(), Metrics())
      >>> uvicorn.run(app)
    """

    def __init__(
        self, app: AsgiCallable, metrics: Metrics, hosts: Collection[str] | None = None
    ) -> None:
        self._app, self._metrics, self._hosts = app, metrics, hosts

    async def __call__(self, scope: Scope, receive: Callable, send: Callable) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.monotonic(), 500
        scope = {**scope, "path": addresses.canonical(scope["path"])}

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = [
                    (key.encode(), value.encode()) for key, value in page.SECURITY_HEADERS.items()
                ]
                message = {**message, "headers": [*message["headers"], *extra]}
            await send(message)

        try:
            app = self._refusal(scope["headers"]) or self._app
            await app(scope, receive, send_with_headers)
        finally:
            model, version = scope.get("served", ("", ""))
            self._metrics.count_answer("rest", model, version, str(status))
            seconds = time.monotonic() - started
            _log.debug("%s %r %d %.3f s", scope["method"], scope["path"][:200], status, seconds)

    def _refusal(self, headers: list[tuple[bytes, bytes]]) -> AsgiCallable | None:
        """The answer to a request that goes no further, or None."""
        if origins.has_two_lengths(headers):
            # What follows could be another request, or not: the connection is closed.
            message = "Content-Length and Transfer-Encoding contradict each other"
            document = protocol.error_document(message)
            return json_answer(document, BAD_REQUEST, {"connection": "close"})
        why = None if self._hosts is None else origins.refusal(headers, self._hosts)
        return None if why is None else json_answer(protocol.error_document(why), _FORBIDDEN)


def _add_errors(app: FastAPI, files: Collection[str]) -> None:
    @app.exception_handler(RequestError)
    async def refused(request: Request, error: RequestError) -> Response:  # noqa: ARG001
        return refusal_answer(error)

    @app.exception_handler(HTTPException)
    async def no_such_address(request: Request, error: HTTPException) -> Response:
        path = request.url.path
        message = f"Malformed request: {request.method} {path[:200]}"
        status, headers = error.status_code, error.headers
        if addresses.is_of_models(path):
            status, headers = BAD_REQUEST, None
        elif path[1:] not in files and path not in {"/", *_own_addresses(app)}:
            status, headers = NOT_FOUND, None  # whatever the method
        return json_answer(protocol.error_document(message), status, headers)

    @app.exception_handler(Exception)
    async def fault(request: Request, error: Exception) -> Response:  # noqa: ARG001
        return json_answer(protocol.error_document(FAULT), 500)


def _own_addresses(app: FastAPI) -> set[str]:
    return {route.path for route in app.routes if isinstance(route, Route)}


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or len(text) > _MAX_VERSION_DIGITS:
        raise RequestError(BAD_REQUEST, f"Failed to convert version: {text[:50]} to numeric.")
    return int(text)


def _add_models(app: FastAPI, engine: Engine) -> None:
    store = engine.store

    @app.get("/v1/models")
    async def models() -> Response:
        listed = [
            {"name": name, **protocol.status_document(store.statuses(name))}
            for name in store.names()
        ]
        return json_answer({"models": listed})

    @app.get("/v1/models/{name}")
    async def status(name: str) -> Response:
        if ":" in name:
            raise RequestError(BAD_REQUEST, f"Malformed request: GET /v1/models/{name[:200]}")
        return json_answer(protocol.status_document(store.statuses(name)))

    @app.get("/v1/models/{name}/versions/{version}")
    async def version_status(name: str, version: str) -> Response:
        return json_answer(protocol.status_document(store.statuses(name, _number(version))))

    def metadata_of(version: ModelVersion) -> Response:
        return json_answer(
            protocol.metadata_document(version.model, version.number, version.signature_defs)
        )

    @app.get("/v1/models/{name}/metadata")
    async def metadata(name: str) -> Response:
        return metadata_of(store.get(name))

    @app.get("/v1/models/{name}/versions/{version}/metadata")
    async def version_metadata(name: str, version: str) -> Response:
        return metadata_of(store.get(name, _number(version)))


def _add_predict(app: FastAPI, engine: Engine, answering: Answering) -> None:
    def work(version: ModelVersion, body: bytes) -> Made:
        asked = protocol.parse_body(body)
        outputs, images = infer(
            version,
            asked.signature_name,
            lambda signature: protocol.input_arrays(asked, signature.inputs),
            engine.limits,
        )
        return Made(encode_response(outputs, asked.rows), images)

    @app.post("/v1/models/{name}:predict")
    async def predict(request: Request, name: str) -> Response:
        return await answering(request, name, None, work)

    @app.post("/v1/models/{name}/versions/{version}:predict")
    async def predict_version(request: Request, name: str, version: str) -> Response:
        return await answering(request, name, _number(version), work)


def _add_operation(app: FastAPI, engine: Engine, metrics: Metrics) -> None:
    @app.api_route("/health", methods=_READING)
    async def health() -> Response:
        ready = engine.store.ready
        served = {version.model: version.number for version in engine.store.newest()}
        document = {"status": "ok" if ready else "loading or stopping", "models": served}
        return json_answer(document, 200 if ready else UNAVAILABLE, {"cache-control": "no-store"})

    @app.api_route("/metrics", methods=_READING)
    @app.api_route(_METRICS_OF_TF_SERVING, methods=_READING)
    async def prometheus() -> Response:
        return Response(
            metrics.text(), headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"}
        )


def _add_page(app: FastAPI, engine: Engine, files: Mapping[str, Path]) -> None:
    @app.api_route("/models.json", methods=_READING)
    async def models() -> Response:
        document = page.models_document(engine.store.newest(), engine.limits, engine.store.loading)
        return json_answer(document, headers={"cache-control": "no-store"})

    @app.api_route("/{address:path}", methods=_READING)
    async def file(request: Request, address: str) -> Response:
        name = address or page.INDEX
        # Only what was found when the server started: an address is a key here, never a path.
        if name not in files:
            message = f"Malformed request: {request.method} /{address[:200]}"
            status = BAD_REQUEST if addresses.is_of_models(f"/{address}") else NOT_FOUND
            raise RequestError(status, _NO_PAGE if name == page.INDEX else message)
        headers = {"content-type": page.content_type(name), "cache-control": "no-cache"}
        return Response(files[name].read_bytes(), headers=headers)
