"""A few training steps on each device: do they give the processor's numbers, and how fast."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from cyclegan_tf import assembly
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.devices import hardware

COMPARED_STEPS = 6
SIZE_PX = 64
_NETWORKS = {
    "data": {"crop_size_px": SIZE_PX},
    "generator": {"architecture": "resnet_6blocks", "blocks": 2, "filters": 16},
    "discriminator": {"filters": 16},
    "training": {"pool_size_images": 2},
}
_LEAST, _NO_LOSS = 1e-2, ("gradient_norm", "accuracy")


@dataclass(frozen=True)
class Way:
    """A device and its arithmetic.

    Attributes:
      device: of TensorFlow, "CPU" or "GPU".
      policy: Keras's, of the networks.
      jit: whether the step is compiled by XLA.

    Example:
      >>> Way("CPU", "float32", jit=False).device
      'CPU'
    """

    device: str
    policy: str
    jit: bool


def ways() -> list[Way]:
    """The processor in float32, by which others are held; and what a training would take here."""
    arithmetic = hardware.choose_arithmetic("auto", "auto")
    device = "GPU" if hardware.has_gpu() else "CPU"
    first = Way("CPU", "float32", jit=False)
    others = [Way(device, "float32", arithmetic.jit)]
    others.append(Way(device, arithmetic.dtype_policy, arithmetic.jit))
    return list(dict.fromkeys([first, *others]))


def run(seconds: float, say: Callable[[dict[str, Any]], None]) -> list[dict[str, Any]]:
    """Tries each way.

    Args:
      seconds: for all of them, of which the making of the first step counts.
      say: is handed each row as it is known.

    Returns:
      A row for each way: device, precision, jit, `first_s`, `step_s` (median), and `apart`, the
      largest relative difference of a loss from the first way's; or `error`.
    """
    end, rows, expected = time.monotonic() + seconds, [], None
    wanted = ways()
    for number, way in enumerate(wanted):
        row: dict[str, Any] = {"device": way.device, "precision": way.policy, "jit": way.jit}
        try:
            share = (end - time.monotonic()) / (len(wanted) - number)
            losses, row["first_s"], row["step_s"] = _try(way, share)
            expected = losses if expected is None else expected
            row["apart"] = _apart(expected, losses) if way != wanted[0] else None
        except (tf.errors.OpError, RuntimeError, ValueError) as error:
            row["error"] = " ".join(str(error).split())[:300]
        rows.append(row)
        say(row)
    return rows


def _try(way: Way, seconds: float) -> tuple[list[dict[str, float]], float, float]:
    """Makes steps for so long; returns the losses of the compared ones, and two times."""
    begin = time.monotonic()
    with tf.device(f"{way.device}:0"):
        model = assembly.build_model(Experiment.from_dict(_NETWORKS), way.policy, way.jit)
        step = tf.function(model.train_step, autograph=False, jit_compile=way.jit)
        batches, losses = _batches(), list[dict[str, float]]()
        times = list[float]()
        while len(losses) < COMPARED_STEPS or time.monotonic() - begin < seconds:
            start = time.monotonic()
            values = {name: float(value) for name, value in step(next(batches)).items()}
            times.append(time.monotonic() - start)
            losses.append(values)
    return losses[:COMPARED_STEPS], times[0], float(np.median(times[1:]))


def _batches() -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
    """Smooth random images, float32 (1, H, W, 3) in [-1, 1], the same every time."""
    rng = np.random.default_rng(0)

    def images() -> tf.Tensor:
        small = rng.normal(size=(1, 6, 6, 3)).astype(np.float32)
        return tf.tanh(tf.image.resize(small, (SIZE_PX, SIZE_PX), "bicubic"))

    known = [(images(), images()) for _ in range(COMPARED_STEPS)]
    while True:
        yield from known


def _apart(expected: list[dict[str, float]], found: list[dict[str, float]]) -> float:
    """The largest difference of a loss, relative to its size."""
    return max(
        abs(row[name] - value) / max(abs(value), _LEAST)
        for wanted, row in zip(expected, found, strict=True)
        for name, value in wanted.items()
        if not name.startswith(_NO_LOSS)
    )
