"""Where the voxels of a volume lie, and how it is cut into slices."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from cyclegan_tf.errors import UserError

NAMED_AXES = {"sagittal": 0, "coronal": 1, "axial": 2}
"""Name of a direction of slices -> its coordinate in RAS+."""

AXES = (*NAMED_AXES, "0", "1", "2")
"""What an axis may be: a name, or the number of an axis as stored."""

# Of slices by name: coordinates of the rows and of the columns. Rows run from superior to inferior
# (axial: from anterior to posterior), columns from the patient's right to the left (sagittal: from
# anterior to posterior), as radiologists look at them.
_ROWS_COLUMNS = {0: (2, 1), 1: (2, 0), 2: (1, 0)}


@dataclass(frozen=True)
class Geometry:
    """Place of the voxels.

    Attributes:
      affine: float64 (4, 4), from the indices (i, j, k) to mm in RAS+, the coordinates of NIfTI:
        x to the patient's right, y to the front, z up. Without orientation it only scales.
      is_oriented: whether the file says how the volume lies.

    Example:
      >>> Geometry(np.diag([0.5, 0.5, 2, 1])).spacing_mm
      (0.5, 0.5, 2.0)
    """

    affine: np.ndarray
    is_oriented: bool = True

    @property
    def spacing_mm(self) -> tuple[float, ...]:
        """Distance of neighboring voxels along i, j and k."""
        return tuple(float(each) for each in np.linalg.norm(self.affine[:3, :3], axis=0))


@dataclass(frozen=True)
class Cut:
    """How (i, j, k) becomes (slice, row, column): axes in another order, some of them reversed.

    Attributes:
      order: axis of the slices, of the rows, and of the columns.
      reversed: for each of these whether it is read from its end.

    Example:
      >>> cut = cut_along("axial", Geometry(np.eye(4)))
      >>> cut.apply(voxels)[10]  # a slice as radiologists look at it
    """

    order: tuple[int, int, int]
    reversed: tuple[bool, bool, bool] = (False, False, False)

    def apply(self, voxels: np.ndarray) -> np.ndarray:
        """View (i, j, k) as (slice, row, column); nothing is copied, so it can be written to."""
        steps = tuple(slice(None, None, -1 if each else 1) for each in self.reversed)
        return voxels.transpose(self.order)[steps]


def cut_along(axis: str, geometry: Geometry) -> Cut:
    """Decide how a volume is cut.

    Args:
      axis: one of `AXES`.
      geometry: of the volume.

    Raises:
      UserError: the volume does not say how it lies, and the axis is a name.
    """
    if axis not in NAMED_AXES:
        number = int(axis)
        rows, columns = (each for each in range(3) if each != number)
        return Cut((number, rows, columns))
    if not geometry.is_oriented:
        raise UserError(
            f"does not say how it lies, so which slices are {axis} is unknown; give the number of "
            "an axis as stored: 0, 1 or 2",
            code="unsupported",
        )
    places, is_positive = _axes_of(geometry.affine)
    normal = NAMED_AXES[axis]
    wanted = (normal, *_ROWS_COLUMNS[normal])
    order = tuple(places[each] for each in wanted)
    # Slices in the order of rising coordinates, rows and columns in that of falling ones.
    turned = tuple(is_positive[each] != (each == normal) for each in wanted)
    return Cut(order, turned)  # type: ignore[arg-type]


def is_usable(affine: np.ndarray) -> bool:
    """Return whether an affine is one: finite, and of three different directions."""
    return bool(np.isfinite(affine).all() and abs(np.linalg.det(affine[:3, :3])) > 0)


def _axes_of(affine: np.ndarray) -> tuple[tuple[int, ...], tuple[bool, ...]]:
    """For x, y and z of RAS+ the axis of the voxels that runs along it most, and if with it."""
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    places = max(
        itertools.permutations(range(3)),
        key=lambda each: sum(abs(directions[world, axis]) for world, axis in enumerate(each)),
    )
    return places, tuple(bool(directions[world, axis] > 0) for world, axis in enumerate(places))
