"""PBM, PGM and PPM: numbers after a short text, in any depth.

Pillow cuts colors of 16 bits to 8.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import BinaryIO

import numpy as np

from cyclegan_tf.images import pixel_values
from cyclegan_tf.images.headers import ImageError, ImageInfo

_BITMAP, _PLAIN = b"14", b"123"
_GAP = rb"(?:\s|#[^\n]*\n)+"
_HEAD_BYTES = 4096  # comments are seldom longer


def is_netpbm(magic: bytes) -> bool:
    """Whether a file begins like P1 to P6."""
    return re.match(rb"P[1-6][\s#]", magic) is not None


def header(path: Path, stream: BinaryIO) -> ImageInfo:
    """Read the header.

    Raises:
      ImageError: the binary numbers end too soon, or the depth is none.
      ValueError: it is damaged.
    """
    kind, (width, height, white), start = _head(stream)
    channels, dtype = 3 if kind in b"36" else 1, np.uint8 if white < 256 else np.uint16
    if not 0 < white < 65536:
        raise ImageError(path, f"has {white} as its largest number; 1 to 65535 are wanted")
    if kind not in _PLAIN:
        row = -(-width // 8) if kind in _BITMAP else width * channels * np.dtype(dtype).itemsize
        if path.stat().st_size < start + row * height:
            raise ImageError(path, "is damaged or cut off (its numbers end too soon)")
    return ImageInfo(
        path,
        "PNM",
        width,
        height,
        mode="1" if kind in _BITMAP else ("L" if channels == 1 else "RGB"),
        channels=channels,
        bits=8 * np.dtype(dtype).itemsize,
        decoder="netpbm",
        white=white,
        dtype=np.dtype(dtype).name,
    )


def decode(info: ImageInfo, _: int) -> np.ndarray:
    """Decode to uint8 or uint16 (H, W, C) over the whole range."""
    with info.path.open("rb") as stream:
        kind, _sizes, start = _head(stream)
        stream.seek(start)
        data = stream.read()
    values: np.ndarray
    shape = info.height, info.width, info.channels
    count = info.height * info.width * info.channels
    if kind in _PLAIN:
        text = re.sub(rb"#[^\n]*", b"", data)
        # bits may stand without anything between them
        found = re.findall(rb"[01]" if kind in _BITMAP else rb"\d+", text)[:count]
        values = np.array(found, np.int64).reshape(shape)
        values = values.astype(np.uint32 if values.max() > 65535 else f"u{info.bits // 8}")
    elif kind in _BITMAP:
        row = -(-info.width // 8)
        packed = np.frombuffer(data, np.uint8, row * info.height).reshape(info.height, row)
        values = np.unpackbits(packed, axis=1)[:, : info.width, None]
    else:
        values = np.frombuffer(data, f">u{info.bits // 8}", count).reshape(shape)
    planes = pixel_values.full_range(values, info.white)
    return 255 - planes if kind in _BITMAP else planes  # there, 1 is black


def _head(stream: BinaryIO) -> tuple[bytes, tuple[int, int, int], int]:
    """Kind (b"1" to b"6"); width, height and white; where the pixels start."""
    data = stream.read(_HEAD_BYTES)
    kind = data[1:2]
    count = 2 if kind in _BITMAP else 3
    # exactly one byte stands between the last number and the pixels
    match = re.match(rb"P[1-6]" + (_GAP + rb"(\d{1,9})") * count + rb"(?:\s|$)", data)
    if not match:
        raise ValueError("its size is missing")
    width, height, *white = map(int, match.groups())
    return kind, (width, height, white[0] if white else 1), match.end()
