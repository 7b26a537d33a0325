"""Flicker of translated videos, with and without statistics that follow the video: `python
benchmarks/flicker.py`.

Videos are made from one photo, so that what must not change is known: "visitor", a still camera,
slight noise, and a bright object that comes, crosses and leaves; "pan", the camera moving over the
photo; "dusk", light that falls by a third; "cut", two photos after each other. For each half-life
it prints

- energy: mean squared change from frame to frame of the output (levels squared) over that of the
  input, where the input changes by noise only (visitor) or everywhere (others); what a generator
  makes of noise alone is its floor;
- step: the largest change of mean brightness from one frame to the next in that area, in levels;
- lag: mean absolute difference, in levels, from each frame translated alone; for "cut" after the
  cut.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import machine
import numpy as np

from cyclegan_tf import cli
from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.networks import builders as networks
from cyclegan_tf.networks.builders import size_divisor_of
from cyclegan_tf.runs import generators
from cyclegan_tf.translate import video_frames as frames

HALF_LIVES = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
VIDEOS = ("visitor", "pan", "dusk", "cut")
NOISE_LEVELS = 1.0


@dataclass(frozen=True)
class Video:
    """Frames, uint8 (H, W, 3), and bool (H, W) where in all of them nothing but noise changes; None
    is nowhere."""

    frames: list[np.ndarray]
    still: np.ndarray | None
    cut: int = 0


def visitor(photo: np.ndarray, count: int, seed: int = 0) -> Video:
    """A bright square, a third of the image high, comes in from the left and leaves on the
    right."""
    height, width, _ = photo.shape
    side, rng = height // 3, np.random.default_rng(seed)
    top = height // 3
    made = []
    for number in range(count):
        frame = photo.astype(np.float64)
        left = round((number / (count - 1) * 1.5 - 0.25) * (width + side)) - side
        frame[top : top + side, max(left, 0) : max(left + side, 0)] = 245
        made.append(_noisy(frame, rng))
    still = np.ones((height, width), bool)
    # Beyond the object itself, what its edges do within the generator's view is not flicker.
    margin = max(height // 16, 1)
    still[max(top - margin, 0) : top + side + margin] = False
    return Video(made, still)


def pan(photo: np.ndarray, count: int, seed: int = 0) -> Video:
    """A window of half the width moves over the photo."""
    width, rng = photo.shape[1], np.random.default_rng(seed)
    starts = np.linspace(0, width - width // 2, count).round().astype(int)
    return Video([_noisy(photo[:, start : start + width // 2], rng) for start in starts], None)


def dusk(photo: np.ndarray, count: int, seed: int = 0) -> Video:
    """The light falls by a third."""
    rng = np.random.default_rng(seed)
    return Video([_noisy(photo * light, rng) for light in np.linspace(1, 2 / 3, count)], None)


def cut(photo: np.ndarray, other: np.ndarray, count: int, seed: int = 0) -> Video:
    """Half the time one photo, then another."""
    rng = np.random.default_rng(seed)
    half = count // 2
    return Video(
        [_noisy(photo if number < half else other, rng) for number in range(count)], None, half
    )


def _noisy(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.clip(np.rint(frame + rng.normal(0, NOISE_LEVELS, frame.shape)), 0, 255).astype(
        np.uint8
    )


def energy(video: Sequence[np.ndarray], area: np.ndarray | None = None) -> float:
    """Mean squared difference of neighboring frames, in levels squared, over an area."""
    steps = [
        (after.astype(np.float64) - before) ** 2 for before, after in itertools.pairwise(video)
    ]
    return float(np.mean([step if area is None else step[area] for step in steps]))


def largest_step(video: Sequence[np.ndarray], area: np.ndarray | None = None) -> float:
    """Largest change of mean brightness between neighboring frames, in levels."""
    means = [
        float((frame if area is None else frame[area]).mean(dtype=np.float64)) for frame in video
    ]
    return float(np.abs(np.diff(means)).max())


def measure(
    video: Video, translate: Callable[[np.ndarray], np.ndarray], alone: Sequence[np.ndarray]
) -> dict[str, float]:
    """The three figures for one video, and its translation frame by frame alone."""
    made = [translate(frame) for frame in video.frames]
    lags = [np.abs(a.astype(float) - b).mean() for a, b in zip(made, alone, strict=True)]
    # The cut itself is no flicker, and of what comes after only the first frames matter.
    judged = made[: video.cut] if video.cut else made
    given = video.frames[: video.cut] if video.cut else video.frames
    return {
        "energy": energy(judged, video.still) / energy(given, video.still),
        "step": largest_step(judged, video.still),
        "lag": float(np.mean(lags[video.cut : video.cut + 8] if video.cut else lags)),
    }


def cut_differences(
    photos: Sequence[np.ndarray], video: Video, moving: Video
) -> dict[str, list[float]]:
    """What `SceneCuts` goes by: mean differences of reduced frames between photos, and within
    videos without a cut."""

    def differences(sequence: Sequence[np.ndarray]) -> list[float]:
        reduced = [frames._reduced(frame) for frame in sequence]
        return [float(np.abs(b - a).mean()) for a, b in itertools.pairwise(reduced)]

    return {
        "cuts": differences(photos),
        "visitor": differences(video.frames),
        "pan": differences(moving.frames),
    }


def random_generator() -> tuple[object, int]:
    """Untrained, its weights enlarged until its images have contrast."""
    network = networks.build_generator(
        "resnet_6blocks", filters=16, seed=1, norm_affine=True, dtype_policy="float32"
    )
    for variable in network.trainable_variables:
        if variable.ndim == 4:
            variable.assign(variable * 4)
    return network, size_divisor_of(network)


def table(results: dict[str, dict[float, dict[str, float]]]) -> str:
    """One line per half-life, three columns per video."""
    head = f"{'half-life':>9} " + " ".join(
        f"{name + ': energy':>16} {'step':>6} {'lag':>6}" for name in results
    )
    lines = [head]
    for half_life in next(iter(results.values())):
        cells = [f"{half_life:>9g}"]
        for found in results.values():
            one = found[half_life]
            cells.append(f"{one['energy']:>16.3f} {one['step']:>6.2f} {one['lag']:>6.2f}")
        lines.append(" ".join(cells))
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--run", type=Path, help="run directory or .keras file; an untrained generator by default"
    )
    parser.add_argument("--direction", default="xy", choices=["xy", "yx"])
    parser.add_argument(
        "--images", type=Path, required=True, help="folder of photos of the network's input"
    )
    parser.add_argument(
        "--size", type=int, default=128, help="height of the videos; twice as wide for the pan"
    )
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--half_lives", type=float, nargs="+", default=HALF_LIVES)
    parser.add_argument("--videos", nargs="+", default=VIDEOS, choices=VIDEOS)
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    arguments = parser.parse_args(argv)
    if arguments.frames < 8:
        raise UserError(f"--frames must be 8 or more, and is {arguments.frames}.")
    if arguments.run:
        network, origin = generators.load_generator(arguments.run, arguments.direction, "float32")
        multiple = size_divisor_of(network)
    else:
        (network, multiple), origin = random_generator(), "untrained"
    photos = _photos(arguments.images, arguments.size)
    videos = {
        "visitor": visitor(photos[0], arguments.frames),
        "pan": pan(np.concatenate([photos[0], photos[1]], axis=1), arguments.frames),
        "dusk": dusk(photos[0], arguments.frames),
        "cut": cut(photos[0], photos[1], arguments.frames // 2),
    }
    results: dict[str, dict[float, dict[str, float]]] = {}
    for name in arguments.videos:
        video = videos[name]
        alone_translator = frames.FrameTranslator(network, multiple, 0)
        alone = [alone_translator(frame) for frame in video.frames]
        results[name] = {
            half_life: measure(video, frames.FrameTranslator(network, multiple, half_life), alone)
            for half_life in arguments.half_lives
        }
    apart = cut_differences(photos, videos["visitor"], videos["pan"])
    print(f"{origin}, {arguments.size} px, {arguments.frames} frames\n{table(results)}")
    print(f"reduced frames differ by: {_ranges(apart)}; a scene begins above {frames.CUT_LEVELS:g}")
    if arguments.out:
        values = {
            "origin": str(origin),
            "results": results,
            "cut_differences": apart,
            "machine": machine.describe(),
        }
        arguments.out.write_text(json.dumps(values, indent=1), encoding="utf-8")
    return 0


def _ranges(found: dict[str, list[float]]) -> str:
    return ", ".join(
        f"{name} {min(values):.1f} to {max(values):.1f} (median {np.median(values):.1f})"
        for name, values in found.items()
    )


def _photos(folder: Path, size_px: int) -> list[np.ndarray]:
    """Up to 40 photos, square, uint8 (size_px, size_px, 3)."""
    from PIL import Image

    paths = image_io.find_images(folder)[:40]
    if len(paths) < 2:
        raise UserError(f"{folder} holds {len(paths)} images, but two at least are wanted.")
    squares = []
    for path in paths:
        image = Image.fromarray(image_io.as_dtype(image_io.read(path), np.uint8))
        side = min(image.size)
        squares.append(
            np.asarray(
                image.crop((0, 0, side, side)).resize((size_px, size_px), Image.Resampling.LANCZOS)
            )
        )
    return squares


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    cli.run(main)
