"""Kinds of files that Pillow reads by a library of its own each: HEIC of phones, JPEG XL.

Needs no TensorFlow.
"""

from __future__ import annotations

import functools
import importlib
from typing import BinaryIO

from cyclegan_tf.errors import UserError, install_command

_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_JPEG_XL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")


def formats(stream: BinaryIO) -> tuple[str, ...]:
    """Give Pillow's name of a kind, ready to be opened; nothing for all other kinds.

    Args:
      stream: the file at its start, where it is left.

    Raises:
      UserError: the library is not installed.
    """
    magic = stream.read(12)
    stream.seek(0)
    if magic[4:8] == b"ftyp" and magic[8:12] in _BRANDS:
        return _ready("HEIF", "HEIC")
    if magic.startswith(_JPEG_XL):
        return _ready("JXL", "JPEG XL")
    return ()


@functools.cache
def _ready(name: str, called: str) -> tuple[str, ...]:
    try:
        if name == "HEIF":
            import pillow_heif

            pillow_heif.register_heif_opener()
        else:
            importlib.import_module("pillow_jxl")  # it registers itself
    except ImportError:
        raise UserError(
            f"is {called}, which needs one more library: {install_command('phone')}",
            code="dependency",
        ) from None
    return (name,)
