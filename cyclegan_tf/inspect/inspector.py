"""Tells what a path is, and hands it to what can read it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cyclegan_tf.convert.pytorch.folder import is_folder_of_networks
from cyclegan_tf.convert.pytorch.recognize import NormAsked
from cyclegan_tf.errors import UserError
from cyclegan_tf.inspect import exports
from cyclegan_tf.inspect import weight_files as models
from cyclegan_tf.inspect.training_run import run_directory
from cyclegan_tf.runs.run_directory import RunDirectory

READABLE = "a run directory, a .keras, .h5, .pth, .tflite or .onnx file, a SavedModel, or a folder of PyTorch checkpoints"

_FILES: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    ".keras": models.keras_file,
    ".h5": models.hdf5,
    ".hdf5": models.hdf5,
    ".index": lambda path, size_px: {
        "kind": "TensorFlow checkpoint of weights",
        **models.of_keras_2(path, size_px),
    },
    ".pth": models.torch_file,
    ".pt": models.torch_file,
    ".tflite": lambda path, _: exports.tflite(path),
    ".onnx": lambda path, _: exports.onnx(path),
}
_MAX_NAMED = 3


def inspect(path: Path, size_px: int, norm: NormAsked = "auto") -> dict[str, Any]:
    """All there is to say about a path, ready for JSON: "path", "kind", and what that kind has.

    Args:
      path: file or folder.
      size_px: side of the image whose multiply-accumulates are counted.
      norm: of PyTorch networks, see `torch_recognise.recognize`.

    Raises:
      UserError: there is nothing, or nothing that can be read; says what can.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist; give {READABLE}.")
    return {
        "path": str(path),
        **(_folder(path, size_px, norm) if path.is_dir() else _file(path, size_px, norm)),
    }


def _file(path: Path, size_px: int, norm: NormAsked) -> dict[str, Any]:
    reader = _FILES.get(path.suffix.lower())
    if reader is None:
        raise UserError(f"{path} cannot be inspected; give {READABLE}.")
    return (
        models.torch_file(path, size_px, norm)
        if reader is models.torch_file
        else reader(path, size_px)
    )


def _folder(folder: Path, size_px: int, norm: NormAsked) -> dict[str, Any]:
    if RunDirectory(folder).exists():
        return run_directory(folder, size_px)
    if (exports.newest_version(folder) / "saved_model.pb").is_file():
        return _saved_model(folder, size_px)
    if is_folder_of_networks(folder):
        return models.torch_folder(folder, size_px, norm)
    within = _within(folder)
    told = f"; there are {', '.join(within)} in it" if within else f"; give {READABLE}"
    raise UserError(f"{folder} is a folder that cannot be inspected as a whole{told}.")


def _saved_model(folder: Path, size_px: int) -> dict[str, Any]:
    """What it says of itself and, of one that Keras 2 saved, the network in it."""
    told = exports.saved_model(folder)
    if not (exports.newest_version(folder) / "keras_metadata.pb").is_file():
        return told
    try:
        return told | models.of_keras_2(exports.newest_version(folder), size_px)
    except UserError as error:
        return told | {"notes": [f"saved by Keras 2, but its network stays unknown: {error}"]}


def _within(folder: Path) -> list[str]:
    """Some things in a folder that can be inspected by themselves."""
    # what export writes lies one deeper
    near = [
        *sorted(folder.glob("*")),
        *sorted(folder.glob("*/*")),
        *sorted(folder.glob("*/*/*.tflite")),
    ]
    found = [
        path
        for path in near
        if (_is_whole(path) if path.is_dir() else path.suffix.lower() in _FILES)
    ]
    return [path.relative_to(folder).as_posix() for path in found[:_MAX_NAMED]]


def _is_whole(folder: Path) -> bool:
    return (
        RunDirectory(folder).exists()
        or (exports.newest_version(folder) / "saved_model.pb").is_file()
    )
