"""How far trainings differ by their seed alone: the PyTorch reference with many seeds, on a GPU, in
steps.

    python benchmarks/many_seeds.py tests facades tests.npz
    PYTHONPATH=. python benchmarks/many_seeds.py train facades tests.npz OUT --steps 560 275 --seeds
    16 python benchmarks/many_seeds.py table OUT/results.jsonl --chart OUT/seeds.png

The race for quality per minute has a handful of seeds per contender. This asks what a handful can
tell: the same networks, losses and course of the rate, a number of steps in place of minutes, all
seeds of a precision at once; with --upsampling resize, too, whether resize-convolution alone is any
better, which `generator.upsampling: auto` rests on. Scores are those of the race (`split_scores`),
but for the labels', on the whole test split, of the raw and the averaged generators, after parts of
the steps. "tests" needs TensorFlow and writes the test images as the race reads them. "train" needs
PyTorch, NumPy, Pillow and jsonargparse alone (PYTHONPATH=. is for where the package is not
installed) and adds lines to OUT/results.jsonl as they come; it runs without a GPU, too, and takes
as long as one would expect.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import math
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import seeds_chart
from fringe import color_fringe
from jobs import Job

from cyclegan_tf import cli
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError
from cyclegan_tf.metrics import image_quality as of_images
from cyclegan_tf.metrics import sliced_wasserstein as swd

DIRECTIONS = ("xy", "yx")


@dataclasses.dataclass(frozen=True)
class Wave:
    """What trainings side by side have in common.

    Attributes:
      precision: "float32" or "bfloat16".
      upsampling: "transposed" or "resize".
      steps: to their end.
    """

    precision: str
    upsampling: str
    steps: int

    def __str__(self) -> str:
        return f"{self.precision}, {self.upsampling}, {self.steps} steps"


def write_tests(given: argparse.Namespace) -> None:
    """The test split as the race reads it; float16 keeps a 16th of a gray level."""
    from race import Entry

    with suppress_startup_logs():
        import split_scores
        from peers import ours_training

    entry = Entry(
        contender="", framework="ours", precision="float32", layout="nhwc", config=None, seed=0,
        data=str(given.data.resolve()), target="", minutes=1, every_minutes=1,
        size_px=given.size, load_px=given.load_size, filters=1, blocks=1,
    )  # fmt: skip
    split = split_scores.Exam.of(ours_training.experiment_of(entry, 1.0)).split
    domains = {
        name: np.stack(images).astype(np.float16)
        for name, images in (("x", split.x), ("y", split.y))
    }
    np.savez_compressed(given.tests, pairs=np.array(split.pairs), **domains)


def scores(real: np.ndarray, fake: np.ndarray, pairs: np.ndarray) -> dict[str, float]:
    """The race's scores; float32 (N, H, W, 3) each, and which of `real` is the truth for which of
    `fake`: (K, 2)."""
    return {
        "psnr": float(np.mean([of_images.psnr(fake[made], real[truth]) for truth, made in pairs])),
        "swd": swd.mean_swd(swd.sliced_wasserstein(real, fake)),
        "colour_swd": swd.mean_swd(swd.sliced_wasserstein(real, fake, normalize="real")),
        "color_fringe": color_fringe(fake),
    }


def train(given: argparse.Namespace) -> None:
    """All that was asked for; stops between two precisions or numbers of steps where the minutes
    are over.

    Raises:
      UserError: the test images are of another size.
    """
    import torch
    from peers import torch_seeds

    # what is called float32 here is float32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # for the scoring processes, each one of many
    device = "cuda" if torch.cuda.is_available() else "cpu"
    began = time.time()
    with np.load(given.tests) as file:
        tests, pairs = {name: file[name].astype(np.float32) for name in "xy"}, file["pairs"]
    if tests["x"].shape[1] != given.size:
        raise UserError(
            f"{given.tests} holds images of {tests['x'].shape[1]} px, but --size is {given.size}."
        )
    images = torch_seeds.ImageList(given.data, given.load_size, device)
    given.out.mkdir(parents=True, exist_ok=True)
    with (
        (given.out / "results.jsonl").open("a", encoding="utf-8") as file,
        ProcessPoolExecutor(given.scorers, get_context("spawn")) as scorers,
    ):
        waiting: list[tuple[dict, dict[str, Future]]] = []
        for steps, precision, upsampling in itertools.product(
            given.steps, given.precision, given.upsampling
        ):
            wave = Wave(precision, upsampling, steps)
            if time.time() - began > 60 * given.minutes:
                print(f"no time for {wave}", flush=True)
                continue
            started = time.time()
            for facts, outputs in _trained(wave, given, images, tests, device):
                found = {
                    "xy": scorers.submit(scores, tests["y"], outputs["xy"], pairs[:, ::-1]),
                    "yx": scorers.submit(scores, tests["x"], outputs["yx"], pairs),
                }
                waiting = [w for w in [*waiting, (facts, found)] if not _written(file, *w)]
            print(f"{wave}: {time.time() - started:.0f} s", flush=True)
        for facts, found in waiting:
            _written(file, facts, found, wait=True)


def _trained(
    wave: Wave, given: argparse.Namespace, images: object, tests: dict[str, np.ndarray], device: str
) -> Iterator[tuple[dict, dict[str, np.ndarray]]]:
    """Trains all seeds side by side; at each mark gives what every one of them makes of the test
    images."""
    from peers import torch_seeds

    def job(seed: int) -> Job:
        sizes = {"size_px": given.size, "filters": given.filters, "blocks": given.blocks}
        return Job("", "torch", wave.precision, "nchw", seed=seed, **sizes)

    seeds = range(given.first_seed, given.first_seed + given.seeds)
    common = images, wave.steps, given.ema, device, wave.upsampling
    trainings = {s: torch_seeds.Seeded(job(s), *common) for s in seeds}
    marks = {math.ceil(wave.steps * part) for part in given.marks}
    started = time.time()
    for step in range(1, wave.steps + 1):
        for training in trainings.values():
            training.advance()
        if step not in marks:
            continue
        print(f"{wave}, step {step}: {time.time() - started:.0f} s", flush=True)
        for seed, training in trainings.items():
            training.losses()  # raises where one is not finite
            for averaged in (False, True):
                facts = dataclasses.asdict(wave) | {
                    "seed": seed,
                    "step": step,
                    "averaged": averaged,
                }
                made = {
                    d: training.translated(tests[d[0]], i, averaged)
                    for i, d in enumerate(DIRECTIONS)
                }
                yield facts, made


def _written(file, facts: dict, found: dict[str, Future], wait: bool = False) -> bool:
    """Writes a line if its scores are there, or waits for them."""
    if not wait and not all(future.done() for future in found.values()):
        return False
    file.write(json.dumps(facts | {d: future.result() for d, future in found.items()}) + "\n")
    file.flush()
    return True


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line.

    Raises:
      UserError: what argparse cannot know to be wrong.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    reading, training = commands.add_parser("tests"), commands.add_parser("train")
    for part in (reading, training):
        part.add_argument("data", type=Path, help="folder of trainA, trainB, testA, testB")
        part.add_argument("tests", type=Path, help="test images, an .npz file")
        part.add_argument(
            "--size", type=int, default=128, help="side of the crop in px (%(default)s)"
        )
        part.add_argument(
            "--load_size", type=int, help="side before the crop (default: 286/256 of --size)"
        )
    training.add_argument("out", type=Path, help="folder of results.jsonl")
    training.add_argument(
        "--precision", nargs="+", choices=("float32", "bfloat16"), default=["float32", "bfloat16"]
    )
    kinds = {"nargs": "+", "choices": ("transposed", "resize"), "default": ["transposed"]}
    training.add_argument("--upsampling", **kinds, help="of the generators (transposed)")
    training.add_argument("--steps", type=int, nargs="+", default=[560, 275], help="(%(default)s)")
    training.add_argument("--seeds", type=int, default=16, help="how many (%(default)s)")
    training.add_argument("--first_seed", type=int, default=11, help="(%(default)s)")
    training.add_argument(
        "--filters", type=int, default=64, help="width of all networks (%(default)s)"
    )
    training.add_argument("--blocks", type=int, default=6, help="residual blocks (%(default)s)")
    parts = {
        "nargs": "+",
        "type": float,
        "metavar": "PART",
        "help": "of the steps, scored after them (%(default)s)",
    }
    training.add_argument("--marks", default=[0.25, 0.5, 0.75, 1.0], **parts)
    training.add_argument(
        "--ema", type=float, default=50.0, metavar="IMAGES", help="half-life (%(default)g)"
    )
    training.add_argument(
        "--minutes", type=float, default=math.inf, help="no wave is begun after them"
    )
    training.add_argument(
        "--scorers", type=int, default=max(1, (os.cpu_count() or 2) - 2), help="(%(default)s)"
    )
    telling = commands.add_parser("table")
    telling.add_argument("results", type=Path, nargs="+", help="files of lines")
    telling.add_argument("--chart", type=Path, help="a PNG to write")
    given = parser.parse_args(argv)
    if given.command != "table" and given.load_size is None:
        given.load_size = round(given.size * 286 / 256)
    if given.command != "table" and given.load_size < given.size:
        raise UserError(
            f"--load_size {given.load_size} is smaller than the crop, --size {given.size}."
        )
    if given.command == "train" and min(given.seeds, *given.steps) < 1:
        raise UserError("--seeds and --steps must be 1 or more.")
    if given.command == "train" and not all(0 < part <= 1 for part in given.marks):
        raise UserError("--marks are parts of the steps, above 0 and at most 1.")
    return given


def main(argv: Sequence[str]) -> int:
    """One of the three commands."""
    given = parse(argv)
    if given.command == "tests":
        write_tests(given)
    elif given.command == "train":
        train(given)
    else:
        lines = [
            json.loads(text)
            for path in given.results
            for text in path.read_text("utf-8").splitlines()
        ]
        print(seeds_chart.table(lines), end="")
        if given.chart:
            seeds_chart.draw(lines, given.chart)
    return 0


if __name__ == "__main__":
    cli.run(main, sys.argv[1:])
