"""CoGAN: two GANs that draw a pair of images from one code (Liu and Tuzel 2016).

The generators share their first layers, which decide what is shown, and the discriminators their
last ones, which read it again; only the layers next to the pixels are each domain's own (sec. 3).
No pair is ever seen. An image of X is translated by searching the code that draws it, and drawing
that code in Y (sec. 4): see `inversion`.

After the paper: the log loss, codes uniform in [-1, 1], batch normalization, PReLU, Adam at 2e-4.
Smaller than the paper: 4x4 kernels, and filters and a batch that suit minutes on a processor (with
batches of 32 the images after 3 minutes are blurs).
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from benchmarks.baselines import inversion
from cyclegan_tf.model import losses
from cyclegan_tf.model.optimizers import FusedAdam

CODE_SIZE = 100
START_PX = 4
OWN_LAYERS = 2  # of each generator, next to the pixels; of a discriminator one less
BATCH_SIZE = 8
DOMAINS = ("x", "y")

Terms = dict[str, tf.Tensor]


class CoGAN:
    """The coupled generators and discriminators, and their training step.

    Args:
      size_px: side of the images, a power of two from 32 on.
      filters: channels at half that side.
      seed: decides the initial weights and the codes.
      dtype_policy: a Keras policy.

    Attributes:
      generators: domain -> codes (N, `CODE_SIZE`) to float32 (N, S, S, 3) in [-1, 1].
      discriminators: domain -> float (N, S, S, 3) in [-1, 1] to float32 logits (N, 1).

    Example:
      >>> model = CoGAN()
      >>> terms = model.train_step((real_x, real_y))
    """

    def __init__(
        self, size_px: int = 64, filters: int = 32, seed: int = 0, dtype_policy: Any = "float32"
    ) -> None:
        self.seed = seed
        layers = _Layers(seed, dtype_policy)
        self.generators = _generators(layers, size_px, filters)
        self.discriminators = _discriminators(layers, size_px, filters)
        self._generator_optimizer, self._discriminator_optimizer = _adam(), _adam()
        self._generator_optimizer.build(self.generator_variables)
        self._discriminator_optimizer.build(self.discriminator_variables)

    @property
    def generator_variables(self) -> list[keras.Variable]:
        """Trained by the generators' loss; those that are shared stand here once."""
        return _united(self.generators)

    @property
    def discriminator_variables(self) -> list[keras.Variable]:
        """Trained by the discriminators' loss, likewise."""
        return _united(self.discriminators)

    def codes(self, count: int) -> tf.Tensor:
        """Draw the codes of the next step: float32 (count, `CODE_SIZE`) in [-1, 1]."""
        step = tf.cast(self._generator_optimizer.iterations, tf.int32)
        shape = (count, CODE_SIZE)
        return tf.random.stateless_uniform(shape, tf.stack([self.seed, step]), -1.0, 1.0)

    def train_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> Terms:
        """Update all networks, by one pass of the same codes through both generators.

        Args:
          batch: (real_x, real_y), float32 (N, S, S, 3) in [-1, 1], unpaired.

        Returns:
          "generator" and "discriminator", float32 scalars, summed over the domains.
        """
        codes = self.codes(batch[0].shape[0])
        with tf.GradientTape() as of_generators, tf.GradientTape() as of_discriminators:
            logits = {}
            for domain, real in zip(DOMAINS, batch, strict=True):
                fake = self.generators[domain](codes, training=True)
                discriminator = self.discriminators[domain]
                # apart, as normalization over a batch of both would show which is which
                logits[domain] = tuple(discriminator(i, training=True) for i in (real, fake))
            terms = coupled_losses(logits)
        gradients = of_generators.gradient(terms["generator"], self.generator_variables)
        self._generator_optimizer.apply(gradients)
        gradients = of_discriminators.gradient(terms["discriminator"], self.discriminator_variables)
        self._discriminator_optimizer.apply(gradients)
        return terms

    def schedule(self, fraction: float) -> None:
        """Keep the rate, whatever `fraction` of the training is over: the paper's is constant."""

    def save(self, folder: Path) -> None:
        """Write generator_x.keras and generator_y.keras."""
        for domain, generator in self.generators.items():
            generator.save(folder / f"generator_{domain}.keras")


def coupled_losses(logits: dict[str, tuple[tf.Tensor, ...]]) -> Terms:
    """Sum both GANs' log losses (Liu and Tuzel 2016, the value function of sec. 3).

    The generators' is the non-saturating form of Goodfellow et al. 2014.

    Args:
      logits: domain -> (of real images, of generated ones), float (N, 1).

    Returns:
      "generator" and "discriminator", float32 scalars.
    """
    both = list(logits.values())
    of_generators = [losses.generator_adversarial("vanilla", fake) for _, fake in both]
    of_discriminators = [
        losses.discriminator_adversarial("vanilla", real, fake) for real, fake in both
    ]
    return {"generator": tf.add_n(of_generators), "discriminator": tf.add_n(of_discriminators)}


def load_translators(folder: Path, seed: int = 0) -> dict[str, inversion.Inversion]:
    """Open saved generators as translations of lists of images, by direction "xy" and "yx"."""
    found = {d: keras.saving.load_model(folder / f"generator_{d}.keras") for d in DOMAINS}
    return {
        first + second: inversion.Inversion(found[first], found[second], seed=seed)
        for first, second in (DOMAINS, DOMAINS[::-1])
    }


class _Layers:
    """Makes layers of one policy, each with an initializer of its own."""

    def __init__(self, seed: int, dtype_policy: Any) -> None:
        self._seeds, self.dtype = itertools.count(1000 * seed), dtype_policy

    def normal(self) -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(0.0, 0.02, seed=next(self._seeds))

    def dense(self, units: int) -> keras.layers.Layer:
        return keras.layers.Dense(units, kernel_initializer=self.normal(), dtype=self.dtype)

    def conv(self, filters: int, up: bool = False, **more: Any) -> keras.layers.Layer:
        kind = keras.layers.Conv2DTranspose if up else keras.layers.Conv2D
        start = self.normal()
        more = {"dtype": self.dtype, **more}
        return kind(filters, 4, 2, "same", kernel_initializer=start, **more)

    def activation(self) -> list[keras.layers.Layer]:
        """Normalization over the batch, then PReLU with one slope per channel."""
        slope = keras.layers.PReLU(
            alpha_initializer=keras.initializers.Constant(0.25),
            shared_axes=(1, 2),
            dtype=self.dtype,
        )
        # a training has some hundred steps, which the usual 0.99 would lag behind
        return [keras.layers.BatchNormalization(momentum=0.9, dtype=self.dtype), slope]


def _generators(layers: _Layers, size_px: int, filters: int) -> dict[str, keras.Model]:
    widths = [filters]
    while START_PX * 2 ** (len(widths) + 1) < size_px:
        widths.insert(0, 2 * widths[0])
    codes = keras.Input((CODE_SIZE,), name="codes")
    first = 2 * widths[0]
    shared = [layers.dense(START_PX**2 * first), keras.layers.Reshape((START_PX, START_PX, first))]
    shared += layers.activation()
    for width in widths[: 1 - OWN_LAYERS]:
        shared += [layers.conv(width, up=True), *layers.activation()]
    found = {}
    for domain in DOMAINS:
        own: list[keras.layers.Layer] = []
        for width in widths[1 - OWN_LAYERS :]:
            own += [layers.conv(width, up=True), *layers.activation()]
        own.append(layers.conv(3, up=True, activation="tanh", dtype="float32"))
        drawn = _through([*shared, *own], codes)
        found[domain] = keras.Model(codes, drawn, name=f"generator_{domain}")
    return found


def _discriminators(layers: _Layers, size_px: int, filters: int) -> dict[str, keras.Model]:
    shared: list[keras.layers.Layer] = []
    width, side = filters, size_px // 2
    while side > START_PX:
        width, side = 2 * width, side // 2
        shared += [layers.conv(width), *layers.activation()]
    flat = keras.layers.Flatten(dtype="float32")
    shared += [flat, keras.layers.Dense(1, kernel_initializer=layers.normal(), dtype="float32")]
    found = {}
    for domain in DOMAINS:
        images = keras.Input((size_px, size_px, 3), name="images")
        slope = layers.activation()[1]  # no normalization next to the pixels, as in DCGAN
        logits = _through([layers.conv(filters), slope, *shared], images)
        found[domain] = keras.Model(images, logits, name=f"discriminator_{domain}")
    return found


def _through(layers: list[keras.layers.Layer], x: Any) -> Any:
    for layer in layers:
        x = layer(x)
    return x


def _united(networks: dict[str, keras.Model]) -> list[keras.Variable]:
    every = [v for network in networks.values() for v in network.trainable_variables]
    return list({id(variable): variable for variable in every}.values())


def _adam() -> FusedAdam:
    return FusedAdam(learning_rate=2e-4, beta_1=0.5, beta_2=0.999, epsilon=1e-8)
