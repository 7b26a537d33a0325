"""Who may ask a server that listens on this machine alone: no web page of another place.

A page that the user visits can send requests to this machine, and read the answers once its own
name leads here (DNS rebinding); `Host` and `Origin` say from where it comes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether a name or address means this machine alone."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def refusal(headers: Iterable[tuple[bytes, bytes]], names: Collection[str]) -> str | None:
    """Why a request to a server on a loopback address is refused, or None.

    Args:
      headers: of the request, names in lower case.
      names: further names by which the server may be asked, as behind a proxy.
    """
    for key, value in headers:
        text = value.decode("latin-1")
        if key == b"host" and not _is_allowed(f"//{text}", names):
            return f"Host {text[:100]} is not this machine; see --allowed_hosts"
        if key == b"origin" and not _is_allowed(text, names):
            return f"Origin {text[:100]} is not this machine; see --allowed_hosts"
    return None


def has_two_lengths(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether Content-Length and Transfer-Encoding contradict each other (RFC 9112, 6.3)."""
    return {b"content-length", b"transfer-encoding"} <= {key for key, _ in headers}


def _is_allowed(url: str, names: Collection[str]) -> bool:
    try:
        name = urlsplit(url).hostname or ""
    except ValueError:
        return False
    return is_loopback(name) or name in {allowed.lower() for allowed in names}
