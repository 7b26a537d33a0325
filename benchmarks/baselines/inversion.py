"""Translation by search: the code whose image is the input, drawn by the other generator.

Liu and Tuzel 2016 minimize the Euclidean distance of g_X(z) and x over z, and show g_Y(z). They
take L-BFGS; here it is Adam from several random codes, of which the best goes on.
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

RESTARTS = 4
EXPLORING_STEPS, REFINING_STEPS = 40, 120
RATE = 0.05
_IMAGES_AT_ONCE = 16


class Inversion:
    """One direction of a coupled pair of generators.

    Args:
      source: codes float32 (N, Z) in [-1, 1] -> float32 (N, H, W, C), of the input's domain.
      target: alike, of the other one.
      restarts: random codes that the search of each image starts from.
      exploring_steps: of each of them.
      refining_steps: that the best one goes on for.
      seed: of the random codes, the same for every image.

    Example:
      >>> outputs = Inversion(generator_x, generator_y)(images)
    """

    def __init__(
        self,
        source: keras.Model,
        target: keras.Model,
        restarts: int = RESTARTS,
        exploring_steps: int = EXPLORING_STEPS,
        refining_steps: int = REFINING_STEPS,
        seed: int = 0,
    ) -> None:
        self.source, self.target = source, target
        self._restarts, self._seed = restarts, seed
        self._exploring, self._refining = exploring_steps, refining_steps
        self._descend = tf.function(self._step, autograph=False, reduce_retracing=True)

    def __call__(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Translate float32 (H, W, C) in [-1, 1] each."""
        outputs: list[np.ndarray] = []
        for start in range(0, len(images), _IMAGES_AT_ONCE):
            codes, _ = self.find(np.stack(images[start : start + _IMAGES_AT_ONCE]))
            outputs += list(np.asarray(self.target(codes, training=False)))
        return outputs

    def find(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Search the codes of images.

        Args:
          images: float32 (N, H, W, C) in [-1, 1].

        Returns:
          Codes, float32 (N, Z) in [-1, 1], and the mean squared error of what each draws, (N,).
        """
        count, size = len(images), self.source.input_shape[-1]
        # [0] is of the first restart for all images
        shape = (self._restarts, 1, size)
        codes = tf.random.stateless_uniform(shape, (self._seed, 1), -1.0, 1.0)
        codes = tf.reshape(tf.tile(codes, (1, count, 1)), (-1, size))
        tiled = tf.tile(tf.constant(images, tf.float32), (self._restarts, 1, 1, 1))
        codes, errors = self._search(codes, tiled, self._exploring)
        best = np.argmin(errors.reshape(self._restarts, count), axis=0)
        kept = codes.reshape(self._restarts, count, size)[best, np.arange(count)]
        return self._search(tf.constant(kept), tf.constant(images, tf.float32), self._refining)

    def _search(
        self, codes: tf.Tensor, images: tf.Tensor, steps: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Descend so many steps, the rate falling to 0, and return codes and their errors."""
        state = (codes, tf.zeros_like(codes), tf.zeros_like(codes))
        for step in range(steps):
            rate = RATE * (1.0 - step / steps)
            number = tf.constant(step + 1, tf.float32)
            state = self._descend(images, tf.constant(rate, tf.float32), number, *state)
        errors = tf.reduce_mean(
            tf.square(self.source(state[0], training=False) - images), (1, 2, 3)
        )
        return state[0].numpy(), errors.numpy()

    def _step(
        self,
        images: tf.Tensor,
        rate: tf.Tensor,
        number: tf.Tensor,
        codes: tf.Tensor,
        first: tf.Tensor,
        second: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """One step of Adam (Kingma and Ba 2015, algorithm 1) within the codes' range."""
        with tf.GradientTape() as tape:
            tape.watch(codes)
            drawn = self.source(codes, training=False)
            # summed over images, so that each has its own gradient
            error = tf.reduce_sum(tf.reduce_mean(tf.square(drawn - images), (1, 2, 3)))
        gradient = tape.gradient(error, codes)
        first = 0.9 * first + 0.1 * gradient
        second = 0.999 * second + 0.001 * tf.square(gradient)
        change = (first / (1.0 - 0.9**number)) / (tf.sqrt(second / (1.0 - 0.999**number)) + 1e-8)
        return tf.clip_by_value(codes - rate * change, -1.0, 1.0), first, second
