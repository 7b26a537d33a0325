"""Which images a TIFF holds besides its first.

Smaller copies, thumbnails and masks, as maps have them, are none.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import BinaryIO

_NEW_SUBFILE, _SUBFILE, _DESCRIPTION = 254, 255, 270
_SMALLER_OR_MASK, _SMALLER = 1 | 4, 2
_SEARCHED = 10_000  # directories of a file; more of them than any pyramid has are pages


def has_more_pages(stream: BinaryIO) -> bool:
    """Whether a TIFF has a second page of full size, or an ImageJ stack in one directory.

    Args:
      stream: the file, of a size that `seek` may go beyond; its position is lost.
    """
    try:
        for number, (kind, old_kind, description) in enumerate(_directories(stream)):
            if number == 0:
                count = re.search(rb"\nimages=(\d{1,9})\s", description)
                if description.startswith(b"ImageJ=") and count and int(count[1]) > 1:
                    return True
            elif _is_full_size(kind, old_kind):
                return True
    except struct.error:  # cut off; reading the first page decides whether that matters
        pass
    return False


def full_size_pages(stream: BinaryIO) -> list[int]:
    """Number the pages of full size by their places among all directories, from 0.

    Args:
      stream: as for `has_more_pages`.

    Returns:
      The first is always 0; nothing where the directories are cut off or too many.
    """
    try:
        kinds = [(kind, old_kind) for kind, old_kind, _ in _directories(stream)]
    except struct.error:
        return []
    if len(kinds) >= _SEARCHED:
        return []
    return [number for number, kind in enumerate(kinds) if number == 0 or _is_full_size(*kind)]


def _is_full_size(kind: int, old_kind: int) -> bool:
    return not kind & _SMALLER_OR_MASK and old_kind != _SMALLER


def _directories(stream: BinaryIO) -> Iterator[tuple[int, int, bytes]]:
    """Of each directory both tags of its kind, and its description."""
    stream.seek(0)
    start = stream.read(16)
    order = "<" if start[:2] == b"II" else ">"
    is_big = struct.unpack_from(order + "H", start, 2)[0] == 43
    offset_code, count_code, entry_bytes = ("Q", "Q", 20) if is_big else ("I", "H", 12)
    (position,) = struct.unpack_from(order + offset_code, start, 8 if is_big else 4)
    seen: set[int] = set()
    while position and position not in seen and len(seen) < _SEARCHED:
        seen.add(position)
        stream.seek(position)
        head = stream.read(struct.calcsize(order + count_code))
        (count,) = struct.unpack(order + count_code, head)
        data = stream.read(min(count, 65536) * entry_bytes + struct.calcsize(order + offset_code))
        entries = {}
        for index in range(min(count, 65536)):
            tag, kind = struct.unpack_from(order + "HH", data, index * entry_bytes)
            field = data[index * entry_bytes + 4 : (index + 1) * entry_bytes]
            entries[tag] = kind, field
        (position,) = struct.unpack_from(order + offset_code, data, count * entry_bytes)
        yield (
            _number(order, *entries.get(_NEW_SUBFILE, (0, b""))),
            _number(order, *entries.get(_SUBFILE, (0, b""))),
            _text(stream, order, offset_code, entries.get(_DESCRIPTION, (0, b""))[1]),
        )


def _number(order: str, kind: int, field: bytes) -> int:
    """The first number of an entry that stands in it: tags of one number do."""
    code = {3: "H", 4: "I"}.get(kind)
    return 0 if code is None else struct.unpack_from(order + code, field, len(field) // 2)[0]


def _text(stream: BinaryIO, order: str, offset_code: str, field: bytes) -> bytes:
    if not field:
        return b""
    count, offset = struct.unpack(order + 2 * offset_code, field)
    if count <= len(field) // 2:
        return field[len(field) // 2 :][:count]
    stream.seek(offset)
    return stream.read(min(count, 65536))
