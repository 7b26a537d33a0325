"""Networks that came from elsewhere, written the way ours are: a `.keras` file, or the beginning of
a run."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from cyclegan_tf.errors import UserError
from cyclegan_tf.networks import builders as networks
from cyclegan_tf.runs import checkpoints, state
from cyclegan_tf.runs.run_directory import RunDirectory

# Enough for every network there is, and quickly computed.
_COMPARED_SIDE_PX = 192
_MAX_DIFFERENCE = 1e-5


def save_checked(network: keras.Model, target: Path) -> None:
    """Writes a `.keras` file whole or not at all, and only if the network gives the same images
    when read again.

    Args:
      network: one input (N, H, W, C), one output.
      target: the file to be; one that is there is replaced.

    Raises:
      UserError: what was read again gives others.
    """
    partial = target.with_name(f"{target.stem}.partial.keras")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        network.save(partial)
        difference = _difference(network, keras.saving.load_model(partial, compile=False))
        if not difference <= _MAX_DIFFERENCE:
            raise UserError(
                f"{target} was not written: read again, the network gives images that are "
                f"{difference:.1g} off; please report this, with the file it came from."
            )
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _difference(one: keras.Model, other: keras.Model) -> float:
    """Largest difference between the outputs of two networks for one image of noise."""
    multiple = networks.size_divisor_of(one)
    side = -(-_COMPARED_SIDE_PX // multiple) * multiple
    _, height, width, channels = one.input_shape
    image = (
        np.random.default_rng(0)
        .uniform(-1, 1, (1, height or side, width or side, channels))
        .astype(np.float32)
    )
    outputs = [np.asarray(network(image, training=False), np.float64) for network in (one, other)]
    return float(np.abs(outputs[0] - outputs[1]).max())


def write_start(
    run: RunDirectory, generators: Mapping[str, keras.Model], named: Mapping[str, keras.Variable]
) -> None:  # fmt: skip
    """Writes what a training takes up and what translating needs: a checkpoint of step 0 and two
    `.keras` files.

    Args:
      run: begun already.
      generators: by the names in `state.GENERATORS`.
      named: every variable of the training, as `state.variables` names them.

    Raises:
      UserError: the folder cannot be written.
    """
    nothing_seen = {"step": 0, "seconds": 0.0, "guards": None, "best": None}
    checkpoints.write(run.checkpoints, 0, state.snapshot(named), nothing_seen, keep=None)
    for attribute in state.GENERATORS:
        networks.as_float32(generators[attribute]).save(run.path / f"{attribute}.keras")
