"""DICOM series: a folder of .dcm files, each a slice, sorted by position; through pydicom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_tf.errors import UserError
from cyclegan_tf.volumes import scratch
from cyclegan_tf.volumes.geometry import Geometry, is_usable
from cyclegan_tf.volumes.volume import Volume, volume_shape

KIND = "DICOM"
SUFFIX = ".dcm"

_TAGS = (
    *("SeriesInstanceUID", "SeriesDescription", "Rows", "Columns", "NumberOfFrames"),
    *("ImageOrientationPatient", "ImagePositionPatient", "PixelSpacing", "SliceThickness"),
    *("InstanceNumber", "SamplesPerPixel", "BitsAllocated", "BitsStored", "PixelRepresentation"),
    *("RescaleSlope", "RescaleIntercept", "ImagesInAcquisition"),
)
# Scanners round positions; a missing slice doubles the distance.
_UNEVEN, _MISSING = 0.1, 1.5
_SAME_MM, _SAME_DIRECTION = 1e-3, 1e-3


@dataclass(frozen=True)
class Series:
    """What a DICOM series needs to be written again: its files in the order of the slices.

    Example:
      >>> open_volume(Path("ct_of_one")).header.files[0]
      PosixPath('ct_of_one/IM0001.dcm')
    """

    files: tuple[Path, ...]


def files_of(folder: Path) -> list[Path]:
    """Find the .dcm files in a folder, not below it, by name."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() == SUFFIX and not path.name.startswith(".")
    )


def read(folder: Path) -> Volume:
    """Read a series; its values, in Hounsfield units where it is CT, wait on the disk.

    Raises:
      UserError: the files are damaged, of several series, no images of one value per pixel, or
        slices are missing; the text says what it is.
    """
    headers = [(path, _header(path)) for path in files_of(folder)]
    _refuse_mixed(headers)
    normal, positions = _positions([header for _, header in headers])
    order = np.argsort(positions, kind="stable")
    headers = [headers[number] for number in order]
    spacing_mm = _spacing(positions[order], [path for path, _ in headers], headers[0][1])
    first = headers[0][1]
    shape = volume_shape((first.Columns, first.Rows, len(headers)))
    voxels = scratch.scratch_array(shape, _value_dtype([header for _, header in headers]))
    for number, (path, _) in enumerate(headers):
        voxels[..., number] = _decoded(path, voxels.dtype).T
    if voxels.dtype == np.int32:
        voxels = _narrowed(voxels)
    geometry = _geometry([header for _, header in headers], normal, spacing_mm)
    return Volume(folder, KIND, voxels, geometry, header=Series(tuple(p for p, _ in headers)))


def _header(path: Path) -> Any:
    import pydicom

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
    except Exception as error:  # pydicom raises whatever a broken file makes it raise
        text = " ".join(str(error).split())[:100]
        reason = f"{path.name} is no DICOM file, or damaged ({text})"
        raise UserError(reason, code="unreadable") from error
    missing = [name for name in _TAGS[2:7] if name != "NumberOfFrames" and name not in header]
    if int(header.get("NumberOfFrames") or 1) > 1:
        raise UserError(
            f"{path.name} holds {header.NumberOfFrames} frames, and files of one slice are read; "
            "convert it to NIfTI (dcm2niix)",
            code="unsupported",
        )
    if missing or int(header.get("SamplesPerPixel", 1)) != 1:
        reason = f"no {missing[0]}" if missing else "several numbers per pixel"
        raise UserError(f"{path.name} is no slice of a volume: it has {reason}", code="unsupported")
    return header


def _refuse_mixed(headers: Sequence[tuple[Path, Any]]) -> None:
    path, first = headers[0]
    series = {str(header.get("SeriesInstanceUID")): header for _, header in headers}
    if len(series) > 1:
        names = ", ".join(str(each.get("SeriesDescription", "?")) for each in series.values())
        raise UserError(
            f"holds {len(series)} series ({names[:100]}); give each a folder", code="mismatch"
        )
    for other, header in headers[1:]:
        for name in ("Rows", "Columns", "PixelSpacing", "ImageOrientationPatient"):
            one, two = (np.asarray(each[name].value, np.float64) for each in (first, header))
            if one.shape != two.shape or np.abs(one - two).max() > _SAME_DIRECTION:
                raise UserError(
                    f"{path.name} and {other.name} differ in {name}, so they are no slices of one "
                    "volume; give each volume a folder",
                    code="mismatch",
                )


def _positions(headers: Sequence[Any]) -> tuple[np.ndarray, np.ndarray]:
    """The slices' normal, and where each lies along it, in mm."""
    directions = np.asarray(headers[0].ImageOrientationPatient, np.float64).reshape(2, 3)
    normal = np.cross(*directions)
    places = np.array([header.ImagePositionPatient for header in headers], np.float64)
    return normal, places @ normal


def _spacing(positions: np.ndarray, files: Sequence[Path], first: Any) -> float:
    """Give the distance of the slices.

    Raises:
      UserError: two are at one place, or some are missing.
    """
    expected = int(first.get("ImagesInAcquisition") or 0)
    if len(positions) < 2:
        return float(first.get("SliceThickness") or 1)
    steps = np.diff(positions)
    usual = float(np.median(steps))
    at = int(np.argmin(steps))
    if steps[at] < _SAME_MM:
        raise UserError(
            f"{files[at].name} and {files[at + 1].name} lie at one place, so there are several "
            "volumes here (of other times or echoes, say); give each a folder",
            code="mismatch",
        )
    at = int(np.argmax(np.abs(steps - usual)))
    if abs(steps[at] - usual) > _UNEVEN * usual:
        what = "slices are missing" if steps[at] > _MISSING * usual else "slices lie unevenly"
        raise UserError(
            f"{what}: {files[at].name} and {files[at + 1].name} are {steps[at]:g} mm apart, others "
            f"{usual:g} mm",
            code="mismatch",
        )
    if expected > len(positions):
        raise UserError(
            f"slices are missing: {len(positions)} are here, of {expected} by ImagesInAcquisition",
            code="mismatch",
        )
    return float(np.mean(steps))


def _value_dtype(headers: Sequence[Any]) -> np.dtype:
    """Type of the values after slope and intercept, which may differ from slice to slice."""
    scales = [_scale(header) for header in headers]
    if any(number % 1 for scale in scales for number in scale):
        return np.dtype(np.float32)
    return np.dtype(np.int32)


def _scale(header: Any) -> tuple[float, float]:
    return float(header.get("RescaleSlope", 1)), float(header.get("RescaleIntercept", 0))


def _decoded(path: Path, dtype: np.dtype) -> np.ndarray:
    """Values of a slice, (rows, columns)."""
    import pydicom

    try:
        found = pydicom.dcmread(path)
        stored = found.pixel_array
    except Exception as error:  # pydicom raises whatever a broken file makes it raise
        text = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path.name}: its pixels cannot be decoded ({text}); pip install pylibjpeg[all] reads "
            "more kinds of packed pixels",
            code="unreadable",
        ) from error
    slope, intercept = _scale(found)
    return (stored.astype(np.float64) * slope + intercept).astype(dtype)


def _narrowed(voxels: np.memmap) -> np.memmap:
    """Whole values in 16 bits where they fit, as Hounsfield units do; by slices."""
    low = min(int(voxels[..., number].min()) for number in range(voxels.shape[2]))
    high = max(int(voxels[..., number].max()) for number in range(voxels.shape[2]))
    for dtype in map(np.dtype, (np.int16, np.uint16)):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            narrow = scratch.scratch_array(voxels.shape, dtype)
            for number in range(voxels.shape[2]):
                narrow[..., number] = voxels[..., number]
            return narrow
    return voxels


def _geometry(headers: Sequence[Any], normal: np.ndarray, spacing_mm: float) -> Geometry:
    """By PS3.3 C.7.6.2.1.1, its coordinates (LPS+) turned to RAS+."""
    first, last = headers[0], headers[-1]
    along_row, along_column = np.asarray(first.ImageOrientationPatient, np.float64).reshape(2, 3)
    down_mm, right_mm = (float(each) for each in first.PixelSpacing)
    origin = np.asarray(first.ImagePositionPatient, np.float64)
    through = normal * spacing_mm
    if len(headers) > 1:
        end = np.asarray(last.ImagePositionPatient, np.float64)
        through = (end - origin) / (len(headers) - 1)
    affine = np.eye(4)
    affine[:3, :3] = np.stack([along_row * right_mm, along_column * down_mm, through], axis=1)
    affine[:3, 3] = origin
    affine[:2] *= -1
    return Geometry(affine, is_usable(affine))
