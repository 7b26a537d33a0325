"""Features of Inception v3 with Keras's ImageNet weights, for FID and KID; not shipped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras

from cyclegan_tf.errors import UserError
from cyclegan_tf.features.extractor import Extractor
from cyclegan_tf.foreign.downloads import short_timeout

WEIGHTS_FILE = "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
WEIGHTS_URL = (
    f"https://storage.googleapis.com/tensorflow/keras-applications/inception_v3/{WEIGHTS_FILE}"
)
WEIGHTS_MD5 = "bcbd6486424b2319ff4ef7d526e38f63"

PROTOCOL = (
    "Inception v3 of Keras applications with its ImageNet weights, 2048 features after global "
    "average pooling; images rounded to 8 bits and resized to 299 x 299 px, bilinear, no "
    "antialiasing. Other weights (those of the original FID code, which torch-fidelity and "
    "clean-fid hold) and other resizing give other numbers: not comparable with theirs."
)
"""Description of the features, for reports."""

_SIDE_PX = 299


class InceptionUnavailable(UserError):  # noqa: N818
    """There are no Inception weights here and none could be downloaded."""


class Inception(Extractor):
    """Inception v3 as a feature extractor, under `PROTOCOL`.

    Args:
      network: float32 (N, 299, 299, 3) in [-1, 1] -> (N, 2048).
      weights_file: the file that the weights were read from; an attribute.

    Example:
      >>> extractor = open_inception("auto")
      >>> fid = frechet_distance(extractor.features(real), extractor.features(fake))
    """

    def __init__(self, network: keras.Model, weights_file: Path) -> None:
        super().__init__(network, _SIDE_PX)
        self.weights_file = weights_file


def open_inception(choice: str | os.PathLike = "auto") -> Inception:
    """Builds the extractor.

    Args:
      choice: "auto" takes the weights from Keras's cache (`~/.keras/models`, or below `KERAS_HOME`)
        and downloads them there if need be, about 90 MB; anything else is the path of a weight file
        in HDF5 for InceptionV3 with include_top=False.

    Raises:
      InceptionUnavailable: "auto" without the file and without a network.
      UserError: the given file is missing or holds other weights.
    """
    path = _downloaded() if choice == "auto" else Path(choice)
    if not path.is_file():
        raise UserError(
            f"{path}: there is no such file of Inception weights; get {WEIGHTS_URL}",
            code="missing",
            field="--inception",
        )
    with _float32():
        network = keras.applications.InceptionV3(
            include_top=False, weights=None, input_shape=(_SIDE_PX, _SIDE_PX, 3), pooling="avg"
        )
    try:
        network.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise UserError(
            f"{path}: this file holds no weights of Keras's InceptionV3 without its top; get "
            f"{WEIGHTS_URL}",
            code="mismatch",
            field="--inception",
        ) from error
    return Inception(network, path)


def _downloaded() -> Path:
    """Where the weights lie in Keras's cache, after a download if need be."""
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        with short_timeout():
            path = keras.utils.get_file(
                WEIGHTS_FILE,
                WEIGHTS_URL,
                cache_dir=str(home),
                cache_subdir="models",
                file_hash=WEIGHTS_MD5,
            )
    # Keras raises a bare Exception for a server that does not answer
    except Exception as error:
        raise InceptionUnavailable(
            f"the Inception weights could not be downloaded; get {WEIGHTS_URL} on a machine with a "
            f"network and put {WEIGHTS_FILE} into {home / 'models'}, or name the file with "
            "--inception PATH",
            code="missing",
            field="--inception",
        ) from error
    return Path(path)


@contextmanager
def _float32() -> Iterator[None]:
    """Layers built inside compute in float32, whatever the policy of the training around."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
