"""What `check` says of volumes: counts, sizes, spacing, numbers, empty slices. No TensorFlow."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from tqdm import tqdm

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import pixel_values
from cyclegan_tf.images.folders import list_folder
from cyclegan_tf.volumes import opening
from cyclegan_tf.volumes.slices import Cutting, Slices
from cyclegan_tf.volumes.volume import Volume

_WIDTH = 110
# Spacings whose largest is so many times the smallest show the same thing at other sizes.
_UNEVEN_SPACING = 1.2
_HEAD = ("folder", "volumes", "kinds", "voxels", "mm", "type", "numbers", "slices", "empty")


@dataclass(frozen=True)
class VolumeReport:
    """What was found in one volume.

    Attributes:
      path: its file or folder.
      problem: why it cannot be used; None if it can, and only then the rest is known.
      kind: of its file.
      shape: of its voxels, as stored.
      spacing_mm: of its voxels, as stored.
      dtype: of its numbers.
      low: the smallest number.
      high: the largest number.
      slices: along the axis of training.
      empty: of these.

    Example:
      >>> VolumeReport(Path("a.nii"), problem="is empty (0 bytes)")
    """

    path: Path
    problem: str | None = None
    kind: str = ""
    shape: tuple[int, ...] = ()
    spacing_mm: tuple[float, ...] = ()
    dtype: str = ""
    low: float = 0.0
    high: float = 0.0
    slices: int = 0
    empty: int = 0


def volume_folders(folders: Mapping[str, Path]) -> dict[str, Path]:
    """Choose the folders that training reads as volumes: those without images."""
    return {
        name: folder
        for name, folder in folders.items()
        if opening.holds_volumes(folder) and not list_folder(folder).images
    }


def examine(
    folders: Mapping[str, Path], cutting: Cutting, show_progress: bool = False
) -> dict[str, list[VolumeReport]]:
    """Read every volume.

    Args:
      folders: by name.
      cutting: how training cuts volumes.
      show_progress: draw a progress bar on standard error.

    Raises:
      UserError: a package is missing.
    """
    listed = {name: opening.list_volumes(folder).volumes for name, folder in folders.items()}
    count = sum(map(len, listed.values()))
    with tqdm(total=count, unit=" volumes", disable=not show_progress, leave=False) as bar:
        found: dict[str, list[VolumeReport]] = {}
        for name, paths in listed.items():
            found[name] = []
            for path in paths:
                found[name].append(_examined(path, cutting))
                bar.update()
    return found


def render(
    found: Mapping[str, Sequence[VolumeReport]], ranges: Mapping[str, Any] = MappingProxyType({})
) -> tuple[str, int]:
    """Lay out a report as text.

    Args:
      found: reports by folder.
      ranges: of "x" and "y", as a training is asked for them; "full" by default.

    Returns:
      The text, and the exit status: 0 fine, 1 warnings, 2 where training would refuse.
    """
    table = [_HEAD, *(_row(name, reports) for name, reports in found.items())]
    widths = [max(len(row[column]) for row in table) for column in range(len(_HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    findings = [*_findings(found, ranges)]
    for level, text in findings:
        first, *rest = f"{level}: {text}".split("\n")
        lines += ["", *textwrap.wrap(first, _WIDTH, subsequent_indent="    "), *rest]
    levels = {level for level, _ in findings}
    return "\n".join(lines), 2 if "error" in levels else 1 if "warning" in levels else 0


def _examined(path: Path, cutting: Cutting) -> VolumeReport:
    try:
        volume = opening.open_volume(path)
        slices = Slices(volume, cutting.axis).checked()
        filled = slices.filled()
    except opening.VolumeError as error:
        return VolumeReport(path, error.reason)
    if not filled:
        return VolumeReport(path, "holds empty slices only")
    low, high = _limits(volume)
    return VolumeReport(
        path, None, volume.kind, volume.voxels.shape, volume.geometry.spacing_mm,
        volume.value_dtype.name, low, high, len(slices), len(slices) - len(filled),
    )  # fmt: skip


def _limits(volume: Volume) -> tuple[float, float]:
    planes = [volume.voxels[..., number] for number in range(volume.voxels.shape[2])]
    ends = np.array([[np.nanmin(plane), np.nanmax(plane)] for plane in planes])
    values = volume.values(np.array([ends[:, 0].min(), ends[:, 1].max()], volume.voxels.dtype))
    return float(values.min()), float(values.max())


def _row(name: str, reports: Sequence[VolumeReport]) -> tuple[str, ...]:
    known = [each for each in reports if each.problem is None]
    if not known:
        return (name, str(len(reports)), *[""] * (len(_HEAD) - 2))
    kinds = Counter(each.kind for each in known).most_common()
    low, high = min(each.low for each in known), max(each.high for each in known)
    return (
        name,
        str(len(reports)),
        ", ".join(f"{count} {kind}" for kind, count in kinds),
        _some({" x ".join(map(str, each.shape)) for each in known}),
        _some({" x ".join(f"{mm:.3g}" for mm in each.spacing_mm) for each in known}),
        _some({each.dtype for each in known}),
        f"{low:g} to {high:g}",
        str(sum(each.slices for each in known)),
        str(sum(each.empty for each in known)),
    )


def _some(texts: set[str]) -> str:
    first, *others = sorted(texts)
    return f"{first} and {len(others)} more" if others else first


def _findings(
    found: Mapping[str, Sequence[VolumeReport]], ranges: Mapping[str, Any]
) -> Iterator[tuple[str, str]]:
    for name, reports in found.items():
        is_training = not name.startswith("test")
        broken = [each for each in reports if each.problem is not None]
        if broken:
            lines = "".join(f"\n    {each.path}: {each.problem}" for each in broken)
            who = "training refuses them" if is_training else "translation refuses them"
            text = f"{name}: {len(broken)} of {len(reports)} volumes cannot be used; {who}:{lines}"
            yield "error" if is_training else "warning", text
        known = [each for each in reports if each.problem is None]
        spacings = np.array([each.spacing_mm for each in known])
        if len(known) and (spacings.max(axis=0) > _UNEVEN_SPACING * spacings.min(axis=0)).any():
            low, high = spacings.min(), spacings.max()
            yield (
                "warning",
                f"{name}: voxels of {low:.3g} to {high:.3g} mm, so that the same thing has other "
                "sizes in other volumes. Resample them to one spacing.",
            )
        domain = "x" if name in ("trainA", "X") else "y"
        signed = {each.dtype for each in known if _needs_range(each)}
        if signed and is_training and ranges.get(domain, "full") == "full":
            yield (
                "error",
                f"{name}: {', '.join(sorted(signed))} numbers need a range: take "
                f"--data.range_{domain} auto, or two numbers.",
            )


def _needs_range(report: VolumeReport) -> bool:
    dtype = np.dtype(report.dtype)
    try:
        has_white = pixel_values.depth_of(dtype)[1] != pixel_values.NO_WHITE
    except UserError:
        return True
    return not has_white or (dtype.kind == "f" and not 0 <= report.low <= report.high <= 1)
