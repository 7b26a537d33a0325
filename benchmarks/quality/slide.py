"""A synthetic whole slide, translated: seconds and memory.

    python -m benchmarks.quality.slide runs/slide --side_px 20000 --level 0

Writes slide.ome.tif (stained tissue with nuclei on a bright ground, 0.25 microns per pixel), a tiny
network that was never trained, and translates the one by the other with local statistics. Prints
what the slide holds, the seconds, and the most memory that the command held.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from cyclegan_tf.images.pyramids import save_pyramid

MPP = 0.25
_ROWS = 256
# Middle, in shares of the side, and radius of each piece of tissue.
_PIECES = ((0.3, 0.3, 0.2), (0.65, 0.6, 0.14), (0.25, 0.75, 0.1))
_GROUND, _TISSUE, _NUCLEI = (243, 243, 243), (226, 165, 205), (112, 72, 152)


def rows(side_px: int) -> Iterator[np.ndarray]:
    """The slide from the top, uint8 (h, side_px, 3)."""
    x = np.arange(side_px, dtype=np.float32)
    rng = np.random.default_rng(0)
    for top in range(0, side_px, _ROWS):
        y = np.arange(top, min(top + _ROWS, side_px), dtype=np.float32)[:, None]
        part = np.empty((len(y), side_px, 3), np.uint8)
        part[:] = _GROUND
        inside = np.zeros(part.shape[:2], bool)
        for down, across, radius in _PIECES:
            wave = 1 + 0.1 * np.sin(x / side_px * 40) * np.cos(y / side_px * 30)
            far = ((y / side_px - down) ** 2 + (x / side_px - across) ** 2) / radius**2
            inside |= far * wave < 1
        part[inside] = _TISSUE
        part[inside & (np.sin(x / 9 + y / 40) * np.sin(y / 9 - x / 60) > 0.55)] = _NUCLEI
        noise = rng.integers(-3, 4, part.shape[:2], np.int8)[..., None]
        yield np.clip(part.astype(np.int16) + noise, 0, 255).astype(np.uint8)


def make(path: Path, side_px: int) -> None:
    """Write the slide."""
    save_pyramid(path, rows(side_px), (side_px, side_px, 3), MPP)


def main(argv: Sequence[str] | None = None) -> int:
    """Make, translate, and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--side_px", type=int, default=20_000)
    parser.add_argument("--level", type=int, default=0)
    parser.add_argument("--patch_px", type=int, default=256)
    parser.add_argument("--run", help="In place of the tiny network.")
    given = parser.parse_args(argv)
    slide, target = given.out / "slide.ome.tif", given.out / "translated.ome.tif"
    start = time.monotonic()
    if not slide.is_file():
        make(slide, given.side_px)
    print(f"slide: {given.side_px} px, {slide.stat().st_size / 2**20:.0f} MiB, "
          f"{time.monotonic() - start:.0f} s", flush=True)  # fmt: skip
    run = given.run or str(given.out / "tiny.keras")
    if not given.run:
        from cyclegan_tf.networks.builders import build_generator

        build_generator("resnet_6blocks", filters=4, blocks=1, seed=3).save(run)
    words = [run, str(slide), str(target), "--level", str(given.level), "--overwrite"]
    local = ["--statistics", "local", "--patch_px", str(given.patch_px)]
    start = time.monotonic()
    done = subprocess.Popen([sys.executable, "-m", "cyclegan_tf.translate", *words, *local])
    _, status, used = os.wait4(done.pid, 0)
    seconds, processors = time.monotonic() - start, used.ru_utime
    gib, mib = used.ru_maxrss / 2**20, target.stat().st_size / 2**20
    print(f"translated in {seconds:.0f} s ({processors:.0f} s of processors)")
    print(f"{gib:.2f} GiB of memory at most, {mib:.0f} MiB written")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
