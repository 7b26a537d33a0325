"""The first weights of a training, out of another run: all of a network's, or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cyclegan_tf.errors import UserError
from cyclegan_tf.runs import checkpoints, state
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.initialization.init_from import asked_as_init

_OPTION = "--init_from"
# Where dropout stands in its own random numbers: no weight.
_RANDOM_STATE = "seed_generator_state"
_MAX_NAMED = 3


def initialize(
    networks: Mapping[str, keras.Model], path: Path, checkpoint: str = checkpoints.BEST
) -> dict[str, Any]:
    """Gives networks the weights that a run has reached; all are compared before any is assigned.

    Generators must fit. A discriminator that does not, or that the run never trained, stays as it
    is. The best checkpoint holds generators only: discriminators are then those of the whole
    checkpoint nearest to its step, since they must not know much more, or much less, than the
    generators they are trained against.

    Args:
      networks: by their names in `state.NETWORKS`, both generators among them; changed in place.
      path: of the run directory.
      checkpoint: "best" (the newest where no scores have chosen one), "last", or a step.

    Returns:
      A record ready for JSON: "run" as it was given, "path" in full, "checkpoint", "generators"
      (file, step, weights), "discriminators" (by name, file and step, or None), and "messages"
      for the log.

    Raises:
      UserError: this is not a run, there is no such checkpoint, or a generator does not fit; names
        what differs first.
    """
    run = RunDirectory(path)
    run.experiment()
    chosen = _choose(run, checkpoint)
    _check_generators(networks, chosen)
    nearest = with_discriminators(run, chosen)
    messages = [f"generators of {chosen.origin}"]
    taken: dict[str, dict[str, Any] | None] = {}
    for name, network in networks.items():
        if name in state.GENERATORS:
            _assign(network, name, chosen.arrays)
        elif nearest is None or (why := _listed(_mismatches(network, name, nearest.arrays))):
            messages.append(
                f"{name} starts anew: {why if nearest else 'there is no whole checkpoint'}"
            )
            taken[name] = None
        else:
            _assign(network, name, nearest.arrays)
            messages.append(f"{name} of {nearest.origin}")
            taken[name] = {"file": _within(run, nearest.path), "step": nearest.step}
    return {
        "run": str(path),
        "path": str(path.resolve()),
        "checkpoint": checkpoint,
        "generators": {
            "file": _within(run, chosen.path),
            "step": chosen.step,
            "weights": chosen.weights,
        },
        "discriminators": taken,
        "messages": messages,
    }


def _choose(run: RunDirectory, checkpoint: str) -> checkpoints.SelectedCheckpoint:
    with asked_as_init():
        chosen = checkpoints.select(run.checkpoints, checkpoint)
    if chosen is None:
        raise UserError(
            f"{_OPTION} {run.path} has no checkpoint yet: train it first, or take another run.",
            code="missing",
            field=_OPTION,
        )
    return chosen


def _check_generators(
    networks: Mapping[str, keras.Model], chosen: checkpoints.SelectedCheckpoint
) -> None:
    found = [
        mismatch
        for name in state.GENERATORS
        for mismatch in _mismatches(networks[name], name, chosen.arrays)
    ]
    if found:
        raise UserError(
            f"{_OPTION}: {chosen.path} does not fit this experiment, and nothing was taken: "
            f"{_listed(found)}. Leave out the options of --generator and --data.channels that "
            "differ, to take its architecture.",
            code="mismatch",
            field=_OPTION,
        )


def with_discriminators(
    run: RunDirectory, chosen: checkpoints.SelectedCheckpoint
) -> checkpoints.SelectedCheckpoint | None:
    """Finds the whole checkpoint nearest in step, of two as near the later.

    Args:
      run: that trained them.
      chosen: the checkpoint of its generators; taken itself where it holds discriminators.

    Returns:
      None where none can be read.
    """
    if any(name.startswith(("discriminator_x/", "discriminator_y/")) for name in chosen.arrays):
        return chosen
    whole = checkpoints.list_checkpoints(run.checkpoints)
    for path in sorted(whole, key=lambda path: abs(checkpoints.step_of(path) - chosen.step)):
        try:
            arrays, scalars = checkpoints.read(path)
        except checkpoints.CorruptCheckpointError:
            continue
        origin = (
            f"{path} (step {scalars['step']}, the whole checkpoint nearest to step {chosen.step})"
        )
        return checkpoints.SelectedCheckpoint(path, arrays, scalars["step"], "raw", origin)
    return None


def _weights(network: keras.Model, name: str) -> dict[str, keras.Variable]:
    """A network's variables as a checkpoint names them, without random states."""
    named = state.network_variables(network, name)
    return {path: variable for path, variable in named.items() if not path.endswith(_RANDOM_STATE)}


def _mismatches(network: keras.Model, name: str, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """What keeps the arrays of one network from being its weights."""
    here = {path: tuple(variable.shape) for path, variable in _weights(network, name).items()}
    there = {
        path: array.shape
        for path, array in arrays.items()
        if path.startswith(f"{name}/") and not path.endswith(_RANDOM_STATE)
    }
    found = []
    for path, shape in here.items():
        if path not in there:
            found.append(f"{path} is missing there")
        elif there[path] != shape:
            found.append(f"{path} is {there[path]} there, {shape} here")
    return found + [f"{path} is there only" for path in there if path not in here]


def _listed(mismatches: Sequence[str]) -> str:
    more = len(mismatches) - _MAX_NAMED
    return "; ".join([*mismatches[:_MAX_NAMED], *([f"and {more} more"] if more > 0 else [])])


def _assign(network: keras.Model, name: str, arrays: Mapping[str, np.ndarray]) -> None:
    for path, variable in _weights(network, name).items():
        variable.assign(arrays[path])


def _within(run: RunDirectory, file: Path) -> str:
    return file.relative_to(run.path).as_posix()
