"""The parts that PNG and JPEG files are made of: chunks and segments.

Walked by the rules of libpng and libjpeg, so that a size found here is the size that TensorFlow
decodes. Needs no TensorFlow.
"""

from __future__ import annotations

import io
import itertools
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"

# Chunks of the image, and of an animation's other images, which are not read.
_PIXELS = (b"IDAT", b"fdAT")
_PORTION_BYTES = 1 << 16

# Markers of JPEG: start of frame, those without a length, start and end of image, start of scan.
_SOF = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD8)}
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA


def png_chunks(stream: BinaryIO, max_chunks: int | None = None) -> Iterator[tuple[bytes, int]]:
    """Walk the chunks of a PNG from its start to its end.

    Pillow reads a PNG without its end as if it were whole, which this does not. Checksums are
    compared, as libpng drops a damaged chunk of transparency or color without an error; those of
    the pixels, which it does refuse, are left to it.

    Args:
      stream: seekable, at the first byte of the file. At each name it stands at the chunk's data;
        the caller may read them, or part of them.
      max_chunks: refuse a PNG of more; None for any number.

    Yields:
      Name and length in bytes of each chunk: first IHDR, last IEND.

    Raises:
      ValueError: there is no IHDR at the start or no end, a checksum differs, or there are too
        many chunks.
    """
    # libpng takes the size from the first chunk, so a second IHDR further on must not count.
    if stream.read(16) != PNG_SIGNATURE + b"\0\0\0\rIHDR":
        raise ValueError("a PNG must begin with its size")
    name, length, position = b"IHDR", 13, 16
    for _ in itertools.count() if max_chunks is None else range(max_chunks):
        yield name, length
        stream.seek(position)
        checksum = None if name in _PIXELS else _checksum(name, stream, length)
        position = stream.seek(position + length)
        head = stream.read(12)  # checksum, then the next chunk's length and name
        if checksum is not None and len(head) >= 4 and checksum != int.from_bytes(head[:4], "big"):
            raise ValueError(f"the checksum of its part {name.decode('latin-1')} differs")
        if len(head) < 4:
            break
        if name == b"IEND":
            return
        if len(head) < 12:
            break
        (length, name), position = struct.unpack(">I4s", head[4:]), position + 12
    else:
        raise ValueError(f"more than {max_chunks} chunks")
    raise ValueError("the end of the PNG is missing")


def _checksum(name: bytes, stream: BinaryIO, length: int) -> int:
    total = zlib.crc32(name)
    while length > 0 and (part := stream.read(min(length, _PORTION_BYTES))):
        total, length = zlib.crc32(part, total), length - len(part)
    return total


def png_size(data: bytes, max_chunks: int) -> tuple[int, int]:
    """Width and height of an encoded PNG, as stored, by libpng's rules; see `png_chunks`.

    Raises:
      ValueError: it is damaged or cut off, or has more than `max_chunks` chunks.
    """
    for _ in png_chunks(io.BytesIO(data), max_chunks):
        pass
    return struct.unpack_from(">II", data, 16)


def jpeg_size(data: bytes, max_scans: int) -> tuple[int, int]:
    """Width and height of an encoded JPEG, as stored.

    Finds markers as libjpeg does, which passes over bytes between them, so that both see the same
    size.

    Raises:
      ValueError: it is damaged or cut off before its pixels, or has more than `max_scans` scans.
    """
    if data.count(b"\xff\xda") > max_scans:
        raise ValueError(f"more than {max_scans} scans")
    size, position = None, 2
    while (position := data.find(b"\xff", position)) >= 0:
        while data[position : position + 1] == b"\xff":
            position += 1
        marker, position = data[position] if position < len(data) else _EOI, position + 1
        if marker in (_SOI, _EOI):
            break
        if marker == 0 or marker in _WITHOUT_LENGTH:
            continue
        if marker == _SOS:
            if size is None:
                break
            return size
        length = int.from_bytes(data[position : position + 2], "big")
        if length < 2 or position + length > len(data):
            break
        if marker in _SOF:
            if size is not None or length < 8:
                break
            height, width = struct.unpack_from(">HH", data, position + 3)
            size = (width, height)
        position += length
    raise ValueError("the size or the pixels of the JPEG are missing")
