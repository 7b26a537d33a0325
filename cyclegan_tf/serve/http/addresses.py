"""TF Serving's addresses, in whatever case they are written."""

from __future__ import annotations

import re

_ADDRESS = re.compile(
    r"/v1/models(?:(?P<name>/[^/:]+)(?P<rest>(?:/versions/[^/:]+)?(?:/metadata|:predict)?))?",
    re.IGNORECASE,
)


def canonical(path: str) -> str:
    """The address in lower case but for the model's name; any other path as it is.

    TF Serving matches its addresses without regard to case.
    """
    found = _ADDRESS.fullmatch(path)
    if not found:
        return path
    return f"/v1/models{found['name'] or ''}{(found['rest'] or '').lower()}"


def is_of_models(path: str) -> bool:
    """Whether a path is below TF Serving's root, where a malformed one is answered with 400."""
    return path.lower() == "/v1" or path.lower().startswith("/v1/")
