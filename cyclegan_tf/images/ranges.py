"""Which numbers of a domain's files become -1 and 1, and back: Hounsfield units, counts, shares.

Training keeps images as 16-bit levels of the range (`levels`), finer than any network's output is
exact; translation goes by floats both ways, so that an unchanged number comes back as it was:
integers of ranges up to 2^22 steps exactly, floats to 2^-24 of the range.

Needs no TensorFlow.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from cyclegan_tf.errors import UserError

_LEVELS = 65535
_DIGITS = 6


@dataclass(frozen=True)
class ValueRange:
    """The numbers of a domain between black and white, and the type its files hold them in.

    Attributes:
      low: becomes -1, as what lies below.
      high: becomes 1, as what lies above.
      dtype: type of the files, as NumPy names it.

    Example:
      >>> hounsfield = ValueRange(-1000, 3000, "int16")
      >>> hounsfield.to_signed(np.array([-1024, 1000], np.int16)).tolist()
      [-1.0, 0.0]
      >>> hounsfield.from_signed(np.array([0.0001], np.float32))
      array([1000], dtype=int16)
    """

    low: float
    high: float
    dtype: str

    def to_signed(self, numbers: np.ndarray) -> np.ndarray:
        """Map numbers to [-1, 1]; what lies outside the range is clipped.

        Args:
          numbers: any real type, any shape.

        Returns:
          float32 of the same shape.

        Raises:
          UserError: one is NaN.
        """
        return (2 * self._shares(numbers) - 1).astype(np.float32)

    def from_signed(self, values: np.ndarray) -> np.ndarray:
        """Map [-1, 1] to numbers of `dtype`, integers to the nearest; what lies outside is clipped.

        Args:
          values: float, any shape.

        Raises:
          UserError: one is NaN: the network that made it has diverged.
        """
        shares = (np.clip(np.asarray(values, np.float64), -1, 1) + 1) / 2
        if np.isnan(shares).any():
            raise UserError(
                "the image holds NaN (not a number): the network that made it has diverged.",
                code="unsupported",
            )
        numbers = self.low + shares * (self.high - self.low)
        if np.dtype(self.dtype).kind == "f":
            return numbers.astype(self.dtype)
        kind = np.iinfo(self.dtype)
        return np.rint(np.clip(numbers, kind.min, kind.max)).astype(self.dtype)

    def levels(self, numbers: np.ndarray) -> np.ndarray:
        """Map numbers to uint16 over the whole range, as training keeps them.

        Args:
          numbers: as for `to_signed`.

        Raises:
          UserError: one is NaN.
        """
        return np.rint(self._shares(numbers) * _LEVELS).astype(np.uint16)

    def count_outside(self, numbers: np.ndarray) -> int:
        """Count the numbers that are clipped."""
        return int(np.count_nonzero((numbers < self.low) | (numbers > self.high)))

    def _shares(self, numbers: np.ndarray) -> np.ndarray:
        """float64 in [0, 1]."""
        shares = (np.asarray(numbers, np.float64) - self.low) / (self.high - self.low)
        if np.isnan(shares).any():
            raise UserError(
                "holds NaN (not a number), which has no place in a range; fill it with a number",
                code="unsupported",
            )
        return np.clip(shares, 0, 1)

    @classmethod
    def of_type(cls, dtype: str) -> ValueRange:
        """Give the full range of files of a type: of integers all, of floats 0 to 1."""
        if np.dtype(dtype).kind == "f":
            return cls(0.0, 1.0, dtype)
        kind = np.iinfo(dtype)
        return cls(float(kind.min), float(kind.max), dtype)

    @classmethod
    def from_dict(cls, fields: Any) -> ValueRange | None:
        """Read what `as_dict` gave; None where that is something else."""
        if not isinstance(fields, Mapping):
            return None
        low, high, dtype = (fields.get(name) for name in ("low", "high", "dtype"))
        if not isinstance(low, int | float) or not isinstance(high, int | float):
            return None
        if not -math.inf < low < high < math.inf or not is_number_type(dtype):
            return None
        return cls(float(low), float(high), str(dtype))

    def as_dict(self) -> dict[str, Any]:
        """Give what files keep."""
        return asdict(self)

    def __str__(self) -> str:
        """Name the range for messages: "-1000 to 3000 (int16)"."""
        return f"{self.low:g} to {self.high:g} ({self.dtype})"


@dataclass(frozen=True)
class RangePair:
    """What a network's numbers mean on both sides.

    Attributes:
      source: of its input; None: the file's own full range, as `images.read` takes it.
      target: of its output; None, and so is `source`: as the input's file.

    Example:
      >>> pair = RangePair(ValueRange(-1000, 3000, "int16"), ValueRange(0, 4095, "uint16"))
      >>> RangePair.from_dict(pair.as_dict()) == pair
      True
    """

    source: ValueRange | None = None
    target: ValueRange | None = None

    @classmethod
    def from_dict(cls, fields: Any) -> RangePair:
        """Read what `as_dict` gave; full ranges where that is something else."""
        if not isinstance(fields, Mapping):
            return FULL_RANGES
        source, target = (ValueRange.from_dict(fields.get(name)) for name in ("source", "target"))
        return cls(source, target) if target else FULL_RANGES

    def in_words(self) -> str:
        """Say what black and white are on both sides; "" of full ranges."""
        if self.target is None:
            return ""
        return f"black to white: {self.source or 'levels'} in, {self.target} out"

    def as_dict(self) -> dict[str, Any] | None:
        """Give what files keep; None of full ranges."""
        return None if self.target is None else asdict(self)


FULL_RANGES = RangePair()
"""Of networks trained without ranges: levels of 8 or 16 bits in, and the same out."""


@dataclass
class Clipped:
    """How many numbers have been read so far, and how many of them lay outside a range.

    Attributes:
      read: numbers in all.
      outside: numbers outside.
      images: that hold such numbers.

    Example:
      >>> clipped = Clipped()
      >>> clipped.add(read=1000, outside=2)
      >>> clipped.share
      0.002
    """

    read: int = 0
    outside: int = 0
    images: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, read: int, outside: int, images: int = 1) -> None:
        """Count the numbers of one more image, or of a part of one that is counted already."""
        with self._lock:
            self.read += read
            self.outside += outside
            self.images += images * (outside > 0)

    @property
    def share(self) -> float:
        """Of all numbers; 0 where none have been read."""
        return self.outside / max(self.read, 1)


def is_number_type(name: Any) -> bool:
    """Whether NumPy knows a type of this name, and it is one of real numbers."""
    try:
        return isinstance(name, str) and np.dtype(name).kind in "iuf"
    except TypeError:
        return False


def common_type(names: Iterable[str]) -> str:
    """Give the smallest type that holds numbers of all these types."""
    return str(np.result_type(*{np.dtype(name) for name in names}))


def measured_range(
    samples: Sequence[np.ndarray], percentiles: tuple[float, float], dtype: str
) -> ValueRange:
    """Measure the range between two percentiles of numbers.

    Of integers it ends at whole numbers, of floats at six digits. Where both percentiles are the
    same number, as of images that are black but for a few points, all numbers count.

    Args:
      samples: numbers, any shapes; those that are NaN or infinite do not count.
      percentiles: in [0, 100], of linear interpolation.
      dtype: of the files.

    Raises:
      UserError: all numbers are the same, or there are none.
    """
    numbers = np.concatenate([sample.ravel() for sample in samples]).astype(np.float64)
    numbers = numbers[np.isfinite(numbers)]
    if numbers.size:
        low, high = (float(value) for value in np.percentile(numbers, percentiles))
        if low == high:
            low, high = float(numbers.min()), float(numbers.max())
        if low < high:
            return ValueRange(*_rounded(low, high, dtype), dtype)
    held = f"hold {low:g} and nothing else" if numbers.size else "hold no numbers"
    raise UserError(f"the images {held}, so that they have no range", code="unsupported")


def _rounded(low: float, high: float, dtype: str) -> tuple[float, float]:
    if np.dtype(dtype).kind != "f":
        # Between whole numbers a percentile is off by float rounding.
        return float(math.floor(round(low, 6))), float(math.ceil(round(high, 6)))
    short = float(f"{low:.{_DIGITS}g}"), float(f"{high:.{_DIGITS}g}")
    return short if short[0] < short[1] else (low, high)
