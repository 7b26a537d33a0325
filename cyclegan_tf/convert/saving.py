"""Writes networks that came from elsewhere as ours: a `.keras` file, or a run at step 0."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from cyclegan_tf.atomic import atomic_file
from cyclegan_tf.errors import UserError
from cyclegan_tf.networks import builders
from cyclegan_tf.runs import checkpoints, state
from cyclegan_tf.runs.run_directory import RunDirectory

# Enough for every network there is, and quickly computed.
_COMPARED_SIDE_PX = 192
_MAX_DIFFERENCE = 1e-5


def save_checked(network: keras.Model, target: Path) -> None:
    """Writes a `.keras` file, only if the network gives the same images when loaded again.

    Args:
      network: one input (N, H, W, C), one output.
      target: the file to be; one that is there is replaced.

    Raises:
      UserError: the loaded network gives others.
    """
    with atomic_file(target) as partial:
        network.save(partial)
        difference = _max_difference(network, keras.saving.load_model(partial, compile=False))
        if not difference <= _MAX_DIFFERENCE:
            raise UserError(
                f"{target} was not written: read again, the network gives images that are "
                f"{difference:.1g} off; please report this, with the file it came from.",
                code="unwritable",
                field=str(target),
            )


def _max_difference(one: keras.Model, other: keras.Model) -> float:
    """Largest difference between the outputs of two networks for one image of noise."""
    divisor = builders.size_divisor_of(one)
    side = -(-_COMPARED_SIDE_PX // divisor) * divisor
    _, height, width, channels = one.input_shape
    image = (
        np.random.default_rng(0)
        .uniform(-1, 1, (1, height or side, width or side, channels))
        .astype(np.float32)
    )
    outputs = [np.asarray(network(image, training=False), np.float64) for network in (one, other)]
    return float(np.abs(outputs[0] - outputs[1]).max())


def write_initial_checkpoint(
    run: RunDirectory,
    generators: Mapping[str, keras.Model],
    variables: Mapping[str, keras.Variable],
) -> None:
    """Writes what training resumes from and what translating needs: step 0, and two `.keras` files.

    Args:
      run: begun already.
      generators: by the names in `state.GENERATORS`.
      variables: all of the training, by the names that `state.variables` gives.

    Raises:
      UserError: the folder cannot be written.
    """
    scalars = {"step": 0, "seconds": 0.0, "guards": None, "best": None}
    checkpoints.write(run.checkpoints, 0, state.snapshot(variables), scalars, keep=None)
    for attribute in state.GENERATORS:
        builders.as_float32(generators[attribute]).save(run.path / f"{attribute}.keras")
