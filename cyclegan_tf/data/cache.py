"""Prepared pictures, held where any one can be had by its index: in memory, on disk, or decoded each time.

Random access, not `tf.data`'s own `cache()`, because a resumed run must start in the middle of an epoch
without reading through what came before.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from cyclegan_tf.data.sources import Pictures, to_be_mended
from cyclegan_tf.data.transforms import Preparation
from cyclegan_tf.devices.hardware import free_memory_bytes
from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io

# A share, because the networks, their gradients and the other domain want memory too.
MEMORY_SHARE = 0.35


def _main_memory() -> contextlib.AbstractContextManager:
    """Where pictures wait: on a GPU machine a plain tensor would take the GPU's memory, far from tf.data."""
    return tf.device("CPU:0")


@dataclass(frozen=True)
class Store:
    """Prepared pictures by index.

    Attributes:
      lookup: int64 scalar tensor -> uint8 or uint16 (H, W, C), for use inside a graph.
      count: how many.
      kind: "memory", "disk", "lazy" or "off".
      bytes: size of all prepared pictures.
      enlarged: how many had to be resized up to reach the crop.
    """

    lookup: Callable[[tf.Tensor], tf.Tensor]
    count: int
    kind: str
    bytes: int
    enlarged: int

    def __len__(self) -> int:
        return self.count


def stored_dtype(pictures: Pictures) -> tf.DType:
    """uint16 where any picture has more than 8 bits, else uint8."""
    if pictures.infos:
        return tf.uint16 if any(info.bits > 8 for info in pictures.infos) else tf.uint8
    return tf.uint16 if pictures.read(0).dtype == np.uint16 else tf.uint8


def read_checked(pictures: Pictures, index: int) -> np.ndarray:
    """Reads one picture; one that cannot be decoded is the person's to mend.

    Raises:
      UserError: names the file and what is wrong with it.
    """
    try:
        return pictures.read(index)
    except image_io.PictureError as error:
        raise to_be_mended(error) from error


def _native_sizes(pictures: Pictures) -> np.ndarray:
    """Heights and widths as the headers tell, (N, 2); one size for all where the pictures are not files."""
    if pictures.infos:
        return np.array([[info.height, info.width] for info in pictures.infos], np.int32)
    return np.array([pictures.read(0).shape[:2]] * len(pictures), np.int32)


def _choose(kind: str, size: int, folder: Path, is_file_list: bool) -> str:
    if kind == "lazy":
        if not is_file_list:
            return "memory"
        return "lazy" if size <= MEMORY_SHARE * free_memory_bytes() else "off"
    if kind == "auto":
        if size <= MEMORY_SHARE * free_memory_bytes():
            return "memory"
        folder.mkdir(parents=True, exist_ok=True)
        kind = "disk" if shutil.disk_usage(folder).free > 2 * size else "off"
    if kind == "off" and not is_file_list:
        return "memory"
    return kind


def open_store(
    pictures: Pictures,
    preparation: Preparation,
    kind: str,
    folder: Path,
    label: str,
    show_progress: bool = False,
) -> Store:
    """Prepares all pictures of a list, unless `kind` is "lazy" or "off".

    Args:
      pictures: the list.
      preparation: how each is resized.
      kind: "auto", "memory", "disk", "lazy" or "off"; auto measures sizes against free memory, then free disk;
        lazy reads a picture when it is first wanted and keeps it in memory, as long as all would fit there.
      folder: where a disk cache is kept.
      label: names the list in messages and files.
      show_progress: draw a progress bar on standard error.

    Raises:
      UserError: a picture cannot be decoded, or the disk cache cannot be written.
    """
    sizes = _native_sizes(pictures)
    height, width = (np.asarray(side) for side in preparation.prepared_size(*tf.constant(sizes.T)))
    dtype = stored_dtype(pictures)
    total = int(np.sum(height.astype(np.int64) * width)) * pictures.channels * dtype.size
    enlarged = int(np.sum(sizes.min(axis=1) < preparation.crop_size_px)) if preparation.fixed_size_px else 0
    kind = _choose(kind, total, folder, bool(pictures.infos))
    if kind == "off":
        lookup = _decoding_lookup(pictures, preparation, dtype)
    elif kind == "lazy":
        lookup = _lazy_lookup(pictures, preparation, dtype)
    elif kind == "memory":
        lookup = _memory_lookup(_prepared(pictures, preparation, dtype, label, show_progress), total, dtype, pictures)
    else:
        lookup = _disk_lookup(pictures, preparation, dtype, folder, label, show_progress)
    return Store(lookup, len(pictures), kind, total, enlarged)


def _prepared(
    pictures: Pictures, preparation: Preparation, dtype: tf.DType, label: str, show_progress: bool
) -> Iterator[np.ndarray]:
    def one(index: int) -> np.ndarray:
        return _prepare_one(pictures, preparation, dtype, index)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(one, range(len(pictures)))
        yield from tqdm(results, f"reading {label}", len(pictures), disable=not show_progress, leave=False)


def _prepare_one(pictures: Pictures, preparation: Preparation, dtype: tf.DType, index: int) -> np.ndarray:
    picture = image_io.as_dtype(read_checked(pictures, index), dtype.as_numpy_dtype)
    with _main_memory():
        return np.asarray(preparation.prepare(tf.constant(picture)))


def _lazy_lookup(pictures: Pictures, preparation: Preparation, dtype: tf.DType) -> Callable[[tf.Tensor], tf.Tensor]:
    """Reads what is wanted when it is first wanted: a machine of several needs its share of the pictures only."""
    known: dict[int, np.ndarray] = {}

    def read(index: np.ndarray) -> np.ndarray:
        number = int(index)
        if number not in known:
            known[number] = _prepare_one(pictures, preparation, dtype, number)
        return known[number]

    def lookup(index: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(read, [index], dtype), (None, None, pictures.channels))

    return lookup


def _memory_lookup(
    prepared: Iterator[np.ndarray], total: int, dtype: tf.DType, pictures: Pictures
) -> Callable[[tf.Tensor], tf.Tensor]:
    """One flat tensor for all, cut by offset: pictures may differ in size."""
    flat = np.empty(total // dtype.size, dtype.as_numpy_dtype)
    shapes, offsets, end = [], [], 0
    for picture in prepared:
        if end + picture.size > flat.size:  # headers told another size, as EXIF rotation can
            flat = np.concatenate([flat[:end], np.empty(max(flat.size, picture.size), flat.dtype)])
        flat[end : end + picture.size] = picture.ravel()
        shapes.append(picture.shape)
        offsets.append(end)
        end += picture.size
    with _main_memory():
        data = tf.constant(flat[:end])
        shape_of, offset_of = tf.constant(shapes, tf.int64), tf.constant(offsets, tf.int64)

    def lookup(index: tf.Tensor) -> tf.Tensor:
        shape = shape_of[index]
        start = offset_of[index]
        picture = tf.reshape(data[start : start + tf.reduce_prod(shape)], shape)
        return tf.ensure_shape(picture, (None, None, pictures.channels))

    return lookup


def _disk_lookup(
    pictures: Pictures,
    preparation: Preparation,
    dtype: tf.DType,
    folder: Path,
    label: str,
    show_progress: bool,
) -> Callable[[tf.Tensor], tf.Tensor]:
    """One flat file, mapped into memory; reused when names, file times and preparation are the same."""
    stamps = [(info.path.stat().st_mtime_ns, info.path.stat().st_size) for info in pictures.infos]
    key = hashlib.sha256(
        repr((pictures.names, stamps, preparation, dtype.name, pictures.channels)).encode()
    ).hexdigest()
    data_path, index_path = folder / f"{label}.bin", folder / f"{label}.json"
    try:
        index = json.loads(index_path.read_text(encoding="utf-8"))
        if index["key"] != key or data_path.stat().st_size != index["bytes"]:
            index = None
    except (OSError, ValueError, KeyError):
        index = None
    if index is None:
        try:
            index = _write_disk_cache(
                _prepared(pictures, preparation, dtype, label, show_progress), key, data_path, index_path
            )
        except OSError as error:
            raise UserError(
                f"The disk cache {data_path} cannot be written ({error.strerror or error}); "
                "free some space, or give --data.cache off."
            ) from error
    mapped = np.memmap(data_path, dtype.as_numpy_dtype, "r")
    shapes, offsets = index["shapes"], index["offsets"]

    def read(number: np.ndarray) -> np.ndarray:
        shape, offset = shapes[int(number)], offsets[int(number)]
        return np.array(mapped[offset : offset + int(np.prod(shape))]).reshape(shape)

    def lookup(number: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(tf.numpy_function(read, [number], dtype), (None, None, pictures.channels))

    return lookup


def _write_disk_cache(prepared: Iterator[np.ndarray], key: str, data_path: Path, index_path: Path) -> dict:
    data_path.parent.mkdir(parents=True, exist_ok=True)
    index_path.unlink(missing_ok=True)
    partial = data_path.with_suffix(".partial")
    shapes, offsets, end, written = [], [], 0, 0
    try:
        with partial.open("wb") as file:
            for picture in prepared:
                shapes.append(picture.shape)
                offsets.append(end)
                end += picture.size
                written += file.write(picture.tobytes())
        os.replace(partial, data_path)
    finally:
        partial.unlink(missing_ok=True)
    index = {"key": key, "bytes": written, "shapes": shapes, "offsets": offsets}
    # Written last: a cache without its index is made again.
    index_path.write_text(json.dumps(index), encoding="utf-8")
    return index


def _decoding_lookup(pictures: Pictures, preparation: Preparation, dtype: tf.DType) -> Callable[[tf.Tensor], tf.Tensor]:
    with _main_memory():
        paths = tf.constant([str(info.path) for info in pictures.infos])
        fast = tf.constant([info.fast for info in pictures.infos])

    def lookup(index: tf.Tensor) -> tf.Tensor:
        picture = image_io.decode_tensor(paths[index], fast[index], pictures.channels, dtype, pictures.max_pixels)
        return preparation.prepare(picture)

    return lookup
