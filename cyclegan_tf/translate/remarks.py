"""What a translation leaves of a file without an error: pages, numbers, tags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from cyclegan_tf.images.headers import ImageInfo


def remarks_on(info: ImageInfo) -> tuple[str, ...]:
    """Say what of a source is not in its translation.

    Args:
      info: header of the source.
    """
    remarks = []
    if info.more_pages:
        remarks.append("more than one page or frame, of which only the first was taken")
    return tuple(remarks)


def summarize(remarks: Iterable[str]) -> list[str]:
    """Make one line of each kind of remark: "3 files: more than one page"."""
    return [
        f"{count} {'file' if count == 1 else 'files'}: {remark}"
        for remark, count in Counter(remarks).items()
    ]
