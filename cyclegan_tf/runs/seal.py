"""A checksum in the first line of a text, by which damage shows that leaves another valid text.

YAML that lost its last lines is YAML, and a number with a flipped bit is a number.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from cyclegan_tf.errors import UserError, reading

_SEAL = re.compile(rb"# sha256 ([0-9a-f]{16}) of the lines below\r?\n")
# A damaged seal keeps one of these.
_WORDS = (b"sha256", b"lines below")


def sealed(text: str) -> str:
    """Put the checksum before a text, in a comment.

    Names of files that are no UTF-8 become escapes, as `atomic.write_text` makes them.
    """
    return f"# sha256 {_sum(text.encode('utf-8', 'backslashreplace'))} of the lines below\n{text}"


def check(path: Path) -> None:
    """Compare a file with the checksum that it was sealed with; early versions sealed none.

    Raises:
      UserError: it cannot be read, is damaged, or was changed by hand.
    """
    with reading(path, "it must be as the run wrote it"):
        data = path.read_bytes()
    if not is_whole(data):
        raise UserError(
            f"{path} is not as the run wrote it (the checksum in its first line differs): bring it "
            "back, or remove that line if the change is meant.",
            code="mismatch",
            field=str(path),
        )


def is_whole(data: bytes) -> bool:
    """Whether a text is as it was sealed; one without a seal counts as whole."""
    first, rest = data[: (end := data.find(b"\n") + 1)], data[end:]
    if not any(word in first for word in _WORDS):
        return True
    found = _SEAL.fullmatch(first)
    return found is not None and found[1].decode() == _sum(rest)


def _sum(data: bytes) -> str:
    return hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest()[:16]
