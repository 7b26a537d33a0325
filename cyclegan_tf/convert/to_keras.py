"""Models from elsewhere become a `.keras` file or a run directory.

The official PyTorch code is junyanz/pytorch-CycleGAN-and-pix2pix.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jsonargparse import Namespace

from cyclegan_tf import cli
from cyclegan_tf.atomic import atomic_directory
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.config.files import RENAMED, experiment_from
from cyclegan_tf.convert.pytorch import archives, files, folder, recognize, training_options
from cyclegan_tf.convert.pytorch.layout import ArchitectureSpec, keras_weights
from cyclegan_tf.convert.pytorch.training_options import TrainingOptions
from cyclegan_tf.convert.task import Task, log_line, log_notes, log_recognized
from cyclegan_tf.errors import UserError
from cyclegan_tf.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    import keras

    Arrays = Mapping[str, np.ndarray]
    Found = tuple[ArchitectureSpec, Arrays]


def torch_to_keras(task: Task) -> None:
    """Converts one official `.pth` file, or the one of a published model, to a `.keras` file."""
    from cyclegan_tf.convert import saving
    from cyclegan_tf.convert.pytorch import networks

    source = task.source
    if source.is_dir():
        source = folder.find_generator(source, task.arguments.epoch)
    spec, arrays = read_network(task, source, task.arguments.architecture)
    log_notes(recognize.conversion_notes(spec))
    options = training_options.read(source.parent) if spec.is_generator else None
    scale = options.training_scale if options else None
    saving.save_checked(networks.build_from_state_dict(spec, arrays), task.target, scale)
    training = _options_of_one(source) if spec.is_generator else ()
    commands = (task.translate_command(), task.fine_tune_command(*training))
    task.log_written(*commands * spec.is_generator)


def _options_of_one(path: Path) -> list[str]:
    """What the train_opt.txt beside one generator's file says, as options of a training; logged.

    Those are left out that are so without being said, and those that a network holds itself.
    """
    options = training_options.read(path.parent)
    if options is None:
        return []
    usual = Experiment().as_dict()
    changed = {
        field: value
        for field, value in options.fields.items()
        if not field.startswith("generator.")
        and usual[field.partition(".")[0]][field.partition(".")[2]] != value
    }
    _log_options(options, changed)
    notes = list(options.notes)
    if options.is_b_to_a:
        taken = "trainA" if path.stem.endswith("_G_B") else "trainB"
        notes.append(f"the direction was BtoA, so {path.name} takes images of {taken}")
    log_notes([*notes, "a .keras file holds none of these options: a training is given them again"])
    return [f"--{name} {str(value).lower()}" for name, value in changed.items()]


def keras_2_to_keras(task: Task) -> None:
    """Converts a model that Keras 2 saved to a `.keras` file."""
    from cyclegan_tf.convert import saving
    from cyclegan_tf.convert.keras2.open import open_model

    network, notes = open_model(task.source, direction=task.arguments.direction)
    saving.require_images(network, task.source)
    log_line("recognized", f"{network.name}, {network.count_params():,} parameters")
    log_notes(notes)
    saving.save_checked(network, task.target)
    reason = saving.why_not_translated(network)
    if reason:
        log_notes([f"no command translates or trains with it, since {reason}"])
    commands = (task.translate_command(), task.fine_tune_command())
    task.log_written(*commands * (reason is None))


def folder_to_run(task: Task) -> None:
    """Converts a folder of four official `.pth` files to a run directory at step 0."""
    from cyclegan_tf.runs import state

    options = training_options.read(task.source)
    b_to_a = options is not None and options.is_b_to_a
    names = folder.OFFICIAL_NAMES_B_TO_A if b_to_a else folder.OFFICIAL_NAMES
    found: dict[str, Found] = {}
    for attribute, path in folder.find_files(task.source, task.arguments.epoch, names).items():
        architecture = task.arguments.architecture if attribute in state.GENERATORS else "auto"
        found[attribute] = read_network(task, path, architecture)
    specs = {attribute: spec for attribute, (spec, _) in found.items()}
    experiment = experiment_of(task, folder.experiment_fields(specs, names), options)
    log_notes(note for spec in specs.values() for note in recognize.conversion_notes(spec))
    write_run(task, experiment, found)


def write_run(task: Task, experiment: Experiment, found: Mapping[str, Found]) -> None:
    """Writes a run directory at step 0.

    Args:
      task: says where, and whose images the run will train on.
      experiment: of the run.
      found: spec and arrays by our names; networks that are missing start as they are made.
    """
    from cyclegan_tf.assembly.training_data import open_source
    from cyclegan_tf.convert import saving
    from cyclegan_tf.data import checksums
    from cyclegan_tf.runs import generators

    images = None
    if task.is_given("--data.source", "--data.x_dir"):
        source = open_source(experiment)
        images = {**source.record(), "sums": checksums.of_source(source)}
    else:
        log_notes(
            [
                "training here would go on with the demo's images: --data.source names others, "
                "now or never",
                "later, others can be had in a new run: python -m cyclegan_tf.train --init_from",
            ]
        )
    networks, variables = _initial_state(experiment, found)
    with atomic_directory(task.target, task.arguments.overwrite) as partial:
        run = RunDirectory(partial)
        run.create(experiment, images or {})
        if images is None:
            run.data_path.unlink()  # an empty record would be one of no images
        scale = generators.training_scale(partial, "xy")  # no image is known: one for both
        saving.write_initial_checkpoint(run, networks, variables, scale)
    train = f"python -m cyclegan_tf.train --run_dir {shlex.quote(str(task.target))}"
    ways = [way for way in ("xy", "yx") if f"generator_{way}" in found]
    task.log_written(task.translate_command(f"--direction {ways[0]}"), train)


def _initial_state(
    experiment: Experiment, found: Mapping[str, Found]
) -> tuple[dict[str, keras.Model], dict[str, keras.Variable]]:
    """The generators, and every variable of a training that has not begun, with weights found."""
    from cyclegan_tf import assembly
    from cyclegan_tf.convert.pytorch import networks
    from cyclegan_tf.model.ema import ExponentialMovingAverage
    from cyclegan_tf.runs import state

    # Checkpoints of all precisions hold the same, but for the loss scale of float16.
    half = experiment.training.precision == "float16"
    model = assembly.build_model(experiment, "mixed_float16" if half else "float32")
    for attribute, (spec, arrays) in found.items():
        network = getattr(model, attribute)
        if network is not None:
            weights = keras_weights(spec, arrays)
            networks.assign_weights(network, weights, f"the file of {attribute}")
    pair = {attribute: getattr(model, attribute) for attribute in state.GENERATORS}
    variables = state.variables(model)
    if experiment.training.ema_half_life_images is not None:
        variables |= ExponentialMovingAverage(
            pair, experiment.training.ema_half_life_images, experiment.data.batch_size
        ).variables()
    return pair, variables


def read_network(task: Task, path: Path, architecture: str) -> tuple[ArchitectureSpec, Arrays]:
    """A .pth file's architecture and arrays, logged."""
    arrays = files.read_state_dict(path)
    spec = recognize.recognize(arrays, path, task.arguments.norm)
    if architecture not in ("auto", spec.official_name):
        raise UserError(
            f"{path} holds {recognize.describe(spec)}, not --architecture {architecture}; leave "
            "that out.",
            code="mismatch",
            field="--architecture",
        )
    _check_finite(arrays, path)
    log_recognized(path.name, spec, arrays)
    if not archives.has_checksums(path):
        log_notes([f"{path.name} holds no checksums, so damage to its weights would not show"])
    return spec, arrays


def _check_finite(arrays: Arrays, path: Path) -> None:
    """Refuses what a training that broke down left behind, which gives no image."""
    broken = next((name for name, array in arrays.items() if not np.isfinite(array).all()), None)
    if broken is not None:
        raise UserError(
            f"{path} holds numbers that are not finite, first in {broken}: its training had broken "
            "down; give a file of an earlier epoch.",
            code="unsupported",
            field=str(path),
        )


def experiment_of(
    task: Task, decided: Mapping[str, Mapping[str, Any]], options: TrainingOptions | None
) -> Experiment:
    """The experiment as typed, else as train_opt.txt says, and what the weights decide over it."""
    values = task.arguments.clone()
    if options is not None:
        _take_options(task, values, options)
    fixed = {
        f"{section}.{name}": value
        for section, fields in decided.items()
        for name, value in fields.items()
    }
    for option in (word.split("=", 1)[0] for word in cli.options_of(task.argv)):
        name = option.removeprefix("--")
        if name.startswith(("generator", "discriminator")) and name not in {
            *fixed,
            "generator.dropout",
        }:
            raise UserError(
                f"{option} is not for networks that are there already; leave it out.", field=option
            )
    for name, value in fixed.items():
        if task.is_given(f"--{name}") and values[name] != value:
            raise UserError(
                f"--{name} is {values[name]}, but the weights are of {value}; leave it out.",
                code="mismatch",
                field=f"--{name}",
            )
        values[name] = value
    if fixed["data.channels_x"] != fixed["data.channels_y"] and not task.is_given(
        "--loss.identity", "--loss.identity_x", "--loss.identity_y"
    ):
        values["loss.identity"] = 0.0
        log_notes(["the domains have different channels, so there is no identity loss"])
    return experiment_from(values)


def _take_options(task: Task, values: Namespace, options: TrainingOptions) -> None:
    """Takes over what train_opt.txt says, but for what was typed, and logs both."""
    former = {name: old for old, (name, _) in RENAMED.items()}
    taken = {
        name: value
        for name, value in options.fields.items()
        if not task.is_given(*(f"--{word}" for word in (name, former.get(name, name))))
    }
    for name, value in taken.items():
        values[name] = value
    _log_options(options, taken)
    log_notes(
        [
            *options.notes,
            *[training_options.OF_B_TO_A] * options.is_b_to_a,
            "the epoch reached, Adam's moments and the pools are in none of the files: training "
            "begins the schedule anew (--training.constant_epochs and decay_epochs shorten it)",
        ]
    )


def _log_options(options: TrainingOptions, taken: Mapping[str, Any]) -> None:
    listed = ", ".join(f"{name} {value}" for name, value in taken.items()) or "nothing unusual"
    log_line("options", f"{options.path}: {listed}")
