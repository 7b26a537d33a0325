"""How far a student's images are from the teacher's: what a step descends.

Ren et al. 2021, "Online Multi-Granularity Distillation for GAN Compression", sec. 3.2, add up SSIM,
activations of a fixed network, and channel statistics. Their teacher is trained beside the student;
here it is a trained one.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from cyclegan_tf.metrics.image_quality import SIGNED_RANGE

_SMALLEST = 1e-6
_WINDOW_PX = 11


def ssim_distance(images: tf.Tensor, truths: tf.Tensor) -> tf.Tensor:
    """Compute 1 - SSIM, with the window of `metrics.image_quality.ssim`.

    Args:
      images: float (N, H, W, C) in [-1, 1], both sides at least 11.
      truths: of the same shape.

    Returns:
      float32 scalar, 0 for equal images.
    """
    return 1.0 - tf.reduce_mean(
        tf.image.ssim(images, truths, SIGNED_RANGE, filter_size=_WINDOW_PX, filter_sigma=1.5)
    )


def feature_distance(found: Sequence[tf.Tensor], wanted: Sequence[tf.Tensor]) -> tf.Tensor:
    """Compute the mean absolute difference of activations, each layer by its mean in the teacher.

    Args:
      found: float (N, h, w, c) by layer, of the student's images.
      wanted: of the same shapes, of the teacher's.

    Returns:
      float32 scalar, the mean over layers; 0 without layers.
    """
    return _mean(
        [
            tf.reduce_mean(tf.abs(one - other)) / _scale(other)
            for one, other in zip(found, wanted, strict=True)
        ]
    )


def channel_statistics(found: Sequence[tf.Tensor], wanted: Sequence[tf.Tensor]) -> tf.Tensor:
    """Compute how far means and deviations of each channel of each image are apart.

    Args:
      found: as for `feature_distance`; the images themselves may be among them.
      wanted: of the same shapes.

    Returns:
      float32 scalar, the mean over layers of the mean absolute difference of both, by the layer's
      mean in the teacher; 0 without layers.
    """
    distances = []
    for one, other in zip(found, wanted, strict=True):
        means = [tf.reduce_mean(x, axis=(1, 2)) for x in (one, other)]
        deviations = [_deviation(x) for x in (one, other)]
        apart = tf.abs(means[0] - means[1]) + tf.abs(deviations[0] - deviations[1])
        distances.append(tf.reduce_mean(apart) / _scale(other))
    return _mean(distances)


def _deviation(x: tf.Tensor) -> tf.Tensor:
    # a square root has no slope at 0
    return tf.sqrt(tf.math.reduce_variance(x, axis=(1, 2)) + _SMALLEST)


def _scale(wanted: tf.Tensor) -> tf.Tensor:
    return tf.reduce_mean(tf.abs(wanted)) + _SMALLEST


def _mean(values: Sequence[tf.Tensor]) -> tf.Tensor:
    return tf.add_n(list(values)) / len(values) if values else tf.constant(0.0)
