"""One hostile request, and the answers that are right for it."""

from __future__ import annotations

from dataclasses import dataclass

NONE = 0
"""The status of a request that gets no answer: its connection is closed."""
REFUSED = frozenset({400, 403, 404, 405, 408, 413, 415, 417})
REFUSED_OR_CLOSED = REFUSED | {NONE}
ANY = REFUSED_OR_CLOSED | {200}
REFUSED_BY_GRPC = frozenset(
    {
        "INVALID_ARGUMENT",
        "NOT_FOUND",
        "UNIMPLEMENTED",
        "FAILED_PRECONDITION",
        "RESOURCE_EXHAUSTED",
        "INTERNAL",
    }
)


@dataclass(frozen=True)
class Want:
    """What may come.

    Attributes:
      statuses: of HTTP, or names of gRPC's codes.
      body: the request that a 200 answers, as JSON or as a PredictRequest.
      file: the image that a 200 answers by a PNG.

    Example:
      >>> Want(REFUSED)
    """

    statuses: frozenset
    body: bytes | None = None
    file: bytes | None = None


@dataclass(frozen=True)
class Attack:
    """Bytes for a connection of their own.

    Attributes:
      kind: such as "gzip".
      parts: sent one after the other.
      wants: one for each answer.
      pause: seconds between parts.
      method: of gRPC, for a call by `grpc`'s own channel; None for raw bytes.
      to_grpc: whether raw bytes go to gRPC's port.
      leaves: whether the client goes away without waiting for an answer.

    Example:
      >>> Attack("gzip", (b"POST / HTTP/1.1\\r\\n\\r\\n",), (Want(REFUSED),))
    """

    kind: str
    parts: tuple[bytes, ...]
    wants: tuple[Want, ...]
    pause: float = 0.0
    method: str | None = None
    to_grpc: bool = False
    leaves: bool = False
