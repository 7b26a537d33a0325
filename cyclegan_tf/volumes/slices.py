"""The slices of a volume along an axis, each with its neighbors, and which of them are empty."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from cyclegan_tf.errors import UserError
from cyclegan_tf.volumes.geometry import AXES, Cut, cut_along
from cyclegan_tf.volumes.opening import VolumeError
from cyclegan_tf.volumes.volume import Volume

# A slice is empty where fewer pixels than this share rise above the background: air around a body,
# with its noise, has none.
FILLED_SHARE = 0.01
# The background ends so far above the lowest values, as a share of the volume's range: noise of CT
# reaches a twentieth, and fluid is the darkest of what MR shows.
_BACKGROUND = 0.15
_PERCENTILES = (1, 99)
_SAMPLED_VOXELS = 2**20


@dataclass(frozen=True)
class Cutting:
    """How a network was trained to see volumes.

    Attributes:
      axis: that the slices are along, one of `geometry.AXES`.
      neighbors: how many slices on each side are shown with each. Both domains carry them, so that
        G, F and the cycle take and give 2 x neighbors + 1 channels, and the middle one is the
        translation.

    Example:
      >>> Cutting("axial", neighbors=1).channels
      3
    """

    axis: str = "axial"
    neighbors: int = 0

    @property
    def channels(self) -> int:
        """A slice and its neighbors."""
        return 2 * self.neighbors + 1

    @property
    def suffix(self) -> str:
        """What ends the names of slices: "axial" or "axis2"."""
        return f"axis{self.axis}" if self.axis.isdecimal() else self.axis

    def as_dict(self) -> dict[str, Any]:
        """Give what files keep."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Any) -> Cutting | None:
        """Read what `as_dict` gave; None where that is something else."""
        if not isinstance(fields, Mapping) or fields.get("axis") not in AXES:
            return None
        neighbors = fields.get("neighbors")
        if not isinstance(neighbors, int) or isinstance(neighbors, bool) or neighbors < 0:
            return None
        return cls(fields["axis"], neighbors)


AXIAL = Cutting()
"""As networks see volumes that were not trained on any."""


@dataclass(frozen=True)
class Slices:
    """A volume cut along an axis.

    Attributes:
      volume: that is cut.
      axis: one of `geometry.AXES`.
      neighbors: how many slices on each side are given with each.

    Example:
      >>> slices = Slices(open_volume(Path("ct.nii.gz")), "axial", neighbors=1)
      >>> slices.numbers(10).shape
      (512, 512, 3)
    """

    volume: Volume
    axis: str
    neighbors: int = 0

    @cached_property
    def cut(self) -> Cut:
        """How the voxels become slices."""
        return cut_along(self.axis, self.volume.geometry)

    @cached_property
    def stored(self) -> np.ndarray:
        """(slice, row, column), as stored; a view."""
        return self.cut.apply(self.volume.voxels)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a slice."""
        return self.stored.shape[1], self.stored.shape[2]

    def checked(self) -> Slices:
        """Return this, once it is known that it can be cut.

        Raises:
          VolumeError: the volume does not say how it lies, and the axis is a name.
        """
        try:
            self.cut  # noqa: B018
        except UserError as error:
            raise VolumeError(self.volume.path, str(error), error) from error
        return self

    @property
    def channels(self) -> int:
        """A slice and its neighbors."""
        return 2 * self.neighbors + 1

    def __len__(self) -> int:
        return len(self.stored)

    def numbers(self, index: int) -> np.ndarray:
        """Give a slice, its neighbors before and behind it; at the ends the last one is repeated.

        Args:
          index: of the slice.

        Returns:
          (rows, columns, channels) in the volume's unit, of its `value_dtype`.
        """
        around = range(index - self.neighbors, index + self.neighbors + 1)
        places = np.clip(around, 0, len(self) - 1)
        planes = [self.volume.values(self.stored[place]) for place in places]
        return np.stack(planes, axis=-1)

    def filled(self) -> list[int]:
        """Find the slices that are not empty.

        Returns:
          Their indices. A slice is empty where 99 of 100 pixels are background: at most 15 % of the
          volume's range (between its 1st and 99th percentile) above its low end.
        """
        stored = self.volume.voxels
        step = max(1, round((stored.size / _SAMPLED_VOXELS) ** (1 / 3)))
        sample = self.volume.values(stored[::step, ::step, ::step]).astype(np.float64)
        sample = sample[np.isfinite(sample)]
        if not sample.size:
            return []
        low, high = np.percentile(sample, _PERCENTILES)
        if low == high:
            low, high = sample.min(), sample.max()
        above = low + _BACKGROUND * (high - low)
        least = FILLED_SHARE * self.stored[0].size
        found = (self.volume.values(self.stored[index]) for index in range(len(self)))
        return [n for n, values in enumerate(found) if np.count_nonzero(values > above) >= least]
