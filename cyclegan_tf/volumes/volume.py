"""A volume, whatever kind of file it comes from: voxels, their unit, their place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_tf.errors import UserError
from cyclegan_tf.volumes.geometry import Geometry

MAX_VOXELS = 2**31
"""Volumes of more are refused by their header, as the bombs they may be."""

# Tried in this order for whole numbers that a slope and an intercept give.
_WHOLE = ("int16", "uint16", "int32")


@dataclass(frozen=True)
class Volume:
    """One volume of one value per voxel.

    Attributes:
      path: its file; of a DICOM series its folder.
      kind: "NIfTI", "DICOM", "MetaImage" or "NRRD".
      voxels: numbers as stored, (i, j, k); mapped from a file where that is possible.
      geometry: where they lie.
      slope: a value in the volume's unit is slope x stored + intercept.
      intercept: see `slope`.
      header: what a translation of the same kind of file copies, in its library's own form.

    Example:
      >>> volume = open_volume(Path("ct.nii.gz"))
      >>> hounsfield = volume.values(volume.voxels[:, :, 10])
    """

    path: Path
    kind: str
    voxels: np.ndarray
    geometry: Geometry
    slope: float = 1.0
    intercept: float = 0.0
    header: Any = None

    @property
    def value_dtype(self) -> np.dtype:
        """Type of the values in the volume's unit: whole numbers where all are, else float32."""
        stored = self.voxels.dtype
        if stored.kind not in "iu" or self.slope % 1 or self.intercept % 1:
            return np.dtype(np.float32)
        if (self.slope, self.intercept) == (1, 0) and stored.itemsize <= 4:
            return stored.newbyteorder("=")
        limits = np.iinfo(stored.name)
        ends = [self.slope * end + self.intercept for end in (limits.min, limits.max)]
        for name in _WHOLE:
            dtype = np.dtype(name)
            if np.iinfo(dtype).min <= min(ends) and max(ends) <= np.iinfo(dtype).max:
                return dtype
        return np.dtype(np.int32)

    def values(self, stored: np.ndarray) -> np.ndarray:
        """Give stored numbers in the volume's unit.

        Args:
          stored: any part of `voxels`.

        Returns:
          The same shape, of `value_dtype`.
        """
        if (self.slope, self.intercept) == (1, 0):
            return stored.astype(self.value_dtype)
        exact = stored.astype(np.float64) * self.slope + self.intercept
        return exact.astype(self.value_dtype)


def volume_shape(shape: Sequence[int]) -> tuple[int, int, int]:
    """Give the sides of a volume, further ones of length 1 left out.

    Args:
      shape: by a file's header.

    Raises:
      UserError: it has fewer or more dimensions, none of a side, or more voxels than `MAX_VOXELS`.
    """
    sides = tuple(int(each) for each in shape)
    while len(sides) > 3 and sides[-1] == 1:
        sides = sides[:-1]
    if len(sides) != 3 or min(sides) < 1:
        size = " x ".join(map(str, shape))
        raise UserError(
            f"holds {size} numbers, and a volume of three dimensions is wanted; of a series in "
            "time or of several channels save each as a file",
            code="unsupported",
        )
    if np.prod(np.array(sides, object)) > MAX_VOXELS:
        raise UserError(
            f"has {' x '.join(map(str, sides))} voxels by its header, and the limit is "
            f"{MAX_VOXELS:,}",
            code="memory",
        )
    return sides
