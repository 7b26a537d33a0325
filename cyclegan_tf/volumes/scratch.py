"""Arrays that lie in a file without a name: volumes that the memory need not hold."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cyclegan_tf.errors import UserError

_CHUNK_BYTES = 2**20


def scratch_array(shape: Sequence[int], dtype: Any, folder: Path | None = None) -> np.memmap:
    """Make an array of zeros, the first axis being the fastest; its file is gone with it.

    Args:
      shape: without zeros.
      dtype: any.
      folder: where the file lies; None for the system's own folder.
    """
    with tempfile.TemporaryFile(dir=folder) as file:
        file.truncate(count_bytes(shape, dtype))
        return np.memmap(file, dtype, "r+", shape=tuple(shape), order="F")


def unpacked(chunks: Iterable[bytes], offset: int, shape: Sequence[int], dtype: Any) -> np.memmap:
    """Write unpacked bytes to a scratch array.

    Args:
      chunks: see `gzip_chunks` and `zlib_chunks`.
      offset: where in them the array begins.
      shape: of the array, the first axis being the fastest.
      dtype: as stored.

    Raises:
      UserError: the bytes are damaged, or fewer than the array's.
    """
    wanted, written = offset + count_bytes(shape, dtype), 0
    with tempfile.TemporaryFile() as file:
        try:
            for chunk in chunks:
                written += file.write(chunk)
                if written >= wanted:
                    break
        except (zlib.error, OSError, EOFError) as error:
            raise UserError(f"is damaged or cut off ({error})", code="unreadable") from error
        refuse_cut_off(written, wanted)
        file.flush()
        return np.memmap(file, dtype, "r", offset, tuple(shape), "F")


def mapped(path: Path, offset: int, shape: Sequence[int], dtype: Any) -> np.memmap:
    """Map an array that stands in a file as it is.

    Args:
      path: the file.
      offset: where in it the array begins.
      shape: of the array, the first axis being the fastest.
      dtype: as stored.

    Raises:
      UserError: the file is too short.
    """
    refuse_cut_off(path.stat().st_size, offset + count_bytes(shape, dtype))
    return np.memmap(path, dtype, "r", offset, tuple(shape), "F")


def gzip_chunks(path: Path) -> Iterator[bytes]:
    """Unpack a gzip file piece by piece."""
    with gzip.open(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            yield chunk


def zlib_chunks(stream: BinaryIO) -> Iterator[bytes]:
    """Unpack, piece by piece, what zlib packed from here to the end of a stream."""
    unpacker = zlib.decompressobj()
    while not unpacker.eof and (packed := unpacker.unconsumed_tail or stream.read(_CHUNK_BYTES)):
        yield unpacker.decompress(packed, _CHUNK_BYTES)


def count_bytes(shape: Sequence[int], dtype: Any) -> int:
    """Count the bytes of an array."""
    return int(np.prod(np.asarray(shape, np.int64))) * np.dtype(dtype).itemsize


def refuse_cut_off(found: int, wanted: int) -> None:
    """Refuse a file with fewer bytes than its header says.

    Raises:
      UserError: so it is.
    """
    if found < wanted:
        raise UserError(
            f"is cut off: its header says {wanted:,} bytes, and {found:,} are there",
            code="unreadable",
        )
