"""Generators out of `.keras` files of any origin: opened, described, prepared for training."""

from __future__ import annotations

import functools
import hashlib
import json
import zipfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import keras

from cyclegan_tf.errors import UserError, cannot_read
from cyclegan_tf.foreign.content import (
    refuse_damaged_zip,
    refuse_zip_bomb,
    require_keras_archive,
)
from cyclegan_tf.networks import keras_internals
from cyclegan_tf.networks.builders import size_divisor_of, with_dtype_policy
from cyclegan_tf.networks.color_skip import ColorSkip
from cyclegan_tf.networks.keras_only import with_own_layers
from cyclegan_tf.networks.memory import at_most

_OF_KERAS = ("keras", "builtins", "None")
_MAX_NAMED = 3


@dataclass(frozen=True)
class Facts:
    """What a training must know of a network before it is built in.

    Attributes:
      input_channels: of the images that come in.
      output_channels: of the images that go out.
      size_divisor_px: sides it takes are multiples of this.
      norm: "batch" where any normalization is of batches, else "instance".
      has_active_color_skip: whether it has a color skip that has been initialized.

    Example:
      >>> facts(Path("generator_xy.keras")).size_divisor_px
      4
    """

    input_channels: int
    output_channels: int
    size_divisor_px: int
    norm: str
    has_active_color_skip: bool = False


def open_network(path: Path) -> keras.Model:
    """Opens the network of images in a `.keras` file, of our layers where Keras's are the same.

    Raises:
      UserError: there is no such file, it cannot be loaded, or holds something else.
    """
    if not path.exists():
        raise UserError(
            f"{path} does not exist; it should be a .keras file.", code="missing", field=str(path)
        )
    if path.suffix != ".keras":
        raise UserError(
            f"{path} is not a .keras file; python -m cyclegan_tf.convert makes one of other files.",
            code="unsupported",
            field=str(path),
        )
    network = load(path)
    shape = getattr(network, "output_shape", None)
    if (
        not isinstance(shape, tuple)
        or len(shape) != 4
        or len(getattr(network, "input_shape", ())) != 4
    ):
        raise UserError(
            f"{path} holds {type(network).__name__}, not a network from images to images.",
            code="unsupported",
            field=str(path),
        )
    return with_own_layers(network)


def load(path: Path) -> keras.Model:
    """Lets Keras load a `.keras` file, in no more memory than its weights can fill.

    Raises:
      UserError: see `check_archive`; or it describes a network larger than its weights, or cannot
        be loaded.
    """
    check_archive(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
        stored = sum(m.file_size for m in members if not m.filename.endswith(".json"))
        with at_most(stored):
            return keras.saving.load_model(path, compile=False)
    except UserError as error:
        reason = f"{path} cannot be loaded: {error}"
        raise UserError(reason, code=error.code, field=str(path)) from error
    except Exception as error:  # Keras raises whatever zip, JSON or a layer raised
        raise cannot_load(path, error) from error


def classes_by_package(path: Path) -> dict[str, list[str]]:
    """Lists what a `.keras` file holds of other packages than Keras, ours included.

    Returns:
      Name of a package, as it is imported, -> names of classes; empty where the file's description
      cannot be read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            todo = [json.loads(archive.read("config.json"))]
    except Exception:  # zip's and JSON's
        return {}
    found: dict[str, set[str]] = {}
    while todo:
        entry = todo.pop()
        if isinstance(entry, list):
            todo += entry
        elif isinstance(entry, dict):
            todo += entry.values()
            package, name = str(entry.get("module")).partition(".")[0], entry.get("class_name")
            if isinstance(name, str) and package not in _OF_KERAS:
                found.setdefault(package, set()).add(name)
    return {package: sorted(names) for package, names in found.items()}


def cannot_load(path: Path, error: Exception) -> UserError:
    """Makes the error of a `.keras` file that Keras does not load.

    Args:
      path: of the file.
      error: what Keras raised.
    """
    foreign = {
        package: names
        for package, names in classes_by_package(path).items()
        if package != "cyclegan_tf"
    }
    if foreign:
        package, names = next(iter(foreign.items()))
        more = ", ..." if len(names) > _MAX_NAMED else ""
        reason = (
            f"it holds {', '.join(names[:_MAX_NAMED])}{more} of the package {package}; only a "
            f"program that imports {package} can open it."
        )
    else:
        reason = _one_line(error)
    return UserError(f"{path} cannot be loaded: {reason}", code="unreadable", field=str(path))


def check_archive(path: Path) -> None:
    """Looks at a `.keras` file before it is opened, and compares its checksums.

    Raises:
      UserError: it is missing, is no archive of Keras, is damaged, or would take far more memory
        than it has bytes.
    """
    require_keras_archive(path)
    refuse_zip_bomb(path)
    refuse_damaged_zip(path)


def open_trainable(
    path: Path, dtype_policy: str = "float32", name: str | None = None, seed: int | None = None
) -> keras.Model:
    """Opens a network for training: any image size, a dtype policy, float32 output.

    Args:
      path: of the `.keras` file.
      dtype_policy: of the layers.
      name: of the network; its own when not given.
      seed: of what its random layers draw; the file's own, if any, when not given.

    Raises:
      UserError: see `open_network`; or it takes one size only, makes images of another size, or two
        of its weights have one name, which checkpoints need to be unique.
    """
    given = open_network(path)
    try:
        network = with_dtype_policy(given, dtype_policy, any_size=True, seed=seed)
    except Exception as error:  # whatever a layer raises
        reason = f"it does not take images of any size ({_one_line(error)})"
        raise _untrainable(path, reason) from error
    counts = Counter(variable.path for variable in network.variables)
    twice = [path_of_weight for path_of_weight, count in counts.items() if count > 1]
    if twice:
        reason = f"{len(twice)} names belong to several weights, such as {twice[0]}."
        raise _untrainable(path, reason)
    _check_size_is_kept(path, network)
    if name is not None:
        network.name = name
    return network


def _check_size_is_kept(path: Path, network: keras.Model) -> None:
    side = 4 * size_divisor_of(network)
    images = keras.KerasTensor((1, side, side, network.input_shape[-1]))
    try:
        made = tuple(network.compute_output_spec(images).shape)
    except Exception as error:  # whatever a layer raises
        reason = f"it does not take {side} x {side} px ({_one_line(error)})"
        raise _untrainable(path, reason) from error
    if made != (1, side, side, network.output_shape[-1]):
        raise UserError(
            f"{path} is no generator to train on: of {side} x {side} px it makes {made[1]} x "
            f"{made[2]}, but an image must keep its size.",
            code="unsupported",
            field=str(path),
        )


def _untrainable(path: Path, reason: str) -> UserError:
    return UserError(f"{path} cannot be trained on: {reason}", code="unsupported", field=str(path))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def facts(path: Path) -> Facts:
    """Describes a file; it is opened once.

    Raises:
      UserError: see `open_trainable`.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise cannot_read(path, error, "it should be a .keras file") from error
    return _facts(path, found.st_mtime_ns, found.st_size)


@functools.lru_cache(maxsize=8)
def _facts(path: Path, *_: int) -> Facts:
    network = open_trainable(path)
    layers = list(keras_internals.all_layers(network))
    batch = any(isinstance(layer, keras.layers.BatchNormalization) for layer in layers)
    return Facts(
        network.input_shape[-1],
        network.output_shape[-1],
        size_divisor_of(network),
        "batch" if batch else "instance",
        any(isinstance(layer, ColorSkip) and layer.is_active for layer in layers),
    )


def digest(path: Path) -> str:
    """Computes a short digest of a file.

    Raises:
      UserError: it cannot be read.
    """
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise cannot_read(path, error) from error
