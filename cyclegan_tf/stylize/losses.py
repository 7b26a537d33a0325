"""Content and style as losses of activations (Gatys, Ecker and Bethge 2016, section 2).

The paper divides each filter by its mean activation over ImageNet, so that layers weigh alike. Here
each layer is divided by its mean activation over the style images, which takes no other images.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import tensorflow as tf

from cyclegan_tf.errors import UserError

CONTENT_LAYER = "conv4_2"
STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
"""Those of the paper; VGG16 and VGG19 have all of them."""
LAYERS = (*STYLE_LAYERS, CONTENT_LAYER)

_ONE_IMAGE = tf.TensorSpec((1, None, None, 3), tf.float32)


def gram_matrix(activations: tf.Tensor) -> tf.Tensor:
    """Mean over positions of the products of every two filters (eq. 3, divided by positions).

    Args:
      activations: float32 (1, H, W, C).

    Returns:
      float32 (C, C), symmetric.
    """
    by_position = tf.reshape(activations, (-1, tf.shape(activations)[-1]))
    positions = tf.cast(tf.shape(by_position)[0], tf.float32)
    return tf.matmul(by_position, by_position, transpose_a=True) / positions


def style_loss(gram: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """A layer's style loss: squared differences of two Gram matrices over (2 C)^2 (eq. 4)."""
    return tf.reduce_mean((gram - target) ** 2) / 4


def content_loss(activations: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Half the mean squared difference of activations (eq. 1, which sums)."""
    return tf.reduce_mean((activations - target) ** 2) / 2


@dataclass(frozen=True)
class Style:
    """The style of one image, or the mean over several.

    Attributes:
      grams: layer -> float32 (C, C), mean Gram matrix of activations divided by their scale.
      scales: layer -> mean activation, float32 scalar.

    Example:
      >>> style = mean_style(objective.activations, [image])
      >>> style.grams["conv1_1"].shape
      TensorShape([64, 64])
    """

    grams: Mapping[str, tf.Tensor]
    scales: Mapping[str, tf.Tensor]


def mean_style(activations: Any, images: Iterable[tf.Tensor]) -> Style:
    """Average Gram matrices and scales, each image counting the same whatever its size.

    Args:
      activations: image -> layer -> activations.
      images: float32 (1, H, W, 3) in [-1, 1], at least one; taken one after the other.

    Raises:
      UserError: there is no image.
    """
    count, grams, scales = 0, dict[str, Any](), dict[str, Any]()
    for image in images:
        count += 1
        for layer, values in activations(image).items():
            scales[layer] = scales.get(layer, 0.0) + tf.reduce_mean(values)
            if layer in STYLE_LAYERS:
                grams[layer] = grams.get(layer, 0.0) + gram_matrix(values)
    if not count:
        raise UserError("none of the style images can be read.", code="unreadable", field="STYLE")
    scales = {layer: tf.maximum(sum_ / count, 1e-6) for layer, sum_ in scales.items()}
    return Style(
        {layer: gram / count / scales[layer] ** 2 for layer, gram in grams.items()}, scales
    )


class Objective:
    """The loss of an image, and its gradient, compiled once for images of all sizes.

    Args:
      network: RGB float32 (1, H, W, 3) in [-1, 1] -> layer -> activations, of `LAYERS`.
      content_weight: of the content loss.
      style_weight: of the style losses' mean over layers (the paper's w_l = 1/5).

    Example:
      >>> objective = Objective(load("vgg16_hed", LAYERS, pooling="average"), 1.0, 10.0)
      >>> target = objective.activations(content)[CONTENT_LAYER]
      >>> loss, gradient = objective(image, target, mean_style(objective.activations, [style]))
    """

    def __init__(self, network: keras.Model, content_weight: float, style_weight: float) -> None:
        self._network = network
        self._content_weight, self._style_weight = content_weight, style_weight
        self.activations = tf.function(network.call, input_signature=[_ONE_IMAGE])
        self._compiled = tf.function(
            self._loss_and_gradient,
            input_signature=[
                _ONE_IMAGE,
                tf.TensorSpec((1, None, None, None), tf.float32),
                [tf.TensorSpec((None, None), tf.float32)] * len(STYLE_LAYERS),
                [tf.TensorSpec((), tf.float32)] * len(LAYERS),
            ],
        )

    def __call__(
        self, image: tf.Tensor, content: tf.Tensor, style: Style
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Compute the loss and its gradient.

        Args:
          image: float32 (1, H, W, 3) in [-1, 1].
          content: activations of the content image at `CONTENT_LAYER`.
          style: of the style images.

        Returns:
          float32 scalar, and float32 (1, H, W, 3).
        """
        grams = [style.grams[layer] for layer in STYLE_LAYERS]
        scales = [style.scales[layer] for layer in LAYERS]
        return self._compiled(image, content, grams, scales)

    def _loss_and_gradient(
        self,
        image: tf.Tensor,
        content: tf.Tensor,
        grams: Sequence[tf.Tensor],
        scales: Sequence[tf.Tensor],
    ) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(image)
            found = self._network(image)
            scale = dict(zip(LAYERS, scales, strict=True))
            styles = [
                style_loss(gram_matrix(found[layer]) / scale[layer] ** 2, gram)
                for layer, gram in zip(STYLE_LAYERS, grams, strict=True)
            ]
            kept = content_loss(found[CONTENT_LAYER], content) / scale[CONTENT_LAYER] ** 2
            loss = self._content_weight * kept
            loss += self._style_weight * tf.add_n(styles) / len(styles)
        return loss, tape.gradient(loss, image)
