"""cyclegan_tf trained for a given time: its command's loop, with generators kept at marks.

Only what a measurement must not pay for is left out: images of samples, test losses, scores and
full checkpoints, none of which the PyTorch trainer beside it has.

    python -m benchmarks.peers.ours_training ENTRY STARTED

ENTRY is an entry of the race as JSON, STARTED the time when the process was started.
"""

from __future__ import annotations

import dataclasses
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.quality.race import Clock, Entry
from cyclegan_tf import assembly
from cyclegan_tf.assembly import training_data
from cyclegan_tf.config import files as config_files
from cyclegan_tf.config.experiment import Experiment, Logging, Training
from cyclegan_tf.devices import hardware
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.initialization.data_dependent_init import (
    initialize_from_data,
    resolve_auto_fields,
)
from cyclegan_tf.train.monitoring.monitor import TrainingMonitor
from cyclegan_tf.train.saving import CheckpointSaver
from cyclegan_tf.train.trainer import Trainer

NEVER = 10**9
STRETCH = 1000
MIN_MINUTES = 1e-3  # one step, where starting has used up the budget
DIRECTIONS = ("xy", "yx")
AVERAGED = "_averaged"


def experiment_of(entry: Entry, minutes: float) -> Experiment:
    """The paper's recipe, or the entry's config, at the entry's sizes and for so many minutes."""
    base = config_files.load_yaml(config_files.find_config(entry.config)) if entry.config else {}
    silent = {
        f.name: NEVER
        for f in dataclasses.fields(Logging)
        if "_every_" in f.name and f.name != "log_every_steps"
    }
    # The schedule keeps its shape, and its epochs are so many that the minutes always end it.
    usual, given = Training(), base.get("training", {})
    schedule = {
        name: STRETCH * given.get(name, getattr(usual, name))
        for name in ("constant_epochs", "decay_epochs")
    }
    laid_over: dict[str, dict] = {
        "data": {
            "source": entry.data,
            "load_size_px": entry.load_px,
            "crop_size_px": entry.size_px,
        },
        "generator": {"filters": entry.filters, "blocks": entry.blocks},
        "discriminator": {"filters": entry.filters},
        "training": {
            "precision": entry.precision,
            "seed": entry.seed,
            "max_minutes": minutes,
            "max_steps": None,
            **schedule,
            "checkpoint_every_minutes": NEVER,
            "checkpoint_every_steps": None,
            "early_stopping_patience": None,
            **({} if entry.ema is None else {"ema_half_life_images": entry.ema}),
        },
        "logging": {**silent, "score_every_epochs": 0},
    }
    return Experiment.from_dict(
        {s: {**base.get(s, {}), **laid_over.get(s, {})} for s in {*base, *laid_over}}
    )


class Runner(Trainer):
    """The trainer, with a clock that keeps generators at marks; saving does not count.

    Example:
      >>> runner = Runner(entry, time.time(), experiment, run, feed, model)
      >>> runner.train()
      >>> runner.step

    Args:
      entry: what the clock counts for.
      started: see `Clock`.
      *given: as for `Trainer`.
    """

    def __init__(self, entry: Entry, started: float, *given: Any) -> None:
        super().__init__(*given)
        self.entry, self.clock = entry, Clock(entry, started, self._keep)

    def _keep(self, mark: float) -> None:
        """Both generators, and their moving averages where the experiment has them."""
        for name in DIRECTIONS:
            getattr(self.model, f"generator_{name}").save(
                self.entry.generator(mark, name, ".keras")
            )
        if self._averages is not None:
            with self._averages.swapped_in():
                for name in DIRECTIONS:
                    averaged = self.entry.generator(mark, name + AVERAGED, ".keras")
                    getattr(self.model, f"generator_{name}").save(averaged)

    def _after_step(self, rate: float) -> None:
        super()._after_step(rate)
        self._started_clock += self.clock.after_step(self.step)

    def _end(self, monitor: TrainingMonitor, saver: CheckpointSaver) -> None:  # noqa: ARG002
        self.clock.finish(self.step)


def train(entry: Entry, started: float) -> int:
    """Train to the end of the budget, keep generators at every mark; return the number of steps.

    Args:
      entry: of the race.
      started: `time.time()` just before the process was started.
    """
    experiment = experiment_of(entry, entry.minutes)
    training = experiment.training
    arithmetic = hardware.choose_arithmetic(training.precision, training.jit)
    print(arithmetic.descriptions, flush=True)
    run = RunDirectory(Path(entry.target) / "run")
    with run.locked():
        feed, _ = training_data.open_training_data(experiment, run.cache)
        resolved = resolve_auto_fields(experiment, feed, run)
        experiment = resolved.experiment
        model = assembly.build_model(experiment, arithmetic.dtype_policy, arithmetic.jit)
        initialize_from_data(model, resolved.color_shift)
        print(resolved.descriptions, flush=True)
        # What imports and reading have used up is taken off, so that the rate falls to 0 where the
        # budget ends.
        left = entry.minutes - (time.time() - started) / 60
        rest = dataclasses.replace(experiment.training, max_minutes=max(left, MIN_MINUTES))
        experiment = dataclasses.replace(experiment, training=rest)
        run.create(experiment, feed.record())
        runner = Runner(entry, started, experiment, run, feed, model)
        if status := runner.train():
            raise SystemExit(status)
        return runner.step


if __name__ == "__main__":
    print(f"{train(Entry.from_json(sys.argv[1]), float(sys.argv[2]))} steps")
