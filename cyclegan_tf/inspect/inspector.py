"""Finds out what a path is, and hands it to what can read it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from cyclegan_tf.convert.pytorch.recognize import NormAsked
from cyclegan_tf.errors import UserError
from cyclegan_tf.inspect import exports, readable, weight_files
from cyclegan_tf.inspect.training_run import inspect_run
from cyclegan_tf.runs.run_directory import RunDirectory

_FILES: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    ".keras": weight_files.inspect_keras_file,
    ".h5": weight_files.inspect_hdf5,
    ".hdf5": weight_files.inspect_hdf5,
    ".index": lambda path, size_px: {
        "kind": "TensorFlow checkpoint of weights",
        **weight_files.inspect_keras_2(path, size_px),
    },
    ".pth": weight_files.inspect_torch_file,
    ".pt": weight_files.inspect_torch_file,
    ".tflite": lambda path, _: exports.inspect_tflite(path),
    ".onnx": lambda path, _: exports.inspect_onnx(path),
}


def inspect_path(path: Path, size_px: int, norm: NormAsked = "auto") -> dict[str, Any]:
    """Describes a path, ready for JSON: "path", "kind", and what that kind has.

    Args:
      path: file or folder.
      size_px: side of the image whose multiply-accumulates are counted.
      norm: of PyTorch networks, see `recognize.recognize`.

    Raises:
      UserError: there is nothing, or nothing that can be read; says what can.
    """
    readable.refuse_others(path)
    inspect = _folder if path.is_dir() else _file
    try:
        return {"path": str(path), **inspect(path, size_px, norm)}
    except (UserError, OSError):
        raise
    except Exception as error:  # the readers raise whatever a damaged file makes them raise
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{path} is damaged, or not what its name says ({type(error).__name__}: {reason}).",
            code="unreadable",
            field=str(path),
        ) from error


def _file(path: Path, size_px: int, norm: NormAsked) -> dict[str, Any]:
    reader = _FILES[path.suffix.lower()]
    return (
        weight_files.inspect_torch_file(path, size_px, norm)
        if reader is weight_files.inspect_torch_file
        else reader(path, size_px)
    )


def _folder(folder: Path, size_px: int, norm: NormAsked) -> dict[str, Any]:
    if RunDirectory(folder).exists():
        return inspect_run(folder, size_px)
    if (readable.newest_version(folder) / "saved_model.pb").is_file():
        return _saved_model(folder, size_px)
    return weight_files.inspect_torch_folder(folder, size_px, norm)


def _saved_model(folder: Path, size_px: int) -> dict[str, Any]:
    """Describes a SavedModel and, of one that Keras 2 saved, the network in it."""
    found = exports.inspect_saved_model(folder)
    if not (readable.newest_version(folder) / "keras_metadata.pb").is_file():
        return found
    try:
        network = weight_files.inspect_keras_2(readable.newest_version(folder), size_px)
    except UserError as error:
        network = {"notes": [f"saved by Keras 2, but its network stays unknown: {error}"]}
    return found | network | {"notes": [*found.get("notes", []), *network["notes"]]}
