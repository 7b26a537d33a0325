"""CycleGAN in plain Keras, as tutorials write it.

Six generator calls, one persistent tape, four optimizers. Architecture and paddings are those of
the official PyTorch code (junyanz/pytorch-CycleGAN-and-pix2pix), so that losses can be compared
with the other contenders'.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
import tensorflow as tf

from benchmarks.speed import inputs
from benchmarks.speed.jobs import Job

CYCLE_WEIGHT, IDENTITY_WEIGHT = 10.0, 5.0


class ReflectionPadding(keras.layers.Layer):
    """Mirrors an image's borders.

    Args:
      pixels: on every side.
    """

    def __init__(self, pixels: int) -> None:
        super().__init__()
        self.pixels = pixels

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """(N, H, W, C) -> (N, H + 2 pixels, W + 2 pixels, C)."""
        around = [self.pixels, self.pixels]
        return tf.pad(inputs, [[0, 0], around, around, [0, 0]], "REFLECT")


def _initializer() -> keras.initializers.Initializer:
    return keras.initializers.RandomNormal(stddev=0.02)


def _conv(x: tf.Tensor, filters: int, kernel: int, stride: int = 1) -> tf.Tensor:
    return keras.layers.Conv2D(filters, kernel, stride, kernel_initializer=_initializer())(x)


def _norm(x: tf.Tensor) -> tf.Tensor:
    return keras.layers.GroupNormalization(groups=-1, epsilon=1e-5, center=False, scale=False)(x)


def _norm_relu(x: tf.Tensor) -> tf.Tensor:
    return keras.layers.ReLU()(_norm(x))


def generator(filters: int = 64, blocks: int = 9) -> keras.Model:
    """c7s1-64, d128, d256, blocks of R256, u128, u64, c7s1-3."""
    image = keras.Input((None, None, 3))
    x = _norm_relu(_conv(ReflectionPadding(3)(image), filters, 7))
    for width in (2 * filters, 4 * filters):
        x = _norm_relu(_conv(keras.layers.ZeroPadding2D(1)(x), width, 3, 2))
    for _ in range(blocks):
        y = _norm_relu(_conv(ReflectionPadding(1)(x), 4 * filters, 3))
        y = _norm(_conv(ReflectionPadding(1)(y), 4 * filters, 3))
        x = keras.layers.Add()([x, y])
    for width in (2 * filters, filters):
        x = keras.layers.Conv2DTranspose(width, 3, 2, kernel_initializer=_initializer())(x)
        x = _norm_relu(keras.layers.Cropping2D(((1, 0), (1, 0)))(x))
    x = _conv(ReflectionPadding(3)(x), 3, 7)
    return keras.Model(image, keras.layers.Activation("tanh", dtype="float32")(x))


def discriminator(filters: int = 64) -> keras.Model:
    """C64-C128-C256-C512-1: the PatchGAN of 70 pixels."""
    image = keras.Input((None, None, 3))
    x = keras.layers.LeakyReLU(0.2)(_conv(keras.layers.ZeroPadding2D(1)(image), filters, 4, 2))
    for width, stride in ((2 * filters, 2), (4 * filters, 2), (8 * filters, 1)):
        x = keras.layers.LeakyReLU(0.2)(
            _norm(_conv(keras.layers.ZeroPadding2D(1)(x), width, 4, stride))
        )
    x = _conv(keras.layers.ZeroPadding2D(1)(x), 1, 4)
    return keras.Model(image, keras.layers.Activation("linear", dtype="float32")(x))


class TutorialCycleGAN(keras.Model):
    """Four networks, each with an optimizer of its own; no image pool.

    Example:
      >>> model = TutorialCycleGAN(filters=64, blocks=9)
      >>> model.compile()
      >>> losses = model.train_step((real_x, real_y))
    """

    def __init__(self, filters: int, blocks: int) -> None:
        super().__init__()
        self.g, self.f = generator(filters, blocks), generator(filters, blocks)
        self.d_x, self.d_y = discriminator(filters), discriminator(filters)

    def compile(self) -> None:
        """Makes the optimizers and the criteria."""
        super().compile()
        self.optimizers = [
            keras.optimizers.Adam(2e-4, beta_1=0.5, beta_2=0.999, epsilon=1e-8) for _ in range(4)
        ]
        self.absolute, self.squared = (
            keras.losses.MeanAbsoluteError(),
            keras.losses.MeanSquaredError(),
        )

    def train_step(self, batch: tuple[tf.Tensor, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Updates all four networks; returns every unweighted term."""
        real_x, real_y = batch
        with tf.GradientTape(persistent=True) as tape:
            fake_y, fake_x = self.g(real_x, training=True), self.f(real_y, training=True)
            cycled_x, cycled_y = self.f(fake_y, training=True), self.g(fake_x, training=True)
            same_x, same_y = self.f(real_x, training=True), self.g(real_y, training=True)
            on_real_x, on_fake_x = self.d_x(real_x, training=True), self.d_x(fake_x, training=True)
            on_real_y, on_fake_y = self.d_y(real_y, training=True), self.d_y(fake_y, training=True)
            terms = {
                "cycle_x": self.absolute(real_x, cycled_x),
                "cycle_y": self.absolute(real_y, cycled_y),
                "identity_x": self.absolute(real_x, same_x),
                "identity_y": self.absolute(real_y, same_y),
                "adversarial_x": self.squared(tf.ones_like(on_fake_x), on_fake_x),
                "adversarial_y": self.squared(tf.ones_like(on_fake_y), on_fake_y),
                "discriminator_x": self._discriminator_loss(on_real_x, on_fake_x),
                "discriminator_y": self._discriminator_loss(on_real_y, on_fake_y),
            }
            cycle = CYCLE_WEIGHT * (terms["cycle_x"] + terms["cycle_y"])
            losses = [
                terms["adversarial_y"] + cycle + IDENTITY_WEIGHT * terms["identity_y"],
                terms["adversarial_x"] + cycle + IDENTITY_WEIGHT * terms["identity_x"],
                0.5 * terms["discriminator_x"],
                0.5 * terms["discriminator_y"],
            ]
        networks = (self.g, self.f, self.d_x, self.d_y)
        gradients = [
            tape.gradient(loss, network.trainable_variables)
            for loss, network in zip(losses, networks, strict=True)
        ]
        for optimizer, gradient, network in zip(self.optimizers, gradients, networks, strict=True):
            optimizer.apply_gradients(zip(gradient, network.trainable_variables, strict=True))
        return terms

    def _discriminator_loss(self, on_real: tf.Tensor, on_fake: tf.Tensor) -> tf.Tensor:
        real = self.squared(tf.ones_like(on_real), on_real)
        return real + self.squared(tf.zeros_like(on_fake), on_fake)


def build(job: Job) -> TutorialCycleGAN:
    """The compiled model in the job's precision; sets Keras's global policy, as tutorials do."""
    keras.utils.set_random_seed(job.seed)
    keras.config.set_dtype_policy("mixed_bfloat16" if job.precision == "bfloat16" else "float32")
    model = TutorialCycleGAN(job.filters, job.blocks)
    model.compile()
    for optimizer, network in zip(
        model.optimizers, (model.g, model.f, model.d_x, model.d_y), strict=True
    ):
        optimizer.build(network.trainable_variables)
    return model


def stepper(model: TutorialCycleGAN, job: Job) -> Callable[[], dict[str, float]]:
    """One compiled step on made-up images per call."""
    step = tf.function(model.train_step)
    batch = tuple(tf.constant(images) for images in inputs.batch(job.size_px, job.batch, job.seed))
    return lambda: {name: float(value) for name, value in step(batch).items()}


def training_step(job: Job) -> Callable[[], dict[str, float]]:
    """The same, built from nothing."""
    return stepper(build(job), job)
