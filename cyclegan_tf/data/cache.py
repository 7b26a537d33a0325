"""Resized images by index: held in memory, on disk, or decoded each time.

Random access, not `tf.data`'s own `cache()`, because a resumed run must start in the middle of an
epoch without reading through what came before.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from tqdm import tqdm

from cyclegan_tf.atomic import atomic_file, write_text
from cyclegan_tf.data.image_lists import ImageList, as_user_error
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.devices.hardware import free_memory_bytes
from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io

# A share, because the networks, their gradients and the other domain want memory too.
MEMORY_SHARE = 0.35


def _main_memory() -> contextlib.AbstractContextManager:
    """Where images wait: a plain tensor would take the GPU's memory, far from tf.data."""
    return tf.device("CPU:0")


@dataclass(frozen=True)
class ImageCache:
    """Resized images by index.

    Attributes:
      get: int64 scalar tensor -> uint8 or uint16 (H, W, C), for use inside a graph.
      count: how many.
      kind: "memory", "disk", "lazy" or "off".
      bytes: size of all resized images.
      upscaled: how many had to be resized up to reach the crop.
      aspect: width by height before the resizing, the geometric mean.

    Example:
      >>> cache = open_cache(dataset.train_x, transform, "auto", Path("cache"), "x")
      >>> image = cache.get(tf.constant(0, tf.int64))
    """

    get: Callable[[tf.Tensor], tf.Tensor]
    count: int
    kind: str
    bytes: int
    upscaled: int
    aspect: float = 1.0

    def __len__(self) -> int:
        return self.count


def stored_dtype(images: ImageList) -> tf.DType:
    """Choose uint16 where any image has more than 8 bits, or a range, else uint8."""
    if images.value_range is not None:
        return tf.uint16
    if images.infos:
        return tf.uint16 if any(info.bits > 8 for info in images.infos) else tf.uint8
    return tf.uint16 if images.read(0).dtype == np.uint16 else tf.uint8


def read_checked(images: ImageList, index: int) -> np.ndarray:
    """Read one image; one that cannot be decoded is the user's to fix.

    Raises:
      UserError: names the file and what is wrong with it.
    """
    try:
        return images.read(index)
    except image_io.ImageError as error:
        raise as_user_error(error) from error


def _native_sizes(images: ImageList) -> np.ndarray:
    """Heights and widths by the headers, (N, 2); one size for all that are not files."""
    if images.infos:
        return np.array([[info.height, info.width] for info in images.infos], np.int32)
    return np.array([images.read(0).shape[:2]] * len(images), np.int32)


def _choose(kind: str, size: int, folder: Path, is_file_list: bool, is_drawn: bool) -> str:
    if is_drawn and kind == "auto":
        kind = "lazy"
    if kind == "lazy":
        if not is_file_list and not is_drawn:
            return "memory"
        return "lazy" if size <= MEMORY_SHARE * free_memory_bytes() else "off"
    if kind == "auto":
        if size <= MEMORY_SHARE * free_memory_bytes():
            return "memory"
        folder.mkdir(parents=True, exist_ok=True)
        kind = "disk" if shutil.disk_usage(folder).free > 2 * size else "off"
    if kind == "off" and not is_file_list and not is_drawn:
        return "memory"
    return kind


def open_cache(
    images: ImageList,
    transform: ImageTransform,
    kind: str,
    folder: Path,
    label: str,
    show_progress: bool = False,
) -> ImageCache:
    """Resize all images of a list, unless `kind` is "lazy" or "off".

    Args:
      images: the list.
      transform: how each is resized.
      kind: "auto", "memory", "disk", "lazy" or "off"; auto measures sizes against free memory, then
        free disk, and is lazy with drawn images; lazy reads an image when it is first wanted and
        keeps it in memory, as long as all would fit there.
      folder: where a disk cache is kept.
      label: names the list in messages and files.
      show_progress: draw a progress bar on standard error.

    Raises:
      UserError: an image cannot be decoded, or the disk cache cannot be written.
    """
    sizes = _native_sizes(images)
    height, width = (np.asarray(side) for side in transform.resized_size(*tf.constant(sizes.T)))
    dtype = stored_dtype(images)
    total = int(np.sum(height.astype(np.int64) * width)) * images.channels * dtype.size
    upscaled = (
        int(np.sum(sizes.min(axis=1) < transform.crop_size_px)) if transform.fixed_size_px else 0
    )
    kind = _choose(kind, total, folder, bool(images.infos), images.is_drawn)
    is_file = images.value_range is None and images.numbers is None and bool(images.infos)
    if kind == "off" and not is_file:
        get = _ranged_reader(images, transform, tf.uint16 if images.infos else dtype)
    elif kind == "off":
        get = _decoding_reader(images, transform, dtype)
    elif kind == "lazy":
        get = _lazy_reader(images, transform, dtype)
    elif kind == "memory":
        get = _memory_reader(
            _prepared(images, transform, dtype, label, show_progress), total, dtype, images
        )
    else:
        get = _disk_reader(images, transform, dtype, folder, label, show_progress)
    aspect = float(np.exp(np.mean(np.log(sizes[:, 1] / sizes[:, 0]))))
    return ImageCache(get, len(images), kind, total, upscaled, aspect)


def _prepared(
    images: ImageList, transform: ImageTransform, dtype: tf.DType, label: str, show_progress: bool
) -> Iterator[np.ndarray]:
    def one(index: int) -> np.ndarray:
        return _prepare_one(images, transform, dtype, index)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(one, range(len(images)))
        yield from tqdm(
            results, f"reading {label}", len(images), disable=not show_progress, leave=False
        )


def _prepare_one(
    images: ImageList, transform: ImageTransform, dtype: tf.DType, index: int
) -> np.ndarray:
    image = image_io.as_dtype(read_checked(images, index), dtype.as_numpy_dtype)
    with _main_memory():
        with _TRACING:  # threads that ask together would each make the graph
            resize = _resizer(transform, dtype, images.channels)
        return resize(tf.constant(image)).numpy()


_TRACING = threading.Lock()


@functools.cache
def _resizer(
    transform: ImageTransform, dtype: tf.DType, channels: int
) -> Callable[[tf.Tensor], tf.Tensor]:
    """As a graph, which gives the same bits as operation by operation in a quarter of the time."""
    image = tf.TensorSpec((None, None, channels), dtype)
    return tf.function(transform.resize, autograph=False).get_concrete_function(image)


def _lazy_reader(
    images: ImageList, transform: ImageTransform, dtype: tf.DType
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Read what is wanted when it is first wanted: one machine of several needs its share only, and
    a training on drawn images begins at once."""
    known: dict[int, np.ndarray] = {}

    def read(index: np.ndarray) -> np.ndarray:
        number = int(index)
        if number not in known:
            known[number] = _prepare_one(images, transform, dtype, number)
        return known[number]

    def get(index: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(
            tf.numpy_function(read, [index], dtype), (None, None, images.channels)
        )

    return get


def _memory_reader(
    prepared: Iterator[np.ndarray], total: int, dtype: tf.DType, images: ImageList
) -> Callable[[tf.Tensor], tf.Tensor]:
    """One flat tensor for all, cut by offset: images may differ in size."""
    flat = np.empty(total // dtype.size, dtype.as_numpy_dtype)
    shapes, offsets, end = [], [], 0
    for image in prepared:
        if end + image.size > flat.size:  # a header gave another size, as EXIF rotation can
            flat = np.concatenate([flat[:end], np.empty(max(flat.size, image.size), flat.dtype)])
        flat[end : end + image.size] = image.ravel()
        shapes.append(image.shape)
        offsets.append(end)
        end += image.size
    with _main_memory():
        data = tf.constant(flat[:end])
        shape_of, offset_of = tf.constant(shapes, tf.int64), tf.constant(offsets, tf.int64)

    def get(index: tf.Tensor) -> tf.Tensor:
        shape = shape_of[index]
        start = offset_of[index]
        image = tf.reshape(data[start : start + tf.reduce_prod(shape)], shape)
        return tf.ensure_shape(image, (None, None, images.channels))

    return get


def _disk_reader(
    images: ImageList,
    transform: ImageTransform,
    dtype: tf.DType,
    folder: Path,
    label: str,
    show_progress: bool,
) -> Callable[[tf.Tensor], tf.Tensor]:
    """One flat file, mapped into memory; reused while names, file times and transform stay."""
    stamps = [(info.path.stat().st_mtime_ns, info.path.stat().st_size) for info in images.infos]
    of_range = () if images.value_range is None else (images.value_range,)
    key = hashlib.sha256(
        repr((images.names, stamps, transform, dtype.name, images.channels, *of_range)).encode()
    ).hexdigest()
    data_path, index_path = folder / f"{label}.bin", folder / f"{label}.json"
    try:
        index = json.loads(index_path.read_text(encoding="utf-8"))
        if index["key"] != key or data_path.stat().st_size != index["bytes"]:
            index = None
    except Exception:  # whatever a damaged index leads to: it is made anew
        index = None
    if index is None:
        try:
            index = _write_disk_cache(
                _prepared(images, transform, dtype, label, show_progress),
                key,
                data_path,
                index_path,
            )
        except OSError as error:
            raise UserError(
                f"The disk cache {data_path} cannot be written ({error.strerror or error}); free "
                "some space, or give --data.cache off.",
                code="unwritable",
                field="data.cache",
            ) from error
    mapped = np.memmap(data_path, dtype.as_numpy_dtype, "r")
    shapes, offsets = index["shapes"], index["offsets"]

    def read(number: np.ndarray) -> np.ndarray:
        shape, offset = shapes[int(number)], offsets[int(number)]
        return np.array(mapped[offset : offset + int(np.prod(shape))]).reshape(shape)

    def get(number: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(
            tf.numpy_function(read, [number], dtype), (None, None, images.channels)
        )

    return get


def _write_disk_cache(
    prepared: Iterator[np.ndarray], key: str, data_path: Path, index_path: Path
) -> dict:
    data_path.parent.mkdir(parents=True, exist_ok=True)
    index_path.unlink(missing_ok=True)
    shapes, offsets, end, written = [], [], 0, 0
    with atomic_file(data_path) as partial, partial.open("wb") as file:
        for image in prepared:
            shapes.append(image.shape)
            offsets.append(end)
            end += image.size
            written += file.write(image.tobytes())
    index = {"key": key, "bytes": written, "shapes": shapes, "offsets": offsets}
    # Written last: a cache without its index is made again.
    write_text(index_path, json.dumps(index))
    return index


def _ranged_reader(
    images: ImageList, transform: ImageTransform, dtype: tf.DType
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Decode each time, by Python: TensorFlow knows no numbers, no volumes and no slides."""

    def read(index: np.ndarray) -> np.ndarray:
        return images.read(int(index))

    def get(index: tf.Tensor) -> tf.Tensor:
        image = tf.numpy_function(read, [index], dtype)
        return transform.resize(tf.ensure_shape(image, (None, None, images.channels)))

    return get


def _decoding_reader(
    images: ImageList, transform: ImageTransform, dtype: tf.DType
) -> Callable[[tf.Tensor], tf.Tensor]:
    """Decode each time; what libjpeg says of damage is heard the first time only, as it costs."""
    with _main_memory():
        paths = tf.constant([str(info.path) for info in images.infos])
        fast = tf.constant([info.fast for info in images.infos])
    unheard = np.array([info.format == "JPEG" for info in images.infos])

    def is_heard(index: np.ndarray) -> bool:
        before = not unheard[int(index)]
        unheard[int(index)] = False
        return before

    def get(index: tf.Tensor) -> tf.Tensor:
        # By Python an image is refused by name, and by TensorFlow decoded as well as it can be.
        may_be_fast = fast[index] & tf.numpy_function(is_heard, [index], tf.bool)
        image = image_io.decode_tensor(
            paths[index], may_be_fast, images.channels, dtype, images.max_pixels
        )
        return transform.resize(image)

    return get
