"""Display-P3 photographs: drawn, and what becomes of their colors.

    python -m benchmarks.quality.display_p3 draw photographs --count 40
    python -m benchmarks.quality.display_p3 compare out/phone out/twin

`draw` writes scenes of the demo as photographs. Domain X is a phone's, whose numbers mean Display
P3, as its profile says; domain Y another camera's, which writes sRGB. Training images are JPEG,
test images PNG, so that nothing but color differs. Beside them, `twin` holds the test photographs
of X with the same colors in sRGB's numbers, and `ignored` those that a program takes which does not
know profiles. `compare` gives the differences of images of the same stems in two folders, in levels
of 255.
"""

from __future__ import annotations

import argparse
import io
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from cyclegan_tf.data.demo_scenes import draw_scene_parameters, render
from cyclegan_tf.images.codecs import read

# CIE x and y of red, green and blue; the white is D65 (SMPTE EG 432-1).
PRIMARIES = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
_D65, _D50 = (0.95047, 1.0, 1.08883), (0.9642, 1.0, 0.8249)
# Bradford's cone responses, by which ICC profiles are adapted to D50.
_BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
# sRGB's curve as ICC's parametric curve of type 3: exponent, a, b, c, d (IEC 61966-2-1).
_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
_SIZE_PX, _QUALITY = 128, 95


def profile() -> bytes:
    """Make an ICC profile of Display P3."""
    to_d50 = np.linalg.solve(_BRADFORD, np.diag(_BRADFORD @ _D50 / (_BRADFORD @ _D65)) @ _BRADFORD)
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in PRIMARIES]).T
    columns = to_d50 @ (columns * np.linalg.solve(columns, np.array(_D65)))
    tags = {b"wtpt": b"XYZ " + bytes(4) + _fixed(*_D50)}
    for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), columns.T, strict=True):
        tags[name] = b"XYZ " + bytes(4) + _fixed(*column)
    curve = b"para" + bytes(4) + struct.pack(">Hxx", 3) + _fixed(*_CURVE)
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    text = "Display P3".encode("utf-16-be")
    described = b"mluc" + bytes(4) + struct.pack(">II4sII", 1, 12, b"enUS", len(text), 28) + text
    tags |= dict.fromkeys((b"desc", b"cprt"), described)
    table, body, start = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4xI", start + len(body), 0x04000000) + b"mntrRGB XYZ "
    head += bytes(12) + b"acsp" + bytes(28) + _fixed(*_D50) + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + body


def _fixed(*values: float) -> bytes:
    return struct.pack(f">{len(values)}i", *(round(float(value) * 65536) for value in values))


def by_littlecms(image: Image.Image) -> np.ndarray:
    """The colors of Display P3's numbers in those of sRGB, by hand."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile()))
    found = ImageCms.profileToProfile(image, source, ImageCms.createProfile("sRGB"))
    return np.asarray(found)


def draw(folder: Path, count: int, seed: int = 0) -> None:
    """Write the photographs, a fifth of them for testing."""
    rng = np.random.default_rng(seed)
    for index in range(count):
        split = "test" if index >= count * 4 // 5 else "train"
        of_phone = render(draw_scene_parameters(rng), "x", _SIZE_PX)
        other = render(draw_scene_parameters(rng), "y", _SIZE_PX)
        name = f"{index:03}.{'png' if split == 'test' else 'jpg'}"
        phone = folder / f"{split}A" / name
        _save(phone, of_phone, icc_profile=profile())
        _save(folder / f"{split}B" / name, other)
        if split == "test":
            stored = Image.open(phone)
            stored.load()
            _save(folder.with_name("ignored") / f"{index:03}.png", np.asarray(stored))
            _save(folder.with_name("twin") / f"{index:03}.png", by_littlecms(stored))


def _save(path: Path, image: np.ndarray, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".jpg":
        options |= {"quality": _QUALITY, "subsampling": 0}
    Image.fromarray(image).save(path, **options)


def compare(one: Path, other: Path) -> tuple[float, float]:
    """Mean and largest difference of images of the same stems, in levels of 255."""
    others = {path.stem: path for path in other.iterdir()}
    differences = [
        np.abs(read(path).astype(int) - read(others[path.stem])) for path in sorted(one.iterdir())
    ]
    return float(np.mean(differences)), float(np.max(differences))


def main(argv: Sequence[str] | None = None) -> int:
    """Draw or compare."""
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    drawing = commands.add_parser("draw")
    drawing.add_argument("folder", type=Path)
    drawing.add_argument("--count", type=int, default=40)
    comparing = commands.add_parser("compare")
    comparing.add_argument("one", type=Path)
    comparing.add_argument("other", type=Path)
    arguments = parser.parse_args(argv)
    if arguments.command == "draw":
        draw(arguments.folder, arguments.count)
        return 0
    mean, largest = compare(arguments.one, arguments.other)
    print(f"mean {mean:.2f}, at most {largest:.0f} of 255")
    return 0


if __name__ == "__main__":
    sys.exit(main())
