"""What all gRPC services share: the codes of refused requests, the model that is asked for."""

from __future__ import annotations

from typing import Any

import grpc

from cyclegan_tf.serve.models.engine import GIVEN_UP, TIMED_OUT, UNAVAILABLE
from cyclegan_tf.serve.models.limits import (
    BAD_REQUEST,
    NOT_FOUND,
    TOO_LARGE,
    TOO_MANY,
    RequestError,
    UnknownSignatureError,
)

# An image above a limit stays so: RESOURCE_EXHAUSTED, which asks for another try, is for a full
# queue.
_CODES = {
    BAD_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    TOO_LARGE: grpc.StatusCode.INVALID_ARGUMENT,
    NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    TOO_MANY: grpc.StatusCode.RESOURCE_EXHAUSTED,
    GIVEN_UP: grpc.StatusCode.CANCELLED,
    501: grpc.StatusCode.UNIMPLEMENTED,
    UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    TIMED_OUT: grpc.StatusCode.DEADLINE_EXCEEDED,
}


def code_of(error: RequestError) -> grpc.StatusCode:
    """The gRPC code of a refused request."""
    if isinstance(error, UnknownSignatureError):
        return grpc.StatusCode.FAILED_PRECONDITION
    return _CODES.get(error.status, grpc.StatusCode.INTERNAL)


def asked_model(request: Any) -> tuple[str, int | None]:
    """Name and version that a request's ModelSpec asks for; None for the newest.

    Raises:
      RequestError: 400, there is no ModelSpec, or it asks by a label.
    """
    spec = request.model_spec
    if not spec.name:
        raise RequestError(BAD_REQUEST, "Missing ModelSpec")
    if spec.version_label:
        raise RequestError(
            BAD_REQUEST,
            "version labels are not kept here; give a version's number, or none for the newest",
        )
    return spec.name, spec.version.value if spec.HasField("version") else None
