"""BiGAN/ALI between two domains of images, as the CycleGAN paper's comparison used it.

BiGAN (Donahue et al. 2017) and ALI (Dumoulin et al. 2017) learn a generator and its inverse, the
encoder, by one discriminator that sees pairs: of a code and its image, or of an image and its
code. Zhu et al. 2017 (sec. 5.1) put an image x of the other domain in the place of the code, with
their own architecture: D tells (x, G(x)) from (F(y), y), and G and F work against it. At its
optimum F is the inverse of G, although nothing asks for F(G(x)) = x.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from cyclegan_tf.model import losses
from cyclegan_tf.model.image_pool import ImagePool
from cyclegan_tf.model.optimizers import FusedAdam
from cyclegan_tf.networks import builders

RATE = 2e-4
BATCH_SIZE = 1

Terms = dict[str, tf.Tensor]


class BiGAN:
    """Two generators, one discriminator of pairs, and their training step.

    Everything but the objective is as in our CycleGAN: networks, least squares, pool of 50, Adam,
    halved discriminator loss, a rate that falls to 0 over the second half.

    Args:
      filters: width of all networks.
      blocks: residual blocks of the generators.
      seed: decides the initial weights and what the pools return.
      dtype_policy: a Keras policy.
      pool_size_images: pairs that each pool keeps.

    Example:
      >>> model = BiGAN()
      >>> terms = model.train_step((real_x, real_y))
    """

    def __init__(
        self,
        filters: int = 32,
        blocks: int = 6,
        seed: int = 0,
        dtype_policy: Any = "float32",
        pool_size_images: int = 50,
    ) -> None:
        same: dict[str, Any] = {"filters": filters, "dtype_policy": dtype_policy}
        self.generator_xy, self.generator_yx = (
            builders.build_generator(
                "resnet_6blocks", blocks=blocks, seed=4 * seed + number, name=name, **same
            )
            for number, name in enumerate(("generator_xy", "generator_yx"))
        )
        self.discriminator = builders.build_discriminator(
            input_channels=6, seed=4 * seed + 2, name="discriminator", **same
        )
        self._pools = [ImagePool(pool_size_images, seed=2 * seed + number) for number in range(2)]
        self._adams = [
            FusedAdam(learning_rate=RATE, beta_1=0.5, beta_2=0.999, epsilon=1e-8) for _ in range(2)
        ]
        for adam, variables in zip(self._adams, self._variables, strict=True):
            adam.build(variables)

    @property
    def _variables(self) -> tuple[list[keras.Variable], list[keras.Variable]]:
        generators = self.generator_xy.trainable_variables + self.generator_yx.trainable_variables
        return generators, self.discriminator.trainable_variables

    def train_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> Terms:
        """Update both generators, then the discriminator.

        Args:
          batch: (real_x, real_y), float32 (N, H, W, 3) in [-1, 1], unpaired.

        Returns:
          "generator" and "discriminator", float32 scalars without the factor 0.5.
        """
        real_x, real_y = batch
        generators, discriminator = self._variables
        with tf.GradientTape() as tape:
            generated = tf.concat([real_x, self.generator_xy(real_x, training=True)], axis=-1)
            encoded = tf.concat([self.generator_yx(real_y, training=True), real_y], axis=-1)
            fooling = generator_loss(self._logits(generated), self._logits(encoded))
        self._adams[0].apply(tape.gradient(fooling, generators))
        earlier = self._pools[0](generated), self._pools[1](encoded)
        with tf.GradientTape() as tape:
            logits = self._logits(earlier[0]), self._logits(earlier[1])
            telling = losses.discriminator_adversarial("lsgan", logits[1], logits[0])
            halved = 0.5 * telling
        self._adams[1].apply(tape.gradient(halved, discriminator))
        return {"generator": fooling, "discriminator": telling}

    def _logits(self, pairs: tf.Tensor) -> tf.Tensor:
        return self.discriminator(pairs, training=True)

    def schedule(self, fraction: float) -> None:
        """Set the rate for a fraction of the training: constant, then linear to 0."""
        for adam in self._adams:
            adam.learning_rate = RATE * min(1.0, 2.0 * (1.0 - fraction))

    def save(self, folder: Path) -> None:
        """Write generator_xy.keras and generator_yx.keras."""
        for generator in (self.generator_xy, self.generator_yx):
            generator.save(folder / f"{generator.name}.keras")


def generator_loss(generated: tf.Tensor, encoded: tf.Tensor) -> tf.Tensor:
    """Compute what G and F minimize: each wants its pairs taken for the other's.

    Least squares, with the target 1 of (F(y), y) and 0 of (x, G(x)): (D(x, G(x)) - 1)^2 +
    D(F(y), y)^2.

    Args:
      generated: logits of (x, G(x)), float (N, H', W', 1).
      encoded: logits of (F(y), y), alike.

    Returns:
      float32 scalar.
    """
    wanted = losses.generator_adversarial("lsgan", generated)
    return wanted + tf.reduce_mean(tf.square(tf.cast(encoded, tf.float32)))
