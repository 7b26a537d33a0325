"""Train one of the methods that are written here for some minutes, on our own data pipeline.

    python -m benchmarks.baselines.train cogan --data demo --minutes 3 --seed 0 --out runs/cogan-0

Writes the generators and, last, trained.json: steps, minutes, loss terms. The minutes are of the
processor, as in `our_training`, and of training alone: the first step's compiling counts, imports
and the reading of images do not.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from cyclegan_tf import cli
from cyclegan_tf.atomic import write_text
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError

TRAINED = "trained.json"
ENDLESS = 10**9  # steps; the minutes end the training
LOAD_PER_CROP = 72 / 64  # as in configs/ablation
METHODS = ("cogan", "bigan")


class Model(Protocol):
    """What is trained: a step, a rate that follows the budget, files."""

    def train_step(self, batch: Any) -> dict[str, Any]:
        """Update all networks and return loss terms."""

    def schedule(self, fraction: float) -> None:
        """Set the rate for what is over of the training, in [0, 1)."""

    def save(self, folder: Path) -> None:
        """Write the generators."""


def train(
    model: Model,
    batches: Iterator[Any],
    minutes: float,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, float]:
    """Train until the minutes are over, one step at least.

    Args:
      model: with every variable made.
      batches: without end.
      minutes: budget.
      clock: seconds.

    Returns:
      "steps", "minutes", and the mean of each term over the last tenth of the minutes.

    Raises:
      UserError: a term is not finite.
    """
    import tensorflow as tf

    step = tf.function(model.train_step, autograph=False)
    started, steps, over = clock(), 0, 0.0
    late: list[dict[str, float]] = []
    while over < 1.0:
        model.schedule(over)
        terms = {name: float(value) for name, value in step(next(batches)).items()}
        steps += 1
        over = (clock() - started) / (60 * minutes)
        if not all(map(math.isfinite, terms.values())):
            raise UserError(f"step {steps}: a loss is not finite: {terms}.", code="stopped")
        if over >= 0.9:
            late.append(terms)
    means = {name: sum(t[name] for t in late) / len(late) for name in late[0]}
    return {"steps": steps, "minutes": round(over * minutes, 2), **means}


def build(method: str, seed: int, size_px: int, filters: int) -> tuple[Model, int]:
    """Make a model in the precision that our own training would choose, and its batch size."""
    from benchmarks.baselines import bigan, cogan
    from cyclegan_tf.devices.hardware import choose_arithmetic

    policy = choose_arithmetic("auto", "auto").dtype_policy
    if method == "cogan":
        return cogan.CoGAN(size_px, filters, seed, policy), cogan.BATCH_SIZE
    return bigan.BiGAN(filters, seed=seed, dtype_policy=policy), bigan.BATCH_SIZE


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line.

    Raises:
      UserError: no minutes.
    """
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("--data", default="demo", help="as --data.source of train (%(default)s)")
    parser.add_argument("--minutes", type=float, default=3.0, help="of training (%(default)g)")
    parser.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    parser.add_argument("--size", type=int, default=64, help="of the images in px (%(default)s)")
    parser.add_argument("--filters", type=int, default=32, help="(%(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    given = parser.parse_args(argv)
    if not given.minutes > 0:
        raise UserError(f"--minutes {given.minutes:g}: it must be above 0.", field="--minutes")
    return given


def main(argv: Sequence[str]) -> int:
    """Train and write."""
    given = parse(argv)
    with suppress_startup_logs():
        from cyclegan_tf.assembly.training_data import open_training_data
        from cyclegan_tf.config.experiment import Data, Experiment, Training
    model, batch_size = build(given.method, given.seed, given.size, given.filters)
    data = Data(
        source=given.data,
        load_size_px=round(given.size * LOAD_PER_CROP),
        crop_size_px=given.size,
        batch_size=batch_size,
    )
    experiment = Experiment(data=data, training=Training(seed=given.seed))
    given.out.mkdir(parents=True, exist_ok=True)
    images, _ = open_training_data(experiment, given.out / "cache")
    found = train(model, images.batches(0, ENDLESS), given.minutes)
    model.save(given.out)
    write_text(given.out / TRAINED, json.dumps(found) + "\n")
    print(json.dumps(found), flush=True)
    return 0


if __name__ == "__main__":
    cli.run(main, sys.argv[1:])
