"""Small images of every format, for the reader of `translate` and for that of training."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, features

from benchmarks.quality.mutations.samples import EVERYWHERE, Sample

_SIDE = 24


def prepare(folder: Path) -> list[Sample]:
    """Writes the images; each is read in both ways."""
    samples = []
    for name, suffix, data, is_covered in _files():
        root = folder / "images" / name.replace(" ", "_")
        root.mkdir(parents=True, exist_ok=True)
        path = root / f"a{suffix}"
        path.write_bytes(data)
        covered = EVERYWHERE if is_covered else ()
        read = _translated(path)
        samples.append(Sample(f"{name}, translate", path, root, read, covered))
        samples.append(Sample(f"{name}, train", path, root, _trained(path), covered))
    return samples


def _translated(path: Path) -> Callable[[], np.ndarray]:
    """As `translate` reads it, with what it notes of it."""
    from cyclegan_tf.errors import UserError
    from cyclegan_tf.images.ranges import FULL_RANGES
    from cyclegan_tf.translate import folder
    from cyclegan_tf.translate.beside import Beside
    from cyclegan_tf.translate.ranged import Meaning
    from cyclegan_tf.translate.tasks import Task

    files = folder._Files(Beside(3, 3), Meaning(FULL_RANGES))

    def read() -> Any:
        item = files.read(Task(path, path.with_suffix(".out.png")))
        if isinstance(item.content, UserError):
            raise item.content
        return item.content

    return read


def _trained(path: Path) -> Callable[[], list[np.ndarray]]:
    """As a training reads it: listed, decoded within tf.data, kept in memory."""
    import tensorflow as tf

    from cyclegan_tf.data.cache import open_cache
    from cyclegan_tf.data.image_lists import Files
    from cyclegan_tf.data.transforms import ImageTransform

    transform = ImageTransform("none", 16, 16, 4, False)

    def read() -> list[np.ndarray]:
        images = Files.probed([path], path.parent, "x", 10**7).images(3)
        cache = open_cache(images, transform, "memory", path.parent, "x")
        return [cache.get(tf.constant(0, tf.int64)).numpy()]

    return read


def _files() -> Iterator[tuple[str, str, bytes, bool]]:
    """Name, suffix, content, and whether a checksum covers all that counts."""
    rng = np.random.default_rng(3)
    small = Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8))
    image = small.resize((_SIDE, _SIDE + 8), Image.Resampling.BICUBIC)
    alpha = image.copy()
    alpha.putalpha(Image.fromarray(np.tile(np.arange(_SIDE, dtype=np.uint8) * 10, (_SIDE + 8, 1))))
    exif = Image.Exif()
    exif[274] = 6
    rows: tuple[tuple[str, str, Image.Image, dict[str, Any], bool], ...] = (
        ("JPEG", ".jpg", image, {"quality": 90}, False),
        ("JPEG turned", ".jpg", image, {"exif": exif.tobytes()}, False),
        ("JPEG progressive", ".jpg", image, {"progressive": True}, False),
        ("JPEG gray", ".jpg", image.convert("L"), {}, False),
        ("JPEG inks", ".jpg", image.convert("CMYK"), {}, False),
        ("PNG", ".png", image, {}, True),
        ("PNG palette", ".png", image.quantize(16), {"transparency": 3}, True),
        ("PNG alpha", ".png", alpha, {}, True),
        ("PNG turned", ".png", image, {"exif": exif.tobytes()}, True),
        ("TIFF", ".tif", image, {}, False),
        ("TIFF LZW", ".tif", image, {"compression": "tiff_lzw"}, False),
        ("TIFF deflate", ".tif", image, {"compression": "tiff_adobe_deflate"}, False),
        ("TIFF JPEG", ".tif", image, {"compression": "jpeg"}, False),
        ("TIFF PackBits", ".tif", image, {"compression": "packbits"}, False),
        ("TIFF group 4", ".tif", image.convert("1"), {"compression": "group4"}, False),
        ("WebP", ".webp", image, {}, False),
        ("WebP lossless", ".webp", alpha, {"lossless": True}, False),
        ("GIF", ".gif", image.quantize(32), {}, False),
        ("BMP", ".bmp", image, {}, False),
        ("BMP palette", ".bmp", image.quantize(16), {}, False),
        ("PPM", ".ppm", image, {}, False),
        ("TGA", ".tga", image, {}, False),
        *((("JPEG 2000", ".jp2", image, {}, False),) if features.check("jpg_2000") else ()),
        *((("AVIF", ".avif", image, {}, False),) if features.check("avif") else ()),
    )
    for name, suffix, picture, options, is_covered in rows:
        stream = io.BytesIO()
        kinds = {".jpg": "JPEG", ".tif": "TIFF", ".jp2": "JPEG2000"}
        picture.save(stream, kinds.get(suffix, suffix[1:].upper()), **options)
        yield name, suffix, stream.getvalue(), is_covered
    deep = rng.integers(0, 65536, (_SIDE, _SIDE, 3), np.uint16)
    yield "PNG 16 bits", ".png", _deep_png(deep), True
    stream = io.BytesIO()
    np.save(stream, deep)
    yield "NPY", ".npy", stream.getvalue(), False
    stream = io.BytesIO()
    Image.fromarray(deep[..., 0]).save(stream, "TIFF")
    yield "TIFF 16 bits", ".tif", stream.getvalue(), False


def _deep_png(image: np.ndarray) -> bytes:
    """A PNG of 16 bits with a color that means transparent."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in image)
    head = struct.pack(">IIBBBBB", image.shape[1], image.shape[0], 16, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head) + chunk(b"tRNS", image[0, 0].astype(">u2").tobytes())
    return b"\x89PNG\r\n\x1a\n" + parts + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
