"""What stops a training in the middle of a step, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import numpy as np
import tensorflow as tf

from cyclegan_tf.atomic import write_text
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.errors import TrainingStoppedError, UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.run_directory import RunDirectory


def stop_not_finite(
    step: int, names: Sequence[str], batch: Sequence[tf.Tensor], run: RunDirectory | None
) -> NoReturn:
    """Stops a training that has lost a loss.

    Args:
      step: the first at which any was not finite.
      names: of the losses that were not finite then, at least one.
      batch: its images of X and of Y, float32 (N, H, W, C) in [-1, 1]; more is not looked at.
      run: where to draw the batch; None on workers that write nothing.

    Raises:
      TrainingStoppedError: always.
    """
    reason = f"At step {step} the loss {names[0]} is not finite (all such: {', '.join(names)})."
    if run is None:
        raise TrainingStoppedError(f"{reason} See the chief's output.", field=names[0])
    image = save_offending_batch(run, step, batch, reason)
    good = checkpoints.list_checkpoints(run.checkpoints)
    last = f"the last good checkpoint is {good[0]}" if good else "there is no checkpoint yet"
    raise TrainingStoppedError(
        f"{reason} The batch is drawn in {image}; {last}. Flat images, a rate too high "
        "(--optimizer.learning_rate) or float16 (--training.precision float32) are usual "
        "causes.",
        field=names[0],
    )


def save_offending_batch(
    run: RunDirectory, step: int, batch: Sequence[tf.Tensor], reason: str
) -> Path:
    """Writes the images of a step that went wrong as one PNG, X left and Y right.

    Args:
      run: where to write.
      step: the one that went wrong.
      batch: its images of X and of Y, float32 (N, H, W, C) in [-1, 1]; more is not looked at.
      reason: goes into a text file beside the image.

    Returns:
      The image.
    """
    rows = []
    for real_x, real_y in zip(*(tensor.numpy() for tensor in batch[:2]), strict=True):
        rows.append([image_io.from_signed(np.nan_to_num(image)) for image in (real_x, real_y)])
    path = run.path / f"not_finite_step_{step:09d}.png"
    image_io.save(path, image_io.make_grid(rows, column_titles=["x", "y"]))
    write_text(path.with_suffix(".txt"), reason + "\n")
    return path


def out_of_memory(step: int, experiment: Experiment) -> UserError:
    """The error of a step that needs more memory than the device has."""
    data, option = experiment.data, "--training.gradient_checkpointing"
    first = "" if experiment.training.gradient_checkpointing else f"add {option} true, or "
    return UserError(
        f"Step {step} needs more memory than this device has (batches of {data.batch_size} at "
        f"{data.crop_size_px} px): {first}use a smaller --data.batch_size or --data.crop_size_px.",
        code="memory",
        field="--data.batch_size",
    )
