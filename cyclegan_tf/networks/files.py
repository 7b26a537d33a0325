"""Generators out of `.keras` files, wherever those come from: opened, looked at, made ready for
training."""

from __future__ import annotations

import functools
import hashlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import keras

from cyclegan_tf.errors import UserError
from cyclegan_tf.networks import builders as networks


@dataclass(frozen=True)
class Facts:
    """What a training must know of a network before it takes it in.

    Attributes:
      input_channels: of the images that come in.
      output_channels: of the images that go out.
      size_divisor_px: sides it takes are multiples of this.
      norm: "batch" where any normalization is of batches, else "instance".
    """

    input_channels: int
    output_channels: int
    size_divisor_px: int
    norm: str


def open_network(path: Path) -> keras.Model:
    """The network of images in a `.keras` file.

    Raises:
      UserError: there is no such file, it cannot be loaded, or holds something else.
    """
    if not path.is_file():
        raise UserError(f"{path} does not exist; it should be a .keras file.")
    if path.suffix != ".keras":
        raise UserError(
            f"{path} is not a .keras file; python -m cyclegan_tf.convert makes one of other files."
        )
    try:
        network = keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises whatever zip, JSON or a layer raised
        raise UserError(f"{path} cannot be loaded: {' '.join(str(error).split())[:300]}") from error
    shape = getattr(network, "output_shape", None)
    if (
        not isinstance(shape, tuple)
        or len(shape) != 4
        or len(getattr(network, "input_shape", ())) != 4
    ):
        raise UserError(
            f"{path} holds {type(network).__name__}, not a network from images to images."
        )
    return network


def open_trainable(
    path: Path, dtype_policy: str = "float32", name: str | None = None, seed: int | None = None
) -> keras.Model:
    """A network to train on: for images of any size, under a dtype policy, with a float32 output.

    Args:
      path: of the `.keras` file.
      dtype_policy: of the layers.
      name: of the network; its own when not given.
      seed: of what its random layers draw; the file's own, if any, when not given.

    Raises:
      UserError: see `open_network`; or it takes one size only, makes images of another size, or two
        of its weights have one name, by which checkpoints could not tell them apart.
    """
    given = open_network(path)
    try:
        network = networks.with_dtype_policy(given, dtype_policy, any_size=True, seed=seed)
    except Exception as error:  # whatever a layer raises
        told = " ".join(str(error).split())[:300]
        raise UserError(
            f"{path} cannot be trained on: it does not take images of any size ({told})"
        ) from error
    twice = [
        name
        for name, count in Counter(variable.path for variable in network.variables).items()
        if count > 1
    ]
    if twice:
        raise UserError(
            f"{path} cannot be trained on: {len(twice)} names belong to several weights, such as "
            f"{twice[0]}."
        )
    side = 4 * networks.size_divisor_of(network)
    channels = network.output_shape[-1]
    try:
        made = network.compute_output_spec(
            keras.KerasTensor((1, side, side, network.input_shape[-1]))
        ).shape
    except Exception as error:  # whatever a layer raises
        told = " ".join(str(error).split())[:300]
        raise UserError(
            f"{path} cannot be trained on: it does not take {side} x {side} px ({told})"
        ) from error
    if tuple(made) != (1, side, side, channels):
        raise UserError(
            f"{path} is no translator to train on: of {side} x {side} px it makes {made[1]} x "
            f"{made[2]}, but an image must keep its size."
        )
    if name is not None:
        network.name = name
    return network


def facts(path: Path) -> Facts:
    """What is in a file, found out once.

    Raises:
      UserError: see `open_trainable`.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror or error}; it should be a .keras file."
        ) from error
    return _facts(path, found.st_mtime_ns, found.st_size)


@functools.lru_cache(maxsize=8)
def _facts(path: Path, *_: int) -> Facts:
    network = open_trainable(path)
    batch = any(
        isinstance(layer, keras.layers.BatchNormalization) for layer in network._flatten_layers()
    )
    return Facts(
        network.input_shape[-1],
        network.output_shape[-1],
        networks.size_divisor_of(network),
        "batch" if batch else "instance",
    )


def digest(path: Path) -> str:
    """Short digest of a file, by which two are told apart.

    Raises:
      UserError: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}.") from error
