"""Images a few rows at a time: large TIFFs by their strips or tiles, others decoded once.

Memory: of a TIFF as many pieces as the rows asked for touch (uncompressed, the rows alone); of
other kinds the image itself, one byte (or two) per pixel and channel, which is little beside what a
network needs for it.
"""

from __future__ import annotations

import functools
import importlib.util
import zlib
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_tf.atomic import atomic_file
from cyclegan_tf.errors import UserError, install_command
from cyclegan_tf.images import codecs, nodata, numbers
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.camera_data import finish_tiff
from cyclegan_tf.images.nodata import Missing
from cyclegan_tf.images.placement import NOTHING, Placement, read_placement
from cyclegan_tf.images.placement_output import tifffile_options
from cyclegan_tf.images.probing import ANY_NUMBER
from cyclegan_tf.images.profiles import to_srgb

_PLAIN = {1: 1, 2: 3}  # TIFF's photometric "black is zero" and RGB -> samples
_STRIP_BYTES = 2**20
_JPEG = (6, 7)
_UNCOMPRESSED = 1


class WholeImage:
    """A decoded image as rows.

    Args:
      values: (H, W, C).
      missing: its pixels without data.

    Example:
      >>> image = WholeImage(images.read("photo.png"))
      >>> rows = image.read(0, 64)
    """

    def __init__(self, values: np.ndarray, missing: Missing | None = None) -> None:
        self._values, self.missing = values, missing
        self.height, self.width, self.channels = values.shape
        self.dtype = values.dtype

    def read(self, top: int, bottom: int) -> np.ndarray:
        """(bottom - top, width, C)."""
        return self._values[top:bottom]


class TiffRows:
    """The first page of a TIFF by strips or tiles: what is not asked for is not read.

    Args:
      path: for messages.
      page: of tifffile: gray or RGB, uint8 or uint16 over the full range, upright, without alpha.
      channels: 1 or 3, what `read` gives; gray is repeated.
      profile: color profile other than sRGB's; `read` gives sRGB.

    Example:
      >>> with open_rows(Path("large.tif"), 3) as image:
      ...     rows = image.read(0, 64)
    """

    def __init__(self, path: Path, page: Any, channels: int, profile: bytes = b"") -> None:
        self._path, self._page, self._profile = path, page, profile
        self.height, self.width, self.channels = page.imagelength, page.imagewidth, channels
        self.dtype = np.dtype(page.dtype)
        self._kept: dict[int, np.ndarray] = {}
        number = nodata.parse(page.tags.valueof(nodata.TAG))
        self._nodata = None if number is None else nodata.as_type(number, self.dtype)
        self.missing = None
        if self._nodata is not None:
            self.missing = Missing(float(self._nodata), self._missing_rows)

    def read(self, top: int, bottom: int) -> np.ndarray:
        """(bottom - top, width, channels).

        Raises:
          ImageError: a piece is damaged.
        """
        band = self._stored(top, bottom)
        if self._nodata is not None:
            where = nodata.find(band, self._nodata)
            if where.any():
                band[where] = self._mean
        band = to_srgb(band, self._profile)
        return np.repeat(band, 3, axis=-1) if band.shape[-1] < self.channels else band

    def _stored(self, top: int, bottom: int) -> np.ndarray:
        page = self._page
        if page.compression == _UNCOMPRESSED and not page.is_tiled and page.predictor == 1:
            return self._uncompressed(top, bottom)
        return self._decoded(top, bottom)

    def _missing_rows(self, top: int, bottom: int) -> np.ndarray:
        return nodata.find(self._stored(top, bottom), self._nodata)

    @functools.cached_property
    def _mean(self) -> np.ndarray:
        """Of the pixels with data, which takes going through the file once."""
        step = max(1, _STRIP_BYTES // (self.width * self.dtype.itemsize))
        sums, count = np.zeros(self._page.samplesperpixel), 0
        for top in range(0, self.height, step):
            band = self._stored(top, min(self.height, top + step))
            rest = band[~nodata.find(band, self._nodata)]
            sums, count = sums + rest.sum(axis=0, dtype=np.float64), count + len(rest)
        return nodata.mean_of(sums, count, self.dtype)

    def _uncompressed(self, top: int, bottom: int) -> np.ndarray:
        page, file = self._page, self._page.parent.filehandle
        stored = self.dtype.newbyteorder(page.parent.byteorder)
        band = np.empty((bottom - top, self.width, page.samplesperpixel), self.dtype)
        row_bytes = band[:1].nbytes
        rows = min(page.rowsperstrip, self.height)
        for index in range(top // rows, -(-bottom // rows)):
            first, last = max(top, index * rows), min(bottom, (index + 1) * rows)
            file.seek(page.dataoffsets[index] + (first - index * rows) * row_bytes)
            data = file.read((last - first) * row_bytes)
            if len(data) < (last - first) * row_bytes:
                raise image_io.ImageError(
                    self._path, f"is damaged or cut off (strip {index} ends too soon)"
                )
            band[first - top : last - top] = np.frombuffer(data, stored).reshape(
                -1, *band.shape[1:]
            )
        return band

    def _decoded(self, top: int, bottom: int) -> np.ndarray:
        page = self._page
        rows, columns = min(page.rowsperstrip, self.height), self.width
        if page.is_tiled:
            rows, columns = page.tilelength, page.tilewidth
        across = -(-self.width // columns)
        first, last = top // rows, -(-bottom // rows)
        wanted = range(first * across, last * across)
        self._kept = {index: piece for index, piece in self._kept.items() if index in wanted}
        band = np.empty(((last - first) * rows, self.width, page.samplesperpixel), self.dtype)
        for index in wanted:
            if index not in self._kept:
                self._kept[index] = self._decode(index)
            y, x = (index // across - first) * rows, index % across * columns
            piece = self._kept[index][:, : self.width - x]
            band[y : y + piece.shape[0], x : x + piece.shape[1]] = piece
        return band[top - first * rows : bottom - first * rows]

    def _decode(self, index: int) -> np.ndarray:
        page = self._page
        tables = (
            {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
            if page.compression in _JPEG
            else {}
        )
        try:
            file = page.parent.filehandle
            file.seek(page.dataoffsets[index])
            segment, _, shape = page.decode(file.read(page.databytecounts[index]), index, **tables)
            if segment is None:  # a piece that the file leaves out
                return np.zeros(shape[-3:], self.dtype)
            return segment.reshape(segment.shape[-3:])
        except Exception as error:  # decoders raise whatever a broken piece makes them raise
            said = " ".join(str(error).split())[:100]
            raise image_io.ImageError(
                self._path, f"is damaged or cut off (piece {index}: {said})"
            ) from error


@contextmanager
def open_rows(
    path: Path,
    channels: int,
    kept: codecs.Kept = codecs.AS_SHOWN,
    *,
    as_stored: bool = False,
) -> Iterator[WholeImage | TiffRows]:
    """Open an image file as rows: uint8 or uint16, upright, with so many channels.

    By strips or tiles, and of any size: gray and RGB TIFFs of 8 and 16 bits, whatever their
    compression, if `tifffile` is there. All others are decoded whole, up to `images.MAX_PIXELS`.

    Args:
      path: the file.
      channels: as for `images.read`.
      kept: as for `images.read`.
      as_stored: give the numbers of deep files as they are, of any type (`images.numbers.read`).

    Raises:
      ImageError: as `images.read`.
    """
    info = image_io.probe(path, ANY_NUMBER)
    info.require_channels(channels)
    as_stored = as_stored and not numbers.is_8_bit(info)
    is_known = as_stored or info.white in (255, 65535)
    plain = info.exif_orientation == 1 and not info.has_alpha and is_known
    if (
        info.format == "TIFF"
        and channels in (1, 3)
        and plain
        and importlib.util.find_spec("tifffile")
    ):
        with ExitStack() as stack:
            page = _page_to_cut(stack, path, channels, as_stored)
            if page is not None:
                as_is = as_stored or (kept.profile and codecs.keeps_profile(info, channels))
                yield TiffRows(path, page, channels, b"" if as_is else info.profile)
                return
    missing = read_placement(info).missing if info.format == "TIFF" else None
    read = numbers.read if as_stored else image_io.read
    yield WholeImage(read(path, channels, kept=kept), missing)


def _page_to_cut(stack: ExitStack, path: Path, channels: int, as_stored: bool) -> Any:
    """The first page, if it can be read by pieces; None also where tifffile cannot open it."""
    import tifffile

    try:
        page: Any = stack.enter_context(tifffile.TiffFile(path)).pages[0]
        return page if _can_be_cut(page, channels, as_stored) else None
    except Exception:  # of a damaged file, which Pillow may read all the same
        return None


def _can_be_cut(page: Any, channels: int, as_stored: bool) -> bool:
    samples = _PLAIN.get(page.photometric)
    return (
        samples == page.samplesperpixel
        and samples in (1, channels)
        and (samples == 1 or page.planarconfig == 1)
        and (as_stored or page.dtype in (np.uint8, np.uint16))
        and page.bitspersample == 8 * page.dtype.itemsize
        and len(page.dataoffsets) == int(np.prod(page.chunked))
    )


def require_writer(path: Path) -> None:
    """Check that `save_rows` has what it needs for this name.

    Raises:
      UserError: a library is missing.
    """
    if path.suffix.lower() in (".tif", ".tiff") and importlib.util.find_spec("tifffile") is None:
        raise UserError(
            f"{path} is written by strips, which needs one more library: {install_command('tiff')}",
            code="dependency",
            field=str(path),
        )


def save_rows(
    path: Path,
    rows: Iterable[np.ndarray],
    shape: tuple[int, int, int],
    dtype: np.dtype,
    *,
    as_float: bool = False,
    placement: Placement = NOTHING,
) -> None:
    """Write an image that comes in rows, whole or not at all.

    A TIFF is written strip by strip, others from memory.

    Args:
      path: its suffix says the kind.
      rows: parts (h, W, C) of `dtype` from the top.
      shape: (H, W, C) of all.
      dtype: uint8 or uint16; of numbers any, see `images.numbers.save`.
      as_float: as for `images.save`.
      placement: as for `images.save`.

    Raises:
      UserError: the kind cannot hold the image, or a TIFF needs a library that is missing.
    """
    require_writer(path)
    if path.suffix.lower() not in (".tif", ".tiff"):
        whole, top = np.empty(shape, dtype), 0
        for part in rows:
            whole[top : top + len(part)] = part
            top += len(part)
        if dtype in (np.uint8, np.uint16):
            image_io.save(path, whole, as_float=as_float, placement=placement)
        else:
            numbers.save(path, whole, placement)
        return
    import tifffile

    height, width, channels = shape
    if as_float:
        white = np.float32(np.iinfo(dtype).max)
        rows, dtype = (part.astype(np.float32) / white for part in rows), np.dtype(np.float32)
    placement = placement.fitting(dtype, ".tif")
    samples = channels + (placement.alpha is not None)
    per_strip = max(1, min(height, _STRIP_BYTES // (width * samples * dtype.itemsize)))
    with atomic_file(path) as partial:
        tifffile.imwrite(
            partial,
            (zlib.compress(strip.tobytes(), 1) for strip in _strips(rows, per_strip, placement)),
            shape=(height, width, samples) if samples > 1 else shape[:2],
            dtype=dtype,
            rowsperstrip=per_strip,
            photometric="rgb" if channels == 3 else "minisblack",
            planarconfig="contig" if samples > 1 else None,
            compression="adobe_deflate",
            metadata=None,
            **tifffile_options(placement, channels),
            # Offsets of 32 bits end at 4 GiB.
            bigtiff=height * width * samples * dtype.itemsize > 2**31,
        )
        with partial.open("r+b") as stream:
            finish_tiff(stream, placement.exif)


def _strips(rows: Iterable[np.ndarray], count: int, placement: Placement) -> Iterator[np.ndarray]:
    """The same rows in parts of `count`, the last maybe shorter, with what belongs into them."""
    waiting: list[np.ndarray] = []
    have = begun = 0
    for part in rows:
        waiting.append(placement.put_into(part, begun))
        begun += len(part)
        have += len(part)
        if have >= count:
            joined = np.concatenate(waiting)
            whole = have // count * count
            for top in range(0, whole, count):
                yield joined[top : top + count]
            waiting, have = [joined[whole:]], have - whole
    if have:
        yield np.concatenate(waiting)
