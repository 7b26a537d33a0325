"""Pixels without data: the number that GDAL's tag 42113 names, in a mosaic's corners, under clouds.

Where all colors of a pixel are that number, nothing was measured. Such pixels are read as the mean
of the others, so that a network sees neither a hole nor a border of it, and are written as the
number again. Needs no TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

TAG = 42113


@dataclass(frozen=True, eq=False)
class Missing:
    """The pixels of an image without data.

    Attributes:
      number: as the file's tag says it; not a number (NaN) is one, too.
      rows: top, bottom -> bool (bottom - top, W), True where there are no data.

    Example:
      >>> missing = Missing(0.0, lambda top, bottom: mask[top:bottom])
      >>> written = missing.put_into(translated, top=0)
    """

    number: float
    rows: Callable[[int, int], np.ndarray]

    def put_into(self, part: np.ndarray, top: int = 0) -> np.ndarray:
        """Write the number, as `of_type` gives it, into rows of a translation.

        A pixel with data whose colors all happen to be that number moves by the smallest step.

        Args:
          part: (h, W, C) of any type.
          top: the first of its rows in the image.
        """
        part = part.copy()
        number = self.of_type(part.dtype)
        where = self.rows(top, top + len(part))
        part[find(part, number) & ~where] = _beside(number, part.dtype)
        part[where] = number
        return part

    def of_type(self, dtype: np.dtype) -> Any:
        """The number in a type of numbers, 0 where that does not hold it."""
        found = as_type(self.number, dtype)
        return np.zeros((), dtype)[()] if found is None else found


def parse(text: Any) -> float | None:
    """Read a tag's value; None where it is no number."""
    try:
        return float(text)
    except (TypeError, ValueError):
        return None


def as_type(number: float, dtype: np.dtype) -> Any:
    """The same number in a type; None where the type does not hold it."""
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return dtype.type(number)
    fits = dtype.kind in "iu" and number == math.floor(number) if math.isfinite(number) else False
    fits = fits and np.iinfo(dtype).min <= number <= np.iinfo(dtype).max
    return dtype.type(int(number)) if fits else None


def find(values: np.ndarray, number: Any) -> np.ndarray:
    """Where all colors of (H, W, C) are a number of their type, or not a number: bool (H, W)."""
    is_it = np.isnan(values) if number != number else values == number
    return is_it.all(axis=-1)


def filled(values: np.ndarray, text: Any, colors: int) -> np.ndarray:
    """Replace pixels without data by the mean of the others.

    Args:
      values: (H, W, C) of any type, as stored.
      text: of the file's tag; None where it has none.
      colors: how many of the C are colors, and not alpha.

    Returns:
      `values` itself where nothing is missing.
    """
    number = parse(text)
    found = None if number is None else as_type(number, values.dtype)
    if found is None:
        return values
    where = find(values[..., :colors], found)
    if not where.any():
        return values
    values = values.copy()
    rest = values[~where]
    values[where] = mean_of(rest.sum(axis=0, dtype=np.float64), len(rest), values.dtype)
    return values


def mean_of(sums: np.ndarray, count: int, dtype: np.dtype) -> np.ndarray:
    """The mean of each color in its type; 0 where there are no data at all."""
    mean = sums / max(count, 1)
    return (mean if dtype.kind == "f" else np.rint(mean)).astype(dtype)


def _beside(number: Any, dtype: np.dtype) -> Any:
    """The next number of a type, toward 0 from its ends."""
    if dtype.kind == "f":
        return np.nextafter(number, dtype.type(math.inf if number <= 0 else -math.inf))
    return number + dtype.type(1) if number < np.iinfo(dtype).max else number - dtype.type(1)
