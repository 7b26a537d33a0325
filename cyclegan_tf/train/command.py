"""`python -m cyclegan_tf.train`: trains CycleGAN; without arguments, on the built-in demo."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NoReturn

import yaml

from cyclegan_tf import cli
from cyclegan_tf.data import layout
from cyclegan_tf.devices import tf_config
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError
from cyclegan_tf.features.catalog import check_offline, offline_for
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.monitoring.trackers.installed import check_installed
from cyclegan_tf.train.plan import TrainPlan, plan_training

PRINT_CONFIG = "--print_config"


def main(argv: Sequence[str]) -> int:
    """Trains; returns the exit status."""
    # jsonargparse keeps this option's name for a form of its own, which wants a value.
    plan = plan_training([word for word in argv if word != PRINT_CONFIG])
    if PRINT_CONFIG in argv:
        print(yaml.safe_dump(plan.experiment.as_dict(), sort_keys=False), end="")
        return 0
    cli.log_to_terminal(plan.quiet or not _is_chief())
    return train(plan)


def train(plan: TrainPlan) -> int:
    """Trains as planned, here or as one of several workers.

    Returns:
      0 at the end; 130 or 143 after Ctrl-C or SIGTERM.

    Raises:
      UserError: the run is in use, or images, networks or devices do not fit the experiment.
    """
    is_chief = _is_chief()
    if plan.more_minutes and plan.estimate:
        raise _not_longer(f"it takes {plan.more_minutes:g} minutes; leave out --estimate")
    _check_images(plan)
    keeps = is_chief and not plan.estimate
    if keeps:
        check_installed(plan.experiment.logging.trackers)
    _check_features(plan)
    with _claimed(plan) if keeps else _private(plan) as plan:
        # TensorFlow takes seconds to import: mistakes in the options are reported before that.
        with suppress_startup_logs():
            from cyclegan_tf.train import session
        return session.train(plan)


def _is_chief() -> bool:
    cluster = tf_config.of_environment(os.environ)
    return cluster is None or cluster.is_chief


def _check_images(plan: TrainPlan) -> None:
    """Looks for the folders of images before TensorFlow is imported."""
    data = plan.experiment.data
    if data.x_dir is None or data.y_dir is None:
        layout.check_source(data.source)
        return
    layout.check_two_folders(data.x_dir, data.y_dir)
    if not plan.run.exists():
        layout.refuse_same_folders(data.x_dir, data.y_dir)


def _check_features(plan: TrainPlan) -> None:
    """Looks for the packages of networks that score."""
    show, metric = plan.experiment.logging, plan.experiment.training.best_metric
    if show.score_every_epochs:
        asked = f"logging.score_features {show.score_features}"
        check_offline(show.score_features, asked)
        check_offline(offline_for("off", metric), f"training.best_metric {metric}")


@contextlib.contextmanager
def _claimed(plan: TrainPlan) -> Iterator[TrainPlan]:
    """Locks the run directory, if its run may be started or resumed so."""
    _check_run(plan)  # before anything is touched
    with plan.run.locked():
        _check_run(plan)  # another process may have begun it meanwhile
        yield plan


def _check_run(plan: TrainPlan) -> None:
    run, exists = plan.run, plan.run.exists()
    if plan.resume == "required" and not exists:
        raise UserError(
            f"--resume required, but {run.path} holds no run.", code="missing", field="--resume"
        )
    if plan.resume == "never" and exists:
        raise UserError(
            f"--resume never, but {run.path} holds a run already; give another --run_dir.",
            code="exists",
            field="--resume",
        )
    if plan.more_minutes and not exists:
        raise _not_longer(f"{run.path} holds none; give a new one --training.max_minutes")
    if exists:
        run.check_resumable(plan.experiment)
        if plan.init is not None:
            plan.init.check_resumable(run)


def _not_longer(why: str) -> UserError:
    return UserError(
        f"training.more_minutes goes on with a run that has begun, and {why}.",
        code="invalid",
        field="training.more_minutes",
    )


@contextlib.contextmanager
def _private(plan: TrainPlan) -> Iterator[TrainPlan]:
    """For an estimate, and for a worker that is not the chief, which sends it its state."""
    with tempfile.TemporaryDirectory(prefix="cyclegan_tf_") as folder:
        yield dataclasses.replace(plan, run=RunDirectory(Path(folder) / "run"))


def run(argv: Sequence[str] | None = None) -> NoReturn:
    """`cli.run` for this command; a training on several devices ends at once.

    TensorFlow's threads would wait for machines that have ended, and for each other, some of them
    for ever.
    """
    try:
        cli.run(main, argv)
    except BaseException as end:
        strategy = sys.modules.get("cyclegan_tf.devices.strategy")
        if strategy is None or not strategy.DistributionContext.in_use:
            raise
        if not isinstance(end, SystemExit):
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(
            end.code if isinstance(end, SystemExit) and isinstance(end.code, int) else cli.FAILED
        )
