"""One training, from its images to its exit status."""

from __future__ import annotations

import dataclasses
import logging
import os
import shlex
import sys
from typing import Any

from cyclegan_tf import assembly
from cyclegan_tf.assembly import training_data
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.data import layout
from cyclegan_tf.devices import hardware
from cyclegan_tf.devices.hardware import Arithmetic
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.devices.strategy import DistributionContext
from cyclegan_tf.errors import UserError
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.runs import state
from cyclegan_tf.runs.differences import with_decisions
from cyclegan_tf.train import multi_worker
from cyclegan_tf.train.initialization.data_dependent_init import (
    ResolvedExperiment,
    initialize_from_data,
    resolve_auto_fields,
)
from cyclegan_tf.train.initialization.init_from import load_initial_weights
from cyclegan_tf.train.plan import TrainPlan
from cyclegan_tf.train.trainer import Trainer

log = logging.getLogger(__name__)

FEW_STEPS = 20
"""A budget in minutes that ends before so many steps has bought nothing."""


def train(plan: TrainPlan) -> int:
    """Trains as planned.

    Args:
      plan: its run directory is locked by the caller.

    Returns:
      0 at the end; 130 or 143 after Ctrl-C or SIGTERM.

    Raises:
      UserError: images, networks or devices do not fit the experiment, or each other.
    """
    if plan.run.exists():
        experiment = with_decisions(plan.run.experiment(), plan.experiment)
        plan = dataclasses.replace(plan, experiment=experiment)
    with suppress_startup_logs():
        assembly.check_sizes(plan.experiment)
        training = plan.experiment.training
        arithmetic = hardware.choose_arithmetic(training.precision, training.jit)
    devices = DistributionContext(plan.experiment.training.strategy, os.environ)
    with devices.reporting_lost_workers(lambda: "while all got ready"):
        return _train_on(devices, plan, arithmetic)


def _train_on(devices: DistributionContext, plan: TrainPlan, arithmetic: Arithmetic) -> int:
    arithmetic = _check_devices(devices, plan.experiment, arithmetic)
    data, notes = _open_data(devices, plan)
    experiment = data.decided(plan.experiment)
    resolved = resolve_auto_fields(experiment, data, plan.run, devices, plan.init)
    with devices.scope():
        model = assembly.build_model(resolved.experiment, arithmetic.dtype_policy, arithmetic.jit)
    record = _load_weights(devices, plan, model)
    # moving averages start from the weights
    trainer = Trainer(resolved.experiment, plan.run, data, model, plan.quiet, devices)
    if devices.is_chief and not plan.run.exists() and not plan.estimate:
        # Only now, with every image read: a start that fails leaves no run behind.
        plan.run.create(resolved.experiment, data.record(), record)
    _log_setup(trainer, notes, arithmetic.descriptions | resolved.descriptions)
    if plan.estimate:
        _log("length", _length(trainer))
        trainer.estimate()
        return 0
    _restore(trainer, plan, resolved, record)
    return _run_to_the_end(trainer)


def _check_devices(
    devices: DistributionContext, experiment: Experiment, arithmetic: Arithmetic
) -> Arithmetic:
    """Refuses what several devices cannot do, and workers that would not train the same."""
    policy = arithmetic.dtype_policy
    if devices.strategy is not None:
        kinds = sorted(assembly.normalization_kinds(experiment))
        devices.check(experiment.data.batch_size, policy, kinds)
        # gradients travel in the middle of a step, which a compiled one could not
        changes = {"XLA": "off (several devices)", "devices": devices.description}
        arithmetic = Arithmetic(policy, False, arithmetic.descriptions | changes)
    fingerprint = multi_worker.experiment_fingerprint(experiment, policy)
    multi_worker.check_consistent(devices, fingerprint)
    return arithmetic


def _open_data(
    devices: DistributionContext, plan: TrainPlan
) -> tuple[training_data.TrainingData, list[str]]:
    """Opens the images, the same on all workers; returns them and notes."""
    experiment, run = plan.experiment, plan.run
    run.check_ours()
    show_progress = sys.stderr.isatty() and not plan.quiet and devices.is_chief
    is_shared = devices.workers > 1 and experiment.data.cache == "auto"
    data, notes = training_data.open_training_data(
        experiment,
        run.cache,
        run.data_split(),
        show_progress,
        "lazy" if is_shared else None,
        run.data_sums(),
        run.data_pairs(),
    )
    multi_worker.check_consistent(devices, multi_worker.data_fingerprint(data))
    if plan.overridden:
        names = ", ".join(plan.overridden)
        notes = [*notes, f"of --config, {names} give way to the networks of --init_from"]
    return data, notes


def _load_weights(
    devices: DistributionContext, plan: TrainPlan, model: CycleGAN
) -> dict[str, Any] | None:
    """Loads the weights of --init_from; returns the record of them."""
    if not devices.is_chief:
        return None
    networks = {
        name: network for name in state.NETWORKS if (network := getattr(model, name)) is not None
    }
    return load_initial_weights(networks, plan.run, plan.init)


def _log_setup(trainer: Trainer, notes: list[str], choices: dict[str, str]) -> None:
    """Logs what is about to be trained."""
    run = trainer.run_directory
    _log("data", trainer.data.source.description)
    images = dataclasses.asdict(trainer.experiment.data)
    if layout.domain_names(images):
        both = (f"{name} is {layout.direction_label(images, name)}" for name in ("xy", "yx"))
        _log("domains", ", ".join(both))
    for note in notes:
        _log("note", note)
    for name, choice in choices.items():
        _log(name, choice)
    is_shown = "tensorboard" in trainer.experiment.logging.trackers
    board = f", or tensorboard --logdir {run.logs}" if is_shown else ""
    _log("run", f"{run.path} (watch: {run.path / 'index.html'}{board})")


def _length(trainer: Trainer) -> str:
    if trainer.end_seconds is not None:
        left, end = (trainer.end_seconds - trainer.seconds) / 60, trainer.end_seconds / 60
        return f"{left:.3g} more minutes, to minute {end:.4g} of this run, however many steps"
    minutes = trainer.experiment.training.max_minutes
    limit = f", at most {minutes:g} minutes" if minutes else ""
    return f"{trainer.budget.steps} steps, {trainer.data.order.steps_per_epoch} per epoch{limit}"


def _restore(
    trainer: Trainer,
    plan: TrainPlan,
    resolved: ResolvedExperiment,
    record: dict[str, Any] | None,
) -> None:
    """Resumes from the newest checkpoint, or initializes from the data; then all workers agree."""
    resumed = trainer.resume() if trainer.devices.is_chief else []
    needs = "--resume required" if plan.resume == "required" else ""
    needs = needs or ("training.more_minutes is given" if plan.more_minutes else "")
    if resumed is None and needs:
        raise UserError(
            f"{needs}, but {plan.run.path} has no checkpoint.",
            code="missing",
            field=needs.split()[0],
        )
    if resumed is None and record is None:
        initialize_from_data(trainer.model, resolved.color_shift)
    if plan.more_minutes and trainer.devices.is_chief:
        trainer.go_on(plan.more_minutes)
    trainer.broadcast_start()
    for line in _init_messages(plan, record, resumed is not None):
        _log("init", line)
    for line in resumed or []:
        _log("resume", line)
    if not trainer.has_ended:
        _log("length", _length(trainer))


def _init_messages(plan: TrainPlan, record: dict[str, Any] | None, resumed: bool) -> list[str]:
    experiment = plan.experiment
    if record is not None:
        return record.get("messages", [])
    if plan.init is not None:
        return ["the weights of --init_from were taken when this run began"]
    freeze = experiment.training.freeze
    if freeze != "none" and not resumed and not experiment.generator.network_files:
        return [f"the {freeze} stays at random weights; --init_from gives it trained ones"]
    return []


def _run_to_the_end(trainer: Trainer) -> int:
    run = trainer.run_directory
    if trainer.has_ended:
        _log(
            "done",
            f"this run is finished (step {trainer.step}); --training.more_minutes 30 goes on",
        )
        return 0
    status = trainer.train()
    if status and trainer.devices.is_chief:
        # shown even when quiet
        print(f"go on with: python -m cyclegan_tf.train --run_dir {shlex.quote(str(run.path))}")
        sys.stdout.flush()
    else:
        _log("done", f"step {trainer.step}; images in {run.samples}, generators in {run.path}")
        _warn_of_few_steps(trainer)
    return status


def _warn_of_few_steps(trainer: Trainer) -> None:
    minutes = trainer.experiment.training.max_minutes
    if minutes and trainer.step < FEW_STEPS and trainer.step != trainer.budget.steps:
        steps = "1 step was" if trainer.step == 1 else f"{trainer.step} steps were"
        log.warning(
            f"only {steps} made in {minutes:g} minutes, most of which went into getting ready: "
            "these generators have learned nothing. Give more --training.max_minutes, or a "
            "smaller --data.crop_size_px or --generator.filters."
        )


def _log(name: str, text: str) -> None:
    log.info(f"{name:<10}{text}")
