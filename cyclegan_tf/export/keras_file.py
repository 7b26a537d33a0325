"""A generator as a `.keras` file that Keras opens alone, under any of its backends."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import keras

from cyclegan_tf.atomic import atomic_directory
from cyclegan_tf.errors import UserError
from cyclegan_tf.export.model_card import model_card, write_model_card
from cyclegan_tf.export.outputs import CARD_NAME
from cyclegan_tf.export.parity import COMPARED_IMAGES, ParityCheck, function_of
from cyclegan_tf.export.trained import TrainedGenerator, calibration_images
from cyclegan_tf.networks.keras_only import keras_only
from cyclegan_tf.runs.generators import save_generator

KERNELS = "Keras on TensorFlow"
MIN_PSNR_DB = 60.0
"""Below this an export is refused."""


def write_keras(
    folder: Path,
    trained: TrainedGenerator,
    name: str,
    size_px: int,
    *,
    our_layers: bool = False,
    allow_lossy: bool = False,
    replace: bool = False,
) -> int:
    """Write generator_<direction>.keras, parity.json, parity.png and card.json into a new folder.

    The file takes any N, H and W, and keeps the scale of training for this package's readers.

    Args:
      folder: to be made, whole or not at all.
      trained: what to export.
      name: of the model.
      size_px: side of the images it is compared with.
      our_layers: keep cyclegan_tf's layers, with their fast routes in training.
      allow_lossy: keep what is too far off.
      replace: replace the folder if it is there.

    Returns:
      1 if the file was refused for a PSNR below `MIN_PSNR_DB` or for NaN, else 0.

    Raises:
      UserError: see `network_to_write`; or the folder exists and is not to be replaced, or is not
        an export.
    """
    network = network_to_write(trained, our_layers)
    images = calibration_images(trained.test_images(), COMPARED_IMAGES, size_px)
    with atomic_directory(folder, replace, CARD_NAME) as partial:
        path = partial / f"generator_{trained.direction}.keras"
        save_generator(network, path, trained.scale, trained.ranges, trained.cutting)
        loaded = keras.saving.load_model(path, compile=False)
        operations = Counter(type(one).__name__ for one in loaded.operations)
        check = ParityCheck(trained.network, images, KERNELS)
        variant = "our_layers" if our_layers else "keras_alone"
        check.add(variant, function_of(loaded), path, operations, None, MIN_PSNR_DB)
        refused = check.report(partial, allow_lossy)
        card = model_card(trained, name)
        write_model_card(partial, {**card, "layers": "cyclegan_tf" if our_layers else "keras"})
    return refused


def network_to_write(trained: TrainedGenerator, our_layers: bool) -> keras.Model:
    """The network as the file will hold it.

    Raises:
      UserError: Keras's own layers are wanted, and one has no counterpart there.
    """
    if our_layers:
        return trained.network
    try:
        return keras_only(trained.network)
    except UserError as error:
        raise UserError(
            f"--format keras: {error} --our_layers writes the network as it is.",
            code=error.code,
            field="--format",
        ) from error
