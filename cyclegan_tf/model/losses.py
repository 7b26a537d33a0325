"""GAN criteria and L1 as pure functions: logits and images in, unweighted float32 scalars out.

Half-precision inputs are cast to float32 before anything is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import tensorflow as tf

GanMode = Literal["lsgan", "vanilla", "wgangp"]


def generator_adversarial(gan_mode: GanMode, fake_logits: tf.Tensor) -> tf.Tensor:
    """Computes the adversarial loss of the generator, averaged over patches.

    "lsgan": (D - 1)^2 (Mao et al. 2017, eq. 2). "vanilla": -log sigmoid(D), the non-saturating form
    of Goodfellow et al. 2014, sec. 3. "wgangp": -D (Gulrajani et al. 2017, sec. 2.2).

    Args:
      gan_mode: the criterion.
      fake_logits: float (N, H', W', 1), the discriminator's logits on fakes.

    Returns:
      float32 scalar.

    Raises:
      ValueError: unknown mode.
    """
    fake = tf.cast(fake_logits, tf.float32)
    if gan_mode == "lsgan":
        return tf.reduce_mean(tf.math.squared_difference(fake, 1.0))
    if gan_mode == "vanilla":
        return tf.reduce_mean(tf.nn.softplus(-fake))
    if gan_mode == "wgangp":
        return -tf.reduce_mean(fake)
    raise _unknown(gan_mode)


def discriminator_adversarial(
    gan_mode: GanMode, real_logits: tf.Tensor, fake_logits: tf.Tensor
) -> tf.Tensor:
    """Computes the loss of the discriminator: mean over real patches + mean over fake patches.

    NOT halved; CycleGAN's factor 0.5 (Zhu et al. 2017, sec. 4) is a weight, and weights are the
    caller's. "lsgan": (D(y) - 1)^2 + D(f)^2 (Mao et al. 2017, eq. 2, doubled). "vanilla": -log
    sigmoid(D(y)) - log(1 - sigmoid(D(f))) (Zhu et al. 2017, eq. 1). "wgangp": D(f) - D(y), without
    the penalty (Gulrajani et al. 2017, eq. 3).

    Args:
      gan_mode: the criterion.
      real_logits: float (N, H', W', 1), logits on real images.
      fake_logits: float (M, H', W', 1), logits on fakes.

    Returns:
      float32 scalar.

    Raises:
      ValueError: unknown mode.
    """
    real, fake = tf.cast(real_logits, tf.float32), tf.cast(fake_logits, tf.float32)
    if gan_mode == "lsgan":
        return tf.reduce_mean(tf.math.squared_difference(real, 1.0)) + tf.reduce_mean(
            tf.square(fake)
        )
    if gan_mode == "vanilla":
        return tf.reduce_mean(tf.nn.softplus(-real)) + tf.reduce_mean(tf.nn.softplus(fake))
    if gan_mode == "wgangp":
        return tf.reduce_mean(fake) - tf.reduce_mean(real)
    raise _unknown(gan_mode)


def discriminator_accuracy(
    gan_mode: GanMode, real_logits: tf.Tensor, fake_logits: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes the shares of real patches above the threshold and of fake ones not above it.

    Thresholds: "lsgan" 0.5, midway between the targets 0 and 1; "vanilla" 0, where sigmoid is 1/2.
    A Wasserstein critic has no zero of its own (only differences count), so "wgangp" takes the
    midpoint of the mean logits of real and of fake patches.

    Args:
      gan_mode: the criterion the discriminator is trained with.
      real_logits: float (N, H', W', 1), logits on real images.
      fake_logits: float (M, H', W', 1), logits on fakes.

    Returns:
      (real, fake): two float32 scalars in [0, 1].

    Raises:
      ValueError: unknown mode.
    """
    real, fake = tf.cast(real_logits, tf.float32), tf.cast(fake_logits, tf.float32)
    if gan_mode not in get_args(GanMode):
        raise _unknown(gan_mode)
    threshold = {"lsgan": 0.5, "vanilla": 0.0}.get(gan_mode)
    if threshold is None:
        threshold = (tf.reduce_mean(real) + tf.reduce_mean(fake)) / 2.0
    right_real = tf.reduce_mean(tf.cast(real > threshold, tf.float32))
    right_fake = tf.reduce_mean(tf.cast(fake <= threshold, tf.float32))
    return right_real, right_fake


def gradient_penalty(
    discriminator: Callable[..., tf.Tensor], real: tf.Tensor, fake: tf.Tensor, mix: tf.Tensor
) -> tf.Tensor:
    """Computes the mean of (|gradient of D|_2 - 1)^2 between real and fake.

    It is eq. 3 of Gulrajani et al. 2017. D of an image is the mean of its patch map, as in the
    losses above; the norm runs over all pixels and channels. Unweighted: the paper's factor 10 is
    the caller's.

    Args:
      discriminator: called once as `discriminator(images, training=False)`; without dropout or
        moving averages the value is that of training, and the plain operations of
        `InstanceNormalization` differentiate twice in about half the time of the fused kernel.
      real: float (N, H, W, C) in [-1, 1].
      fake: float (N, H, W, C) in [-1, 1].
      mix: float (N, 1, 1, 1) in [0, 1], the share of the real image (epsilon in the paper), drawn
        uniformly.

    Returns:
      float32 scalar.
    """
    real, fake, mix = (tf.cast(tensor, tf.float32) for tensor in (real, fake, mix))
    between = mix * real + (1.0 - mix) * fake
    with tf.GradientTape() as tape:
        tape.watch(between)
        logits = tf.cast(discriminator(between, training=False), tf.float32)
        # a sum over images keeps each image's gradient its own
        total = tf.reduce_sum(tf.reduce_mean(logits, axis=(1, 2, 3)))
    squares = tf.reduce_sum(tf.square(tape.gradient(total, between)), axis=(1, 2, 3))
    # sqrt has no slope at 0; the shift is below float32's resolution of a norm near 1
    norms = tf.sqrt(squares + 1e-12)
    return tf.reduce_mean(tf.square(norms - 1.0))


def l1(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Computes the mean absolute difference, the norm of Zhu et al. 2017, eq. 2, per value.

    Args:
      a: float (N, H, W, C).
      b: float of the same shape.

    Returns:
      float32 scalar.
    """
    return tf.reduce_mean(tf.abs(tf.cast(a, tf.float32) - tf.cast(b, tf.float32)))


def _unknown(gan_mode: str) -> ValueError:
    return ValueError(f"Unknown gan_mode {gan_mode!r}; known are {', '.join(get_args(GanMode))}.")
