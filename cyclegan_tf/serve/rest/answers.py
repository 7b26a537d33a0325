"""Arrays to TF Serving's JSON answers: the shortest numbers, portion by portion."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from cyclegan_tf.serve.models.limits import RequestError

BINARY_SUFFIX = "_bytes"
# Python's lock is held for one call of json.dumps, so that it gets a portion at a time.
_PORTION = 2**14
# Digits that numbers of a type may need, fewest first; the last always suffice.
_DIGITS: dict[Any, tuple[int, ...]] = {np.float32: (6, 7, 8, 9), np.float16: (1, 2, 3, 4, 5)}


def encode_response(outputs: Mapping[str, np.ndarray], rows: bool) -> bytes:
    """Encode the answer's body in the form of the request.

    Args:
      outputs: name -> array; strings as an object array of bytes.
      rows: row form ("predictions"), else columnar form ("outputs").

    Raises:
      RequestError: 500; row form of outputs whose numbers of rows differ.
    """
    if rows and len({array.shape[:1] for array in outputs.values()} - {()}) != 1:
        raise RequestError(
            500, "the outputs differ in their number of rows; ask with 'inputs' instead"
        )
    if len(outputs) == 1:
        value = _text(*next(iter(outputs.items())))
    elif rows:
        count = len(next(iter(outputs.values())))
        value = _list(
            _object({name: _text(name, array[row]) for name, array in outputs.items()})
            for row in range(count)
        )
    else:
        value = _object({name: _text(name, array) for name, array in outputs.items()})
    return _object({"predictions" if rows else "outputs": value}).encode("ascii")


def _object(texts: Mapping[str, str]) -> str:
    return "{" + ",".join(f"{json.dumps(key)}:{text}" for key, text in texts.items()) + "}"


def _list(texts: Any) -> str:
    return "[" + ",".join(texts) + "]"


def _text(name: str, array: Any) -> str:
    """An array, or one element of an object array, as JSON."""
    array = np.asarray(array, object if isinstance(array, bytes) else None)
    if array.dtype == object:
        return json.dumps(
            _strings(array.tolist(), name.endswith(BINARY_SUFFIX)), separators=(",", ":")
        )
    return _numbers(array)


def _strings(value: Any, binary: bool) -> Any:
    if isinstance(value, list):
        return [_strings(item, binary) for item in value]
    if binary:
        return {"b64": base64.b64encode(value).decode("ascii")}
    return value.decode("utf-8", "replace")


def _numbers(array: np.ndarray) -> str:
    if array.ndim == 0 or array.size <= _PORTION:
        return json.dumps(shortest(array).tolist(), separators=(",", ":"))
    size_of_one = array.size // len(array)
    if size_of_one > _PORTION:
        return _list(map(_numbers, array))
    step = _PORTION // size_of_one
    portions = (array[start : start + step] for start in range(0, len(array), step))
    return _list(_numbers(portion)[1:-1] for portion in portions)


def shortest(array: np.ndarray) -> np.ndarray:
    """Numbers whose text in JSON is the shortest that reads back as the same number.

    JSON is written from float64, in which the float32 nearest to 0.1 is 0.10000000149011612.

    Args:
      array: numbers; other types than float32 and float16 are given back as they are.

    Returns:
      float64, of which each element is nearest to a decimal of few digits, and equal to the
      array's in the array's type.
    """
    digits = _DIGITS.get(array.dtype.type)
    if digits is None:
        return array
    exact = np.atleast_1d(array).astype(np.float64).ravel()
    found, todo = exact.copy(), np.flatnonzero(np.isfinite(exact) & (exact != 0))
    for count in digits:
        values = exact[todo]
        powers = count - 1 - np.floor(np.log10(np.abs(values))).astype(np.int64)
        # 10**22 is the last power of ten that float64 holds exactly.
        scale = 10.0 ** np.clip(np.abs(powers), 0, 22)
        rounded = np.where(
            powers >= 0, np.rint(values * scale) / scale, np.rint(values / scale) * scale
        )
        with np.errstate(over="ignore"):
            same = rounded.astype(array.dtype) == values.astype(array.dtype)
        same &= np.abs(powers) <= 22
        found[todo[same]] = rounded[same]
        todo = todo[~same]
    return found.reshape(array.shape)
