"""Odd image files for tests, made byte by byte where no library would write them."""

from __future__ import annotations

import errno
import os
import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

ORIENTATION = 274

# Asymmetric under every turn and mirror image: 2 rows, 3 columns.
ASYMMETRIC = np.array(
    [
        [[255, 0, 0], [0, 255, 0], [0, 0, 255]],
        [[0, 0, 0], [255, 255, 0], [255, 255, 255]],
    ],
    np.uint8,
)


def noise(
    height: int = 16, width: int = 16, channels: int = 3, dtype: type = np.uint8, seed: int = 0
) -> np.ndarray:
    """Random pixel values over the whole range."""
    return np.random.default_rng(seed).integers(
        0, np.iinfo(dtype).max + 1, (height, width, channels), dtype
    )


def smooth(height: int = 24, width: int = 32) -> np.ndarray:
    """A color ramp, which JPEG keeps almost exactly."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [255 * x / (width - 1), 255 * y / (height - 1), 255 - 255 * x / (width - 1)]
    return np.rint(np.stack(planes, -1)).astype(np.uint8)


def png_chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG file."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(
    path: Path, size: tuple[int, int], bits: int, color_type: int, rows: list[bytes], *chunks: bytes
) -> Path:
    """A PNG of packed rows; `chunks` stand before the pixels."""
    head = struct.pack(">IIBBBBB", *size, bits, color_type, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [png_chunk(b"IHDR", head), *chunks, png_chunk(b"IDAT", data), png_chunk(b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    return path


def packed_tiff(
    path: Path, values: np.ndarray, bits: int, photometric: int | None, alpha: bool = False
) -> Path:
    """An uncompressed TIFF of 1 to 16 bits per sample; rows begin at a byte.

    Args:
      path: the file to be.
      values: unsigned (H, W, samples) below 2**bits.
      bits: per sample.
      photometric: tag 262; None leaves it out.
      alpha: the last sample is alpha.
    """
    order = ">" if bits == 16 else "<"  # bits are packed from the highest down
    height, width, samples = values.shape
    digits = (values[..., None] >> np.arange(bits)[::-1]) & 1
    pixels = np.packbits(digits.reshape(height, -1).astype(np.uint8), axis=1).tobytes()
    shorts = {258: [bits] * samples, 259: [1], 277: [samples]}
    shorts |= {} if photometric is None else {262: [photometric]}
    shorts |= {338: [2]} if alpha else {}
    longs = {256: width, 257: height, 273: 8, 278: height, 279: len(pixels)}
    far = 8 + len(pixels)  # where the bits of more than two samples stand
    entries = {tag: struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in longs.items()}
    for tag, numbers in shorts.items():
        packed = struct.pack(f"{order}{len(numbers)}H", *numbers)
        field = packed.ljust(4, b"\0") if len(numbers) < 3 else struct.pack(f"{order}I", far)
        entries[tag] = struct.pack(f"{order}HHI", tag, 3, len(numbers)) + field
    depths = struct.pack(f"{order}{samples}H", *shorts[258])
    head = (b"MM\0*" if order == ">" else b"II*\0") + struct.pack(f"{order}I", far + len(depths))
    directory = struct.pack(f"{order}H", len(entries)) + b"".join(
        entries[tag] for tag in sorted(entries)
    )
    path.write_bytes(head + pixels + depths + directory + bytes(4))
    return path


def exif(orientation: int) -> Image.Exif:
    """An EXIF block that says how the camera was held."""
    tags = Image.Exif()
    tags[ORIENTATION] = orientation
    return tags


def icc_profile(*primaries: tuple[float, float], gamma: float = 2.2) -> bytes:
    """A display profile of three primaries (x, y) with a white of D65, or of gray without any.

    The primaries' weights are not adapted to D50 exactly: both sides of a test use this profile.
    """

    def fixed(*values: float) -> bytes:
        return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))

    white = np.array([0.9642, 1, 0.8249])
    curve = b"curv" + bytes(4) + struct.pack(">IHxx", 1, round(gamma * 256))
    tags = {b"wtpt": b"XYZ " + bytes(4) + fixed(*white)}
    if primaries:
        columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
        columns = columns * np.linalg.solve(columns, white)
        for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns.T, strict=True):
            tags[name] = b"XYZ " + bytes(4) + fixed(*column)
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    else:
        tags[b"kTRC"] = curve
    space = b"RGB " if primaries else b"GRAY"
    return _profile_file(tags, b"mntr" + space + b"XYZ ", fixed(*white))


def _profile_file(tags: dict[bytes, bytes], kind: bytes, white: bytes) -> bytes:
    tags[b"desc"] = b"desc" + bytes(4) + struct.pack(">I", 2) + b"a\0" + bytes(79)
    tags[b"cprt"] = b"text" + bytes(4) + b"-\0"
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4xI", start + len(body), 0x02400000) + kind
    head += bytes(12) + b"acsp" + bytes(28)
    return head + white + bytes(48) + struct.pack(">I", len(tags)) + table + body


def ink_profile(steps: int = 9) -> bytes:
    """A printer's profile: a table from four inks to L*a*b*, invented, with a yellowish paper."""
    c, m, y, k = np.meshgrid(*[np.linspace(0, 1, steps)] * 4, indexing="ij")
    light = 0.95 * (1 - 0.9 * k) * (1 - 0.4 * c) * (1 - 0.5 * m) * (1 - 0.1 * y)
    red_green = 50 * (m - 0.6 * c) * (1 - k)
    yellow_blue = (4 + 70 * y - 45 * c - 10 * m) * (1 - k)
    lab = np.stack([255 * light, red_green + 128, yellow_blue + 128], -1)
    ramp = bytes(range(256))
    identity = struct.pack(">9i", *(65536 * np.eye(3, dtype=int)).ravel())
    table = b"mft1" + bytes(4) + bytes([4, 3, steps, 0]) + identity + 4 * ramp
    table += np.rint(lab).astype(np.uint8).tobytes() + 3 * ramp
    white = struct.pack(">3i", *(round(value * 65536) for value in (0.9642, 1, 0.8249)))
    tags = {b"wtpt": b"XYZ " + bytes(4) + white, b"A2B0": table}
    return _profile_file(tags, b"prtrCMYKLab ", white)


# as wide as the space that cameras write beside sRGB
WIDE = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))


def bomb_png(path: Path) -> Path:
    """A few bytes that say they are 100000 x 100000 pixels."""
    return png(path, (100_000, 100_000), 8, 2, [b""])


def bomb_bmp(path: Path, width: int = 100_000, height: int = 100_000) -> Path:
    """The same as BMP, which has no checksum and no end."""
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    path.write_bytes(b"BM" + struct.pack("<IHHI", 54, 0, 0, 54) + header)
    return path


def cut_off(path: Path, whole: Path, keep: float) -> Path:
    """The first part of a file."""
    data = whole.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    return path


def gallery(folder: Path) -> dict[str, Path]:
    """One readable file of every kind that needs no optional library, each readable as gray and as
    RGB."""
    image = noise(6, 9)
    alpha = np.dstack([image, noise(6, 9, 1, seed=1)])
    deep = noise(6, 9, 3, np.uint16)
    pil_image = Image.fromarray(image)
    made = {}

    def keep(name: str) -> Path:
        made[name] = folder / name
        return made[name]

    Image.fromarray(smooth()).save(keep("baseline.jpg"))
    Image.fromarray(smooth()).save(keep("progressive.jpg"), progressive=True)
    Image.fromarray(smooth()).convert("L").save(keep("gray.jpg"))
    Image.fromarray(smooth()).save(keep("turned.jpg"), exif=exif(6))
    Image.fromarray(smooth()).convert("CMYK").save(keep("inks.jpg"))
    pil_image.save(keep("color.png"))
    pil_image.convert("L").save(keep("gray.png"))
    pil_image.convert("1").save(keep("bitmap.png"))
    pil_image.quantize(16).save(keep("palette.png"))
    pil_image.save(keep("turned.png"), exif=exif(8))
    pil_image.save(
        keep("animated.png"), save_all=True, append_images=[Image.new("RGB", pil_image.size)]
    )
    Image.fromarray(alpha).save(keep("alpha.png"))
    Image.fromarray(deep[..., 0]).save(keep("deep_gray.png"))
    png(keep("deep.png"), (9, 6), 16, 2, [row.astype(">u2").tobytes() for row in deep])
    pil_image.quantize(8).save(keep("still.gif"))
    pil_image.save(
        keep("animated.gif"), save_all=True, append_images=[Image.new("RGB", pil_image.size)]
    )
    pil_image.save(keep("color.bmp"))
    pil_image.save(keep("color.webp"), lossless=True)
    pil_image.save(keep("color.tif"))
    Image.fromarray(deep[..., 0]).save(keep("deep_gray.tif"))
    Image.fromarray((deep[..., 0] / 65535).astype(np.float32)).save(keep("float.tif"))
    np.save(keep("color.npy"), image)
    np.save(keep("deep.npy"), deep)
    np.save(keep("float.npy"), deep / 65535)
    return made


def lock_folder(folder, monkeypatch):
    """Make a folder that cannot be entered, not even by root, whom permissions do not stop."""
    folder.mkdir(parents=True)
    scandir = os.scandir

    def refusing(path="."):
        if os.fspath(path) == os.fspath(folder):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refusing)
