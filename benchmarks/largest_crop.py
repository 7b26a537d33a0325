"""The largest crop that trains in a given memory, with and without `training.recompute`.

    python benchmarks/largest_crop.py --budgets_gib 8 16 --filters 64 --blocks 9 --steps 1

Every measurement is the training command itself, in a process of its own on made images of the
crop's size, ended after so many steps, or as soon as it holds more than the largest budget; what
counts is the most memory that process ever held. Memory grows with the crop's area, which says
where to look; the answer is a crop that was trained and fits, beside the next one, which was
trained and does not.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import scaling
from benchmarks.machine import describe, run_watched

GIB = 2**30


def predict(measured: dict[int, float], budget: float) -> float:
    """The crop whose memory is the budget, by the line in the crop's area through the two nearest
    measurements.

    Args:
      measured: bytes by crop in pixels, growing, at least one of them finite; one alone tells bytes
        per pixel.
      budget: bytes.
    """
    finite = {crop: held for crop, held in measured.items() if math.isfinite(held)}
    if len(finite) == 1:
        ((crop, held),) = finite.items()
        return crop * math.sqrt(budget / held)
    (small, less), (large, more) = sorted(
        sorted(finite.items(), key=lambda item: abs(item[1] - budget))[:2]
    )
    slope = (more - less) / (large**2 - small**2)
    if slope <= 0:
        raise ValueError(
            f"{large} px took no more memory than {small} px; start from larger crops."
        )
    return math.sqrt(max(0.0, large**2 + (budget - more) / slope))


def search(
    measure: Callable[[int], float], measured: dict[int, float], budget: float, multiple: int
) -> int:
    """The largest multiple that fits, where the next one was measured not to.

    Args:
      measure: bytes for a crop in pixels; infinite where the system ended the process.
      measured: what is known already; what is measured is added.
      budget: bytes.
      multiple: of pixels.

    Returns:
      Pixels; 0 if not even one `multiple` fits.
    """
    while True:
        fits = max(
            (crop for crop, held in measured.items() if held <= budget and crop % multiple == 0),
            default=0,
        )
        fails = min(
            (crop for crop, held in measured.items() if held > budget and crop % multiple == 0),
            default=None,
        )
        if fails is not None and fails - fits <= multiple:
            return fits
        guess = int(predict(measured, budget)) // multiple * multiple
        if guess == fits:  # as foretold; the next one is the proof
            guess += multiple
        highest = math.inf if fails is None else fails - multiple
        crop = int(min(max(guess, fits + multiple), highest))
        measured[crop] = measure(crop)


def measure_crop(options: argparse.Namespace, crop: int, recompute: bool, folder: Path) -> float:
    """Bytes that the training command held at most; infinite where that was more than every
    budget."""
    source, run = folder / f"images{crop}", folder / f"run{crop}_{recompute}"
    if not source.exists():
        scaling.write_images(source, crop, 1)
    given = argparse.Namespace(**{**vars(options), "crop": crop})
    words = scaling.command(given, source, run, options.batch)
    # one step more, so that the end, with its images and saving, is never reached
    words += [
        f"--training.max_steps={options.steps + 1}",
        f"--training.recompute={str(recompute).lower()}",
    ]
    most = max(options.budgets_gib) * GIB
    ran = run_watched(
        words, lambda held, printed: held > most or f"step {options.steps}/" in printed
    )
    trained = f"step {options.steps}/" in ran.printed
    if ran.status >= 0:  # neither ended by us nor by the system for want of memory
        raise SystemExit(ran.printed[-3000:])
    row = {
        "crop_px": crop,
        "recompute": recompute,
        "peak_gib": ran.peak_bytes / GIB,
        "seconds": round(ran.seconds, 1),
    }
    print(json.dumps({**row, "trained": trained}), flush=True)
    return ran.peak_bytes if trained and ran.peak_bytes <= most else math.inf


def table(
    answers: dict[bool, dict[float, int]], measured: dict[bool, dict[int, float]], multiple: int
) -> str:
    """Markdown: one row for each budget."""
    lines = [
        "| memory | largest crop | held | the next | largest crop with recompute | held | the "
        "next |",
        "|---" * 7 + "|",
    ]
    for budget in answers[True]:
        cells = [f"{budget:g} GiB"]
        for recompute in (False, True):
            crop = answers[recompute][budget]
            held, next_held = (
                measured[recompute].get(c, math.nan) / GIB for c in (crop, crop + multiple)
            )
            told = (
                f"{next_held:.2f} GiB"
                if math.isfinite(next_held)
                else f"over {max(answers[True]):g} GiB"
            )
            cells += [f"{crop} px", f"{held:.2f} GiB", told]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Searches, prints a table and the machine."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--budgets_gib", type=float, nargs="+", default=[8.0, 16.0])
    parser.add_argument(
        "--first", type=int, nargs=2, default=[256, 384], help="crops in pixels to start from"
    )
    parser.add_argument("--multiple", type=int, default=64, help="step between crops in pixels")
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--steps", type=int, default=2, help="of each training")
    options = parser.parse_args()
    answers: dict[bool, dict[float, int]] = {}
    measured: dict[bool, dict[int, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for recompute in (True, False):

            def measure(crop: int, recompute: bool = recompute) -> float:
                return measure_crop(options, crop, recompute, Path(folder))

            known = measured[recompute] = {crop: measure(crop) for crop in options.first}
            answers[recompute] = {
                budget: search(measure, known, budget * GIB, options.multiple)
                for budget in options.budgets_gib
            }
    print(table(answers, measured, options.multiple))
    print(json.dumps({"options": vars(options), "machine": describe()}))


if __name__ == "__main__":
    main()
