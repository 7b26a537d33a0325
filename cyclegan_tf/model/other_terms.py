"""Terms of the generators that the paper has not: the truth, the input, what a network says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import keras
import tensorflow as tf

from cyclegan_tf.model import losses
from cyclegan_tf.model.pairs import paired_l1

_MIN_SHARE = 1e-7


def other_terms(
    on: Collection[str],
    batch: tuple[tf.Tensor, tf.Tensor, tf.Tensor | None],
    fakes: Mapping[str, tf.Tensor],
    semantic: keras.Model | None,
) -> dict[str, tf.Tensor]:
    """Computes those of the terms that have a weight, unweighted.

    Args:
      on: names of all terms that have one.
      batch: real_x, real_y, float (N, H, W, C), and which are partners, see `paired_l1`.
      fakes: G(x) as "y" and F(y) as "x".
      semantic: a frozen network of images.

    Returns:
      float32 scalars by name.
    """
    real_x, real_y, is_paired = batch
    terms: dict[str, Callable[[], Any]] = {
        "self_x": lambda: losses.l1(fakes["y"], real_x),
        "self_y": lambda: losses.l1(fakes["x"], real_y),
        "paired_x": lambda: paired_l1(fakes["x"], real_x, is_paired),
        "paired_y": lambda: paired_l1(fakes["y"], real_y, is_paired),
        "semantic_x": lambda: semantic_difference(semantic, real_x, fakes["y"]),
        "semantic_y": lambda: semantic_difference(semantic, real_y, fakes["x"]),
    }
    return {name: make() for name, make in terms.items() if name in on}


def semantic_difference(
    network: keras.Model | None, image: tf.Tensor, translation: tf.Tensor
) -> tf.Tensor:
    """Compares what a network says of an image and of its translation (Hoffman et al. 2018, eq. 3).

    Args:
      network: of float (N, H, W, C) in [-1, 1]; its weights and its word on the image are taken as
        given.
      image: before.
      translation: after.

    Returns:
      float32 scalar: the mean cross-entropy where the network ends in a softmax, else the mean
      squared difference.
    """
    if network is None:
        raise ValueError("A semantic term has a weight, but there is no network that says.")
    wanted = tf.stop_gradient(tf.cast(network(image, training=False), tf.float32))
    found = tf.cast(network(translation, training=False), tf.float32)
    if not gives_shares(network):
        return tf.reduce_mean(tf.math.squared_difference(found, wanted))
    logs = tf.math.log(tf.maximum(found, _MIN_SHARE))
    return tf.reduce_mean(-tf.reduce_sum(wanted * logs, axis=-1))


def gives_shares(network: keras.Model) -> bool:
    """Whether the last layer of a network, or of the one that ends it, is a softmax."""
    last = network.layers[-1]
    while isinstance(last, keras.Model):
        last = last.layers[-1]
    return isinstance(last, keras.layers.Softmax) or (
        getattr(last, "activation", None) is keras.activations.softmax
    )
