"""Writes networks that came from elsewhere as ours: a `.keras` file, or a run at step 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from cyclegan_tf.atomic import atomic_file
from cyclegan_tf.errors import UserError
from cyclegan_tf.images.training_scale import TrainingScale
from cyclegan_tf.networks import builders
from cyclegan_tf.runs import checkpoints, state
from cyclegan_tf.runs import generators as run_generators
from cyclegan_tf.runs.run_directory import RunDirectory

# Enough for every network there is, and quickly computed.
_COMPARED_SIDE_PX = 192
_MAX_DIFFERENCE = 1e-5


def require_images(network: keras.Model, source: Path) -> None:
    """Refuses a network that is not from one image to one image.

    Args:
      network: of any shapes.
      source: its file, for the message.

    Raises:
      UserError: says what it takes and gives.
    """
    # one that is no graph of layers knows neither
    takes, gives = (
        [tuple(tensor.shape) for tensor in getattr(network, ends, None) or ()]
        for ends in ("inputs", "outputs")
    )
    for shapes in (takes, gives):
        if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][-1] is None:
            raise UserError(
                f"{source} takes {_named(takes)} and gives {_named(gives)}; a network that takes "
                "and gives images, (N, H, W, C), is wanted.",
                code="unsupported",
                field=str(source),
            )


def _named(shapes: Sequence[tuple[int | None, ...]]) -> str:
    texts = [
        "(" + ", ".join(["N", *("any" if side is None else str(side) for side in shape[1:])]) + ")"
        for shape in shapes
    ]
    return " and ".join(texts) or "unknown shapes"


def why_not_translated(network: keras.Model) -> str | None:
    """Why `translate` and `train` do not take a network of images; None where they do.

    Args:
      network: one input (N, H, W, C), one output of as many axes.
    """
    _, height, width, channels = network.input_shape
    if height is not None or width is not None:
        return f"it takes images of {height} x {width} px only"
    side = 4 * builders.size_divisor_of(network)
    made = network.compute_output_spec(keras.KerasTensor((1, side, side, channels))).shape
    if tuple(made[1:3]) != (side, side):
        return f"of an image of {side} x {side} px it makes {made[1]} x {made[2]}"
    return None


def save_checked(network: keras.Model, target: Path, scale: TrainingScale | None = None) -> None:
    """Writes a `.keras` file, only if the network gives the same images when loaded again.

    Args:
      network: one input (N, H, W, C), one output.
      target: the file to be; one that is there is replaced.
      scale: of its training, where that is known.

    Raises:
      UserError: it cannot be run, or the loaded network gives others.
    """
    with atomic_file(target) as partial:
        run_generators.save_generator(network, partial, scale)
        loaded = keras.saving.load_model(partial, compile=False)
        try:
            difference = _max_difference(network, loaded)
        except Exception as error:  # whatever a layer raises
            raise UserError(
                f"{target} was not written: its network cannot be run on an image "
                f"({' '.join(str(error).split())[:200]}); the source is damaged.",
                code="unreadable",
                field=str(target),
            ) from error
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
    scale: TrainingScale | None = None,
) -> None:
    """Writes what training resumes from and what translating needs: step 0, and two `.keras` files.

    Args:
      run: begun already.
      generators: by the names in `state.GENERATORS`.
      variables: all of the training, by the names that `state.variables` gives.
      scale: of the training, where that is known.

    Raises:
      UserError: the folder cannot be written.
    """
    scalars = {"step": 0, "seconds": 0.0, "guards": None, "best": None}
    checkpoints.write(run.checkpoints, 0, state.snapshot(variables), scalars, keep=None)
    for attribute in state.GENERATORS:
        network = builders.as_float32(generators[attribute])
        run_generators.save_generator(network, run.path / f"{attribute}.keras", scale)
