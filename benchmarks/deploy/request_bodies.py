"""Bodies of requests, and image files that are made to be sent: good, odd and damaged ones."""

from __future__ import annotations

import base64
import functools
import gzip
import io
import json
import struct
import zlib


def body_of(data: bytes) -> bytes:
    """A request for one encoded image."""
    instance = {"b64": base64.b64encode(data).decode()}
    return json.dumps({"signature_name": "image_bytes", "instances": [instance]}).encode()


def image(size_px: int, seed: int = 0) -> bytes:
    """A PNG of smooth colors with a little noise."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize(
        (size_px, size_px), Image.Resampling.BICUBIC
    )
    pixels = np.clip(
        np.asarray(small, np.int16) + rng.integers(-6, 7, (size_px, size_px, 3)), 0, 255
    )
    stream = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(stream, "PNG")
    return stream.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """A chunk of a PNG, with its checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_of(width: int, height: int) -> bytes:
    """A PNG of so many pixels, by what its head says; its pixels are few."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = zlib.compress(bytes(4 if width == height == 1 else 100_000))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def jpeg_of(jpeg: bytes, width: int, height: int) -> bytes:
    """A JPEG whose head says another size."""
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", height, width) + jpeg[at + 4 :]


@functools.cache
def encoded(kind: str, size_px: int = 24, **options: object) -> bytes:
    """An image file of smooth colors."""
    from PIL import Image

    stream = io.BytesIO()
    with Image.open(io.BytesIO(image(size_px))) as png:
        png.save(stream, kind, **options)
    return stream.getvalue()


@functools.cache
def compressed_zeros(kind: str) -> bytes:
    """64 MiB of zeros, small."""
    data = bytes(64 * 2**20)
    return gzip.compress(data, mtime=0) if kind == "gzip" else zlib.compress(data)


def bad_bodies(good: bytes) -> list[bytes]:
    """What a server on the open network gets to see."""
    return [
        b"", b"{", b"[" * 100_000, b'{"instances": [NaN]}', b'{"instances": [[[[1, 2], [3]]]]}',
        b'{"signature_name": "image_bytes", "instances": [{"b64": "%%%"}]}',
        json.dumps({"signature_name": "none", "instances": [1]}).encode(),
        body_of(b""), body_of(b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
        body_of(good[: len(good) // 2]),
        body_of(good[:100] + bytes(200) + good[300:]), body_of(png_of(20_000, 20_000)),
        body_of(png_of(60_000, 60_000)),
        json.dumps({"instances": [[[[0, 0, 0]]]] * 1000}).encode(),
    ]  # fmt: skip
