"""Images of any size through a network that gives one vector of each."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

_TOP = np.iinfo(np.uint8).max


class Extractor:
    """Gives one vector of features of each image.

    Args:
      network: float32 (N, side, side, 3) in [-1, 1] -> (N, D).
      side_px: of the square that images are resized to.
      method: of `tf.image.resize`.
      antialias: filter before reducing, as Pillow does.

    Example:
      >>> extractor = Extractor(network, 224, "bicubic", antialias=True)
      >>> extractor.features([image]).shape
      (1, 1280)
    """

    def __init__(
        self, network: keras.Model, side_px: int, method: str = "bilinear", antialias: bool = False
    ) -> None:
        self._side_px, self._method, self._antialias = side_px, method, antialias
        self._count = int(network.output_shape[-1])
        self._network = tf.function(
            lambda batch: network(batch, training=False),
            input_signature=[tf.TensorSpec((None, side_px, side_px, 3), tf.float32)],
        )

    def features(self, images: Sequence[np.ndarray], batch: int = 16) -> np.ndarray:
        """Compute the features of images, rounded to 8 bits as files of them are.

        Args:
          images: each (H, W, 1) or (H, W, 3), uint8 or float in [-1, 1] (what lies outside is
            clipped); sizes may differ. One channel is taken three times.
          batch: images at a time.

        Returns:
          float32 (N, D).

        Raises:
          ValueError: another shape or type.
        """
        parts = [np.zeros((0, self._count), np.float32)]
        for start in range(0, len(images), batch):
            prepared = tf.stack([self._prepared(image) for image in images[start : start + batch]])
            parts.append(self._network(prepared).numpy())
        return np.concatenate(parts)

    def _prepared(self, image: np.ndarray) -> tf.Tensor:
        side = (self._side_px, self._side_px)
        return tf.image.resize(rounded(image), side, self._method, antialias=self._antialias)


def rounded(image: np.ndarray) -> np.ndarray:
    """Round an image to 8 bits and give it three channels.

    Args:
      image: (H, W, 1) or (H, W, 3), uint8 or float in [-1, 1] (what lies outside is clipped).

    Returns:
      float32 (H, W, 3) in [-1, 1].

    Raises:
      ValueError: another shape or type.
    """
    if image.ndim != 3 or image.shape[-1] not in (1, 3):
        raise ValueError(f"feature networks take images (H, W, 1) or (H, W, 3), got {image.shape}.")
    if np.issubdtype(image.dtype, np.floating):
        pixels = np.rint((np.clip(image.astype(np.float32), -1, 1) + 1) * (_TOP / 2))
    elif image.dtype == np.uint8:
        pixels = image.astype(np.float32)
    else:
        raise ValueError(f"feature networks take uint8 or float in [-1, 1], got {image.dtype}.")
    signed = pixels * (2 / _TOP) - 1
    return np.broadcast_to(signed, (*image.shape[:2], 3)).astype(np.float32)
