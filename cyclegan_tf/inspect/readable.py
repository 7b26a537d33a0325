"""What can be inspected, by its place and name, looked at before TensorFlow is imported."""

from __future__ import annotations

from pathlib import Path

from cyclegan_tf.convert.pytorch.folder import is_folder_of_networks
from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign.content import require_beginning
from cyclegan_tf.foreign.paths import meant
from cyclegan_tf.runs.run_directory import RunDirectory

FORMATS = (
    "a run directory, a .keras, .h5, .pth, .tflite or .onnx file, a SavedModel, or a folder of "
    "PyTorch checkpoints"
)
SUFFIXES = (".keras", ".h5", ".hdf5", ".index", ".pth", ".pt", ".tflite", ".onnx")
"""Of files that can be inspected, lower case."""

_MAX_NAMED = 3


def refuse_others(path: Path) -> None:
    """Refuse what cannot be inspected.

    Raises:
      UserError: there is nothing, or nothing that can be read; says what can.
    """
    if not path.exists():
        raise UserError(
            f"{path} does not exist{meant(path) or f'; give {FORMATS}.'}",
            code="missing",
            field=str(path),
        )
    if not path.is_dir():
        require_beginning(path)
        if path.suffix.lower() not in SUFFIXES:
            raise UserError(
                f"{path} cannot be inspected; give {FORMATS}.", code="unsupported", field=str(path)
            )
    elif not (_is_whole(path) or is_folder_of_networks(path)):
        within = _within(path)
        hint = f"; there are {', '.join(within)} in it" if within else f"; give {FORMATS}"
        raise UserError(
            f"{path} is a folder that cannot be inspected as a whole{hint}.",
            code="unsupported",
            field=str(path),
        )


def newest_version(folder: Path) -> Path:
    """The folder itself where it holds a SavedModel, else its version of the highest number."""
    if (folder / "saved_model.pb").is_file():
        return folder
    versions = [
        entry
        for entry in folder.iterdir()
        if entry.name.isdecimal() and (entry / "saved_model.pb").is_file()
    ]
    return max(versions, key=lambda entry: int(entry.name), default=folder)


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
        if (_is_whole(path) if path.is_dir() else path.suffix.lower() in SUFFIXES)
    ]
    return [path.relative_to(folder).as_posix() for path in found[:_MAX_NAMED]]


def _is_whole(folder: Path) -> bool:
    return RunDirectory(folder).exists() or (newest_version(folder) / "saved_model.pb").is_file()
