"""What a translation leaves of a file without an error: kind, numbers, tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from cyclegan_tf.images.folders import WRITTEN_SUFFIXES
from cyclegan_tf.images.headers import ImageInfo
from cyclegan_tf.images.io import FLOAT_EXTENSIONS
from cyclegan_tf.images.placement import Placement


def remarks_on(
    info: ImageInfo, placement: Placement, target: Path, has_ranges: bool = False
) -> tuple[str, ...]:
    """Say what of a source is not in its translation.

    Args:
      info: header of the source.
      placement: of the source.
      target: file of the translation.
      has_ranges: whether the result's numbers are those of the target domain.
    """
    suffix = target.suffix.lower()
    remarks = []
    if info.path.suffix.lower() not in WRITTEN_SUFFIXES and info.path.stem == target.stem:
        remarks.append(f"of a kind that is read only, written as {suffix}")
    if info.bits == 32 and not info.is_float and not has_ranges:
        remarks.append("integers of 32 bits, brought to 16, so that small labels become 0")
    if info.is_float and suffix not in FLOAT_EXTENSIONS and not has_ranges:
        remarks.append(f"floats, written as integers, since {suffix} files hold no others")
    if lost := placement.lost_in(suffix):
        remarks.append(f"{' and '.join(lost)}, which {suffix} files do not hold")
    return tuple(remarks)


def summarize(remarks: Iterable[str]) -> list[str]:
    """Make one line of each kind of remark: "3 files: more than one page"."""
    return [
        f"{count} {'file' if count == 1 else 'files'}: {remark}"
        for remark, count in Counter(remarks).items()
    ]
