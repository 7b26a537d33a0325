"""What Keras hands to a step: two batches of images, or a sentence."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf


def unpaired_images(data: Any) -> tuple[tf.Tensor, tf.Tensor]:
    """Takes the images of both domains out of what `fit` or `train_on_batch` hands over.

    Args:
      data: (real_x, real_y) or (real_x, real_y, None), each float (N, H, W, C) in [-1, 1].

    Returns:
      real_x and real_y as they are.

    Raises:
      ValueError: one domain only, weights of samples, or images of whole numbers.
    """
    real_x, real_y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
    if real_y is None or isinstance(real_x, tuple | list | dict):
        raise ValueError(
            "CycleGAN takes batches (real_x, real_y), but got one part only: give fit(X, Y), or a "
            "tf.data.Dataset of such pairs."
        )
    if sample_weight is not None:
        raise ValueError(
            "CycleGAN takes neither sample_weight nor class_weight: its losses compare no image "
            "with a target. Show images more often in the data set instead."
        )
    return _images(real_x, "real_x"), _images(real_y, "real_y")


def _images(images: Any, name: str) -> tf.Tensor:
    images = tf.convert_to_tensor(images)
    if not images.dtype.is_floating:
        raise ValueError(
            f"CycleGAN takes float images in [-1, 1], but {name} is {images.dtype.name}: cast and "
            "scale it first."
        )
    return images
