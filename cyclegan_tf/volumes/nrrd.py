"""NRRD files, through pynrrd."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_tf.errors import UserError
from cyclegan_tf.volumes.geometry import Geometry, is_usable
from cyclegan_tf.volumes.volume import Volume, volume_shape

KIND = "NRRD"
# What a writer decides anew, and what is true of the values before.
_MADE = ("type", "dimension", "sizes", "encoding", "endian", "data file", "datafile", "line skip",
         "lineskip", "byte skip", "byteskip", "min", "max", "old min", "old max", "oldmin",
         "oldmax", "content")  # fmt: skip
_TOWARDS = {"right": 0, "left": 0, "anterior": 1, "posterior": 1, "superior": 2, "inferior": 2}
_AGAINST = ("left", "posterior", "inferior")
_SHORT = {"ras": "right-anterior-superior", "las": "left-anterior-superior"} | {
    "lps": "left-posterior-superior"
}


def read(path: Path) -> Volume:
    """Read a file into memory.

    Raises:
      UserError: it is damaged, cut off, of more than three dimensions, or of no numbers; the text
        says what it is.
    """
    import nrrd

    try:
        with path.open("rb") as file:
            header: dict[str, Any] = dict(nrrd.read_header(file))
            volume_shape(header["sizes"])
            voxels = nrrd.read_data(header, file, str(path), index_order="F")
    except (nrrd.NRRDError, KeyError, EOFError, ValueError) as error:
        if isinstance(error, UserError):
            raise
        text = " ".join(str(error).split())[:100]
        raise UserError(
            f"is no NRRD file, damaged or cut off ({text})", code="unreadable"
        ) from error
    if voxels.dtype.kind not in "iuf":
        raise UserError(f"holds {voxels.dtype} voxels, and numbers are read", code="unsupported")
    voxels = voxels.reshape(volume_shape(voxels.shape), order="F")
    return Volume(path, KIND, voxels, _geometry(header), header=header)


def write(path: Path, values: np.ndarray, source: Volume) -> None:
    """Write a volume, packed by gzip; not atomic.

    Args:
      path: to write to; ends in .nrrd.
      values: (i, j, k), stored as they are.
      source: gives the place and, where it is NRRD too, the header's other fields.
    """
    import nrrd

    if source.kind == KIND:
        kept = {name: value for name, value in source.header.items() if name not in _MADE}
        values = values.reshape(source.header["sizes"], order="F")
    else:
        kept = _placed(source.geometry)
    nrrd.write(
        str(path), values, {**kept, "encoding": "gzip"}, compression_level=4, index_order="F"
    )


def _geometry(header: dict[str, Any]) -> Geometry:
    affine = np.eye(4)
    directions = header.get("space directions")
    signs = _signs(str(header.get("space", "")))
    if directions is None:
        spacings = np.nan_to_num(np.asarray(header.get("spacings", [1.0] * 3), np.float64), nan=1.0)
        affine[:3, :3] = np.diag(np.where(spacings[:3] > 0, spacings[:3], 1))
        return Geometry(affine, is_oriented=False)
    rows = np.asarray(directions, np.float64)[:3, :3]
    world = np.eye(3) if signs is None else signs
    affine[:3, :3] = world @ rows.T
    affine[:3, 3] = world @ np.asarray(header.get("space origin", np.zeros(3)), np.float64)[:3]
    if not is_usable(affine):
        return Geometry(np.eye(4), is_oriented=False)
    return Geometry(affine, signs is not None)


def _signs(space: str) -> np.ndarray | None:
    """Matrix from a space's coordinates to RAS+; None where the words do not say it."""
    name = space.lower().removesuffix("-time").removesuffix("t")
    words = _SHORT.get(name, _SHORT.get(space.lower(), space.lower())).split("-")[:3]
    if [_TOWARDS.get(each) for each in words] != [0, 1, 2]:
        return None
    return np.diag([-1.0 if each in _AGAINST else 1.0 for each in words])


def _placed(geometry: Geometry) -> dict[str, Any]:
    if not geometry.is_oriented:
        return {"spacings": list(geometry.spacing_mm)}
    return {
        "space": "right-anterior-superior",
        "space directions": geometry.affine[:3, :3].T,
        "space origin": geometry.affine[:3, 3],
        "kinds": ["domain"] * 3,
    }
