"""Trained generators from run directories and `.keras` files."""

from __future__ import annotations

import logging
from pathlib import Path

import keras

from cyclegan_tf import assembly
from cyclegan_tf.data.layout import direction_label, domain_names
from cyclegan_tf.devices import hardware
from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign.keras_notes import read_notes, save_with_notes
from cyclegan_tf.images.ranges import FULL_RANGES, RangePair
from cyclegan_tf.images.training_scale import TrainingScale
from cyclegan_tf.networks import files as network_files
from cyclegan_tf.networks.builders import as_float32
from cyclegan_tf.runs import checkpoints, image_record, state
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.runs.targets import CUTTING_NOTE, RANGES_NOTE, check_target
from cyclegan_tf.volumes.slices import AXIAL, Cutting

log = logging.getLogger(__name__)

_SCALE = "training_scale"


def load_generator(
    target: Path,
    direction: str,
    dtype_policy: str | None = None,
    checkpoint: str = checkpoints.BEST,
) -> tuple[keras.Model, str]:
    """Load the generator of one direction from a run directory or a `.keras` file.

    Args:
      target: the directory or file.
      direction: "xy" or "yx"; a file holds one direction, whichever it is.
      dtype_policy: "float32", or None for the precision that pays on this machine (a file keeps its
        own).
      checkpoint: of a run, "best" (the newest where no scores have chosen one), "last", or a step.

    Returns:
      The network and a description of its origin: the file, its step, its score, raw or averaged
        weights.

    Raises:
      UserError: there is no such thing, nothing has been saved yet, or the file is not a generator.
    """
    check_target(target, checkpoint)
    if target.is_dir():
        run = RunDirectory(target)
        chosen = open_checkpoint(run, checkpoint)
        return generator_of_run(run, chosen, direction, dtype_policy), chosen.origin
    network = network_files.open_network(target)
    return (as_float32(network) if dtype_policy == "float32" else network), str(target)


def direction_name(target: Path, direction: str) -> str:
    """Name a direction for people, with the domains' own names where a run knows them.

    Args:
      target: a run directory or a file.
      direction: "xy" or "yx".

    Example:
      >>> direction_name(Path("runs/mine"), "xy")
      'xy (horse to zebra)'
    """
    if not target.is_dir():
        return direction
    data = RunDirectory(target).experiment().as_dict()["data"]
    return f"{direction} ({direction_label(data, direction)})" if domain_names(data) else direction


def save_generator(
    network: keras.Model,
    path: Path,
    scale: TrainingScale | None,
    ranges: RangePair = FULL_RANGES,
    cutting: Cutting = AXIAL,
) -> None:
    """Write a `.keras` file that holds scale, ranges and cutting of its training; not atomic.

    Args:
      network: a generator.
      path: of the file.
      scale: None where it is not known.
      ranges: what its numbers mean.
      cutting: how it sees volumes.
    """
    notes = {
        _SCALE: scale and scale.as_dict(),
        RANGES_NOTE: ranges.as_dict(),
        CUTTING_NOTE: None if cutting == AXIAL else cutting.as_dict(),
    }
    save_with_notes(network, path, {name: value for name, value in notes.items() if value})


def training_scale(target: Path, direction: str) -> TrainingScale | None:
    """Find at which scale a generator was trained.

    Args:
      target: a run directory or a `.keras` file.
      direction: "xy" or "yx"; a file holds one direction, whichever it is.

    Returns:
      None where a file does not say.

    Raises:
      UserError: the run's experiment cannot be read.
    """
    if target.is_dir():
        run = RunDirectory(target)
        data, aspect = run.experiment().data, image_record.aspect(run.data_path, direction[0])
        return TrainingScale.of(data.preprocess, data.load_size_px, data.crop_size_px, aspect)
    return TrainingScale.from_dict(read_notes(target).get(_SCALE))


def open_checkpoint(
    run: RunDirectory, checkpoint: str = checkpoints.BEST
) -> checkpoints.SelectedCheckpoint:
    """Open a run's checkpoint, as `checkpoints.select` takes it.

    Raises:
      UserError: this is not a run, it has no checkpoint yet, or not this one.
    """
    run.experiment()
    chosen = checkpoints.select(run.checkpoints, checkpoint)
    if chosen is None:
        raise UserError(
            f"{run.path} has no checkpoint yet; train it first: python -m cyclegan_tf.train "
            f"--run_dir {run.path}",
            code="missing",
            field=str(run.path),
        )
    return chosen


def generator_of_run(
    run: RunDirectory,
    chosen: checkpoints.SelectedCheckpoint,
    direction: str,
    dtype_policy: str | None = None,
) -> keras.Model:
    """Build the generator of one direction with the weights of a checkpoint.

    Args:
      run: whose experiment describes the network.
      chosen: the checkpoint.
      direction: "xy" or "yx".
      dtype_policy: as for `load_generator`.

    Raises:
      UserError: the checkpoint does not fit the experiment.
    """
    experiment = run.experiment()
    if not experiment.loss.trains(direction, experiment.data.has_pairs):
        log.warning(
            f"no term of this run's loss reaches the generator of {direction}, which is as it was "
            f"made: the run trains {direction[::-1]} only"
        )
    policy = dtype_policy or hardware.choose_precision(experiment.training.precision)[0]
    network = assembly.build_generator(experiment, direction, policy)
    state.restore(
        state.network_variables(network, f"generator_{direction}"), chosen.arrays, chosen.path
    )
    return network
