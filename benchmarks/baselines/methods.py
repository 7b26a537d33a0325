"""The methods that are compared: how each is trained, and how its result translates."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.baselines import train
from benchmarks.quality.ablation import length_of

Translators = dict[str, Callable[[list[np.ndarray]], list[np.ndarray]]]
"""Direction "xy" or "yx" -> translation of float32 (H, W, C) images in [-1, 1]."""

# The networks and sizes of the ablation; nothing is saved or scored on the way.
_OURS = (
    "--config configs/ablation/full.yaml --discriminator.filters 32 --training.keep_checkpoints 1 "
    "--logging.sample_every_steps 1000000 --logging.test_every_epochs 100000 "
    "--logging.score_every_epochs 0 --training.checkpoint_every_minutes 1000"
)
_NO_CYCLE = "--loss.cycle_x 0 --loss.cycle_y 0 --loss.identity 0"


@dataclass(frozen=True)
class Method:
    """One column of the figure, one line of the tables.

    Example:
      >>> METHODS["cogan"].command("demo", Path("runs/cogan"), seed=0, minutes=3)[2:4]

    Attributes:
      name: of runs.
      title: in tables and above columns.
      words: options of our own training; None for a method of `train.METHODS`.
      is_paired: whether it trains on pairs, which of the demo are another source.
    """

    name: str
    title: str
    words: str | None = None
    is_paired: bool = False

    def command(self, data: str, target: Path, seed: int, minutes: float) -> list[str]:
        """What trains it: a Python program with its arguments.

        Args:
          data: "demo", or a folder of trainA, trainB, testA and testB.
          target: folder to write.
          seed: of the training.
          minutes: of training, processor time.
        """
        if self.words is None:
            given = f"{self.name} --minutes {minutes:g} --seed {seed} --data"
            words = ["-m", "benchmarks.baselines.train", *given.split(), data]
            return [sys.executable, *words, "--out", str(target)]
        given = f"{_OURS} {self.words} --training.max_minutes {minutes:g} --training.seed {seed}"
        words = ["-m", "benchmarks.baselines.our_training", *given.split(), "--quiet"]
        source = "demo:paired" if self.is_paired and data == "demo" else data
        return [sys.executable, *words, "--data.source", source, "--run_dir", str(target)]

    def finished(self, target: Path) -> bool:
        """Whether a training came to its end: its last act is to write this file."""
        return (target / (train.TRAINED if self.words is None else "generator_yx.keras")).is_file()

    def length(self, target: Path) -> dict[str, float]:
        """Steps and minutes of a finished training."""
        if self.words is not None:
            return length_of(target)
        found = json.loads((target / train.TRAINED).read_text(encoding="utf-8"))
        return {name: found[name] for name in ("steps", "minutes")}

    def translators(self, target: Path) -> Translators:
        """Open a finished training, by the weights of its last step, in float32."""
        from benchmarks.baselines import cogan
        from benchmarks.quality import split_scores

        if self.name == "cogan":
            return dict(cogan.load_translators(target))
        if self.words is None:
            files = {d: target / f"generator_{d}.keras" for d in split_scores.DIRECTIONS}
            found = split_scores.of_files(files)
        else:
            found = split_scores.of_run(target)
        return {direction: _one_by_one(network) for direction, network in found.items()}


def _one_by_one(network: Callable) -> Callable[[list[np.ndarray]], list[np.ndarray]]:
    return lambda images: [np.asarray(network(image[np.newaxis]))[0] for image in images]


METHODS = {
    method.name: method
    for method in (
        Method("bigan", "BiGAN/ALI"),
        Method("cogan", "CoGAN"),
        Method("simgan", "SimGAN", f"{_NO_CYCLE} --loss.self_x 1 --loss.self_y 1"),
        Method("cyclegan", "CycleGAN", ""),
        Method(
            "pix2pix",
            "pix2pix",
            f"{_NO_CYCLE} --data.pairs auto --loss.paired 100 --discriminator.conditional true",
            is_paired=True,
        ),
    )
}
"""By name, in the order of the paper's figure 5, without its feature loss + GAN."""
