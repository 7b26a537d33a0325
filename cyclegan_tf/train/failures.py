"""What stops a training in the middle of a step, and what to do about it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from cyclegan_tf.atomic import write_text
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.errors import TrainingStoppedError, UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.run_directory import RunDirectory


def check_finite(
    step: int,
    values: Mapping[str, float],
    batch: Sequence[tf.Tensor],
    run: RunDirectory | None,
) -> None:
    """Stops a training whose losses are not finite.

    Args:
      step: the one that gave the values.
      values: losses by name; norms of gradients may overflow under float16, whose loss scale takes
        care of that.
      batch: its images of X and of Y, float32 (N, H, W, C) in [-1, 1]; more is not looked at.
      run: where to draw the batch; None on workers that write nothing.

    Raises:
      TrainingStoppedError: a loss is not finite.
    """
    bad = [
        name
        for name, value in values.items()
        if not math.isfinite(value) and not name.startswith("gradient_norm")
    ]
    if not bad:
        return
    reason = f"At step {step} the loss {bad[0]} is not finite (all such: {', '.join(bad)})."
    if run is None:
        raise TrainingStoppedError(f"{reason} See the chief's output.", field=bad[0])
    image = save_offending_batch(run, step, batch, reason)
    good = checkpoints.list_checkpoints(run.checkpoints)
    last = f"the last good checkpoint is {good[0]}" if good else "there is no checkpoint yet"
    raise TrainingStoppedError(
        f"{reason} The batch is drawn in {image}; {last}. Flat images, a rate too high "
        "(--optimizer.learning_rate) or float16 (--training.precision float32) are usual "
        "causes.",
        field=bad[0],
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
