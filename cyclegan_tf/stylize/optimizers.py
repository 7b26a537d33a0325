"""Optimizers of pixels: Adam, and L-BFGS as in the paper."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.errors import TrainingStoppedError

Loss = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]
"""Image float32 (1, H, W, 3) -> its loss, and the gradient."""
OnStep = Callable[[float], None]

# Steps of 8 bits move a pixel by 2 / 255: the first steps move it by up to 4 of them.
_LEARNING_RATE = 0.03
_LAST_RATE = 0.1
# Losses are of activations with mean 1; what is left below this is the rounding of float32.
_NOTHING_LEFT = 1e-9
_CORRECTIONS = 10


def adam(loss: Loss, start: tf.Tensor, steps: int, on_step: OnStep) -> tf.Tensor:
    """Descend by Adam; the rate falls along a cosine to a tenth. Pixels stay in [-1, 1].

    Args:
      loss: to descend.
      start: float32 (1, H, W, 3) in [-1, 1].
      steps: of the descent.
      on_step: gets the loss before each step.

    Returns:
      float32 (1, H, W, 3) in [-1, 1]; the start, where its loss is zero.

    Raises:
      TrainingStoppedError: the loss is no longer a number.
    """
    image = keras.Variable(start, dtype="float32")
    rate = keras.optimizers.schedules.CosineDecay(_LEARNING_RATE, steps, alpha=_LAST_RATE)
    optimizer = keras.optimizers.Adam(rate)
    for step in range(steps):
        value, gradient = loss(tf.convert_to_tensor(image.value))
        if _is_done(float(value), step, on_step):
            break
        optimizer.apply([gradient], [image])
        image.assign(tf.clip_by_value(image.value, -1.0, 1.0))
    return tf.identity(image.value)


def lbfgs(loss: Loss, start: tf.Tensor, steps: int, on_step: OnStep) -> tf.Tensor:
    """Descend by SciPy's L-BFGS-B, pixels bound to [-1, 1]; as `adam` otherwise.

    A step is one evaluation of the loss, so that both optimizers cost the same.
    """
    from scipy import optimize  # extra `features`

    evaluations, best = 0, (math.inf, start.numpy())

    def flat(values: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal evaluations, best
        image = values.astype(np.float32).reshape(start.shape)
        value, gradient = loss(tf.constant(image))
        if float(value) < best[0]:
            best = float(value), image
        if evaluations >= steps or _is_done(float(value), evaluations, on_step):
            raise StopIteration
        evaluations += 1
        return float(value), gradient.numpy().astype(np.float64).ravel()

    with contextlib.suppress(StopIteration):
        optimize.minimize(
            flat,
            start.numpy().astype(np.float64).ravel(),
            jac=True,
            method="L-BFGS-B",
            bounds=optimize.Bounds(-1.0, 1.0),
            options={
                "maxiter": steps,
                "maxfun": steps,
                "maxcor": _CORRECTIONS,
                "ftol": 0,
                "gtol": 0,
            },
        )
    return tf.constant(best[1])


OPTIMIZERS = {"adam": adam, "lbfgs": lbfgs}


def _is_done(value: float, step: int, on_step: OnStep) -> bool:
    """Report a loss; say whether nothing is left to do.

    Raises:
      TrainingStoppedError: it is not a number.
    """
    if not math.isfinite(value):
        raise TrainingStoppedError(
            f"the loss became {value} at step {step}; lower --content_weight or --style_weight."
        )
    on_step(value)
    return value <= _NOTHING_LEFT
