"""Large JSON in portions, so that no request keeps Python's lock from the others.

A call of `json.loads` holds the lock from its beginning to its end, and lists of lists keep the
garbage collector busy. Arrays of numbers are therefore cut out of a body and read apart, portion
by portion, into flat arrays; what is left of the body is bounded.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

MAX_RANK = 8
_MIN_ARRAY_BYTES = 4096  # shorter ones are read with the rest
_MIN_STRING_BYTES = 1024
_MAX_REST_BYTES = 2**20  # of all that is neither an array of numbers nor a long string
_PORTION_BYTES = 2**16
_NUMBER = re.compile(rb"[^\[\], \t\r\n][^\[\],]*")
_BLANK = b" \t\r\n"
_NO_BRACKETS = bytes.maketrans(b"[]", b"  ")


@dataclass(frozen=True)
class NumberArray:
    """An array of numbers, as text.

    Attributes:
      text: JSON, from its first bracket to its last.

    Example:
      >>> NumberArray(b"[[1, 2.5], [3, 4]]").read({int, float}, np.float32)
    """

    text: bytes

    def read(self, kinds: set[type], dtype: Any) -> np.ndarray:
        """Read the numbers.

        Args:
          kinds: Python's types that JSON's numbers may have.
          dtype: NumPy's, of the result.

        Raises:
          ValueError: not JSON, ragged, nested too deeply.
          TypeError: a number of another kind, which is the error's only argument.
          OverflowError: a number too large for its type.
        """
        skeleton, flat = bytearray(), []
        for portion in _portions(self.text):
            skeleton += _NUMBER.sub(b"0", portion).translate(None, _BLANK)
            numbers = portion.removesuffix(b",").translate(_NO_BRACKETS)
            values = json.loads(b"[" + numbers + b"]", parse_constant=refuse_constant)
            wrong = set(map(type, values)) - kinds
            if wrong:
                raise TypeError(next(value for value in values if type(value) in wrong))
            with np.errstate(over="ignore"):  # infinity, which `limits.check_inputs` refuses
                flat.append(np.array(values, dtype))
        return np.concatenate(flat).reshape(_shape(bytes(skeleton)))


def refuse_constant(name: str) -> NoReturn:
    """Refuse NaN and infinity."""
    raise ValueError(f"{name} is not a number that an image can hold")


def _portions(text: bytes) -> Iterator[bytes]:
    """Cut behind commas."""
    start = 0
    while start < len(text):
        end = text.find(b",", start + _PORTION_BYTES) + 1 or len(text)
        yield text[start:end]
        start = end


def _shape(skeleton: bytes) -> tuple[int, ...]:
    """The shape of an array whose numbers are each written as 0, without blanks.

    Raises:
      ValueError: it is not the text of an array that has a shape.
    """
    depth = len(skeleton) - len(skeleton.lstrip(b"["))
    if depth > MAX_RANK:
        raise ValueError(f"nested deeper than {MAX_RANK} lists")
    inner, sizes = b"0", []
    for level in range(1, depth + 1):
        # The first list of this level ends where this many brackets close at once.
        end = skeleton.find(b"]" * level)
        length = end + level - (depth - level) if end >= 0 else 0
        size, rest = divmod(length - 1, len(inner) + 1)
        if rest or size < 1:
            raise ValueError("ragged: its lists differ in length or depth")
        inner = b"[" + ((inner + b",") * size)[:-1] + b"]"
        sizes.append(size)
    if inner != skeleton:
        raise ValueError("ragged: its lists differ in length or depth")
    return tuple(reversed(sizes))


def split(body: bytes) -> tuple[bytes, dict[str, NumberArray]]:
    """Cut the large arrays of numbers out of a body.

    Args:
      body: JSON, or what a client takes for it.

    Returns:
      The rest, with a string in the place of each array, and the arrays by these strings.

    Raises:
      ValueError: the rest is too large to be read at once.
    """
    mark, kept, rest = secrets.token_hex(16), [], 0
    arrays: dict[str, NumberArray] = {}
    for piece, is_cheap in _pieces(body):
        if piece.startswith(b"[") and is_cheap:
            name = f"{mark}:{len(arrays)}"
            arrays[name] = NumberArray(piece)
            piece = json.dumps(name).encode()
        kept.append(piece)
        rest += 0 if is_cheap else len(piece)
        if rest > _MAX_REST_BYTES:
            raise ValueError(
                f"more than {_MAX_REST_BYTES:,} bytes are neither an array of numbers nor a long "
                "string"
            )
    return b"".join(kept), arrays


class _Finder:
    """Finds bytes from growing positions on, each once."""

    def __init__(self, body: bytes) -> None:
        self._body, self._found = body, dict.fromkeys((b'"', b"{", b"}"), -1)

    def next_of(self, what: bytes, start: int) -> int:
        """The first place of `what` from `start` on, or the end of the body."""
        if self._found[what] < start:
            found = self._body.find(what, start)
            self._found[what] = len(self._body) if found < 0 else found
        return self._found[what]


def _pieces(body: bytes) -> Iterator[tuple[bytes, bool]]:
    """Divide a body; with each piece, whether it is a long string or a large array of numbers."""
    finder, position = _Finder(body), 0
    while position < len(body):
        quote = finder.next_of(b'"', position)
        bracket = body.find(b"[", position, quote)
        if bracket < 0:
            yield body[position:quote], False
            position = _end_of_string(body, quote)
            yield body[quote:position], position - quote >= _MIN_STRING_BYTES
            continue
        yield body[position:bracket], False
        # No quote and no brace: nothing but numbers, brackets, and what is no JSON.
        end = min(quote, *(finder.next_of(brace, bracket) for brace in (b"{", b"}")))
        close = body.rfind(b"]", bracket, end) + 1
        whole = close > 0 and _opens(body[bracket:close]) == 0
        position = close if whole else end
        yield body[bracket:position], whole and position - bracket >= _MIN_ARRAY_BYTES


def _opens(piece: bytes) -> int:
    return piece.count(b"[") - piece.count(b"]")


def _end_of_string(body: bytes, quote: int) -> int:
    """The place behind the string that begins at `quote`."""
    start = quote + 1
    while True:
        end = body.find(b'"', start)
        if end < 0:
            return len(body)
        before = body[start:end]
        if (len(before) - len(before.rstrip(b"\\"))) % 2 == 0:
            return end + 1
        start = end + 1
