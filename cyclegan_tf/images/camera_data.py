"""EXIF: what a camera says of a photograph, out of and into files, TIFF as well.

Orientation, size and thumbnail are left out: a translation decides the first two, and has no third.
Format: CIPA DC-008 (EXIF 2.32), sec. 4.6; in TIFF its two directories hang on tags 34665 and 34853.
Needs no TensorFlow.
"""

from __future__ import annotations

import os
import re
import struct
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image
from PIL.TiffImagePlugin import ImageFileDirectory_v2

EXIF_IFD, GPS_IFD = 0x8769, 0x8825
_ORIENTATION, _DESCRIPTION, _SOFTWARE, _DATE = 274, 270, 305, 306
_INTEROPERABILITY = 0xA005
# Size and rotation, and where a thumbnail stands.
_NOT_KEPT = (_ORIENTATION, 256, 257, 40962, 40963, 513, 514)
# Description, maker, model, program, date, person, computer, rights: a TIFF's other tags are its
# own.
_OF_CAMERA = (_DESCRIPTION, 271, 272, 305, 306, 315, 316, 33432)
_NO_TEXT = ("ImageJ=", '{"shape"', "<?xml", "<OME")  # descriptions for programs
_HEADERS = {"<": b"II*\0", ">": b"MM\0*"}
_ASCII, _LONG, _CLASSIC = 2, 4, 42


def cleaned(block: bytes) -> bytes:
    """An EXIF block without what is not true of a translation; nothing where it holds no more."""
    if not block:
        return b""
    exif = Image.Exif()
    exif.load(block)
    return _without_size(exif)


def of_tiff(path: Path) -> bytes:
    """The EXIF block that a TIFF would have as a JPEG; nothing where it holds none.

    Offsets of 64 bits (BigTIFF) are not followed.
    """
    with path.open("rb") as stream:
        if stream.read(4)[2:4] in (b"+\0", b"\0+"):
            return b""
        stream.seek(0)
        found = Image.Exif()
        found.load_from_fp(stream)
        exif = Image.Exif()
        for tag in _OF_CAMERA:
            if isinstance(value := found.get(tag), str) and not value.startswith(_NO_TEXT):
                exif[tag] = value
        for tag in (EXIF_IFD, GPS_IFD):
            if inner := found.get_ifd(tag):
                exif.get_ifd(tag).update(inner)
        inner = exif.get_ifd(EXIF_IFD)
        if _INTEROPERABILITY in inner:
            inner[_INTEROPERABILITY] = found.get_ifd(_INTEROPERABILITY)
        return _without_size(exif)


def _without_size(exif: Image.Exif) -> bytes:
    inner = exif.get_ifd(EXIF_IFD)
    for tag in _NOT_KEPT:
        exif.pop(tag, None)
        inner.pop(tag, None)
    # A program alone is whatever wrote the file.
    return exif.tobytes() if set(exif) - {_SOFTWARE} or inner or exif.get_ifd(GPS_IFD) else b""


def tiff_options(block: bytes) -> dict[str, Any]:
    """Options of tifffile's `write` for what stands in a TIFF's own directory.

    `finish_tiff` writes the rest, which tifffile does not.
    """
    exif = _loaded(block)
    texts = {tag: exif.get(tag) for tag in _OF_CAMERA if isinstance(exif.get(tag), str)}
    options: dict[str, Any] = {"software": texts.pop(_SOFTWARE, "") or False}
    if text := texts.pop(_DESCRIPTION, ""):
        options["description"] = text.encode()
    date = str(texts.pop(_DATE, ""))
    if re.fullmatch(r"\d{4}(:\d\d){2} \d\d(:\d\d){2}", date):
        options["datetime"] = date
    others = [(tag, _ASCII, 0, text.encode(), True) for tag, text in texts.items() if text]
    return options | {"extratags": others}


def finish_tiff(stream: BinaryIO, block: bytes) -> None:
    """Append an EXIF block's directories to a TIFF, and a first directory that points to them.

    Args:
      stream: the file, to be read and written; one of 64-bit offsets stays as it is.
      block: that `tiff_options` was given.
    """
    exif = _loaded(block)
    found = {tag: inner for tag in (EXIF_IFD, GPS_IFD) if (inner := exif.get_ifd(tag))}
    stream.seek(0)
    head = stream.read(8)
    order = "<" if head[:2] == b"II" else ">"
    magic, start = struct.unpack_from(order + "HI", head, 2)
    if not found or magic != _CLASSIC:
        return
    entries, following = _directory(stream, order, start)
    for tag, inner in found.items():
        place = _to_even_end(stream)
        directory = ImageFileDirectory_v2(_HEADERS[order] + bytes(4), group=tag)
        for code, value in inner.items():
            directory[code] = exif.get_ifd(code) if code == _INTEROPERABILITY else value
        stream.write(directory.tobytes(place))
        entries[tag] = struct.pack(order + "HHII", tag, _LONG, 1, place)
    place = _to_even_end(stream)
    stream.write(struct.pack(order + "H", len(entries)))
    stream.write(b"".join(entries[tag] for tag in sorted(entries)) + following)
    stream.seek(4)
    stream.write(struct.pack(order + "I", place))


def _loaded(block: bytes) -> Image.Exif:
    exif = Image.Exif()
    if block:
        exif.load(block)
    return exif


def _directory(stream: BinaryIO, order: str, start: int) -> tuple[dict[int, bytes], bytes]:
    """The entries of a directory by tag, and where the next directory is."""
    stream.seek(start)
    (count,) = struct.unpack(order + "H", stream.read(2))
    entries = [stream.read(12) for _ in range(count)]
    return {struct.unpack_from(order + "H", entry)[0]: entry for entry in entries}, stream.read(4)


def _to_even_end(stream: BinaryIO) -> int:
    """Where the next thing written begins; directories begin at even places."""
    end = stream.seek(0, os.SEEK_END)
    stream.write(bytes(end % 2))
    return end + end % 2
