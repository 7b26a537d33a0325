"""What may be named as RUN, looked at before TensorFlow is imported."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign.content import refuse_zip_bomb, require_keras_archive
from cyclegan_tf.foreign.keras_notes import read_notes
from cyclegan_tf.foreign.paths import meant
from cyclegan_tf.images.ranges import RangePair
from cyclegan_tf.runs import checkpoints, image_record
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.volumes.slices import AXIAL, Cutting

RANGES_NOTE = "value_ranges"
"""Name of the ranges among the notes of a `.keras` file."""

CUTTING_NOTE = "cutting"
"""Of a `.keras` file: what it says of volumes."""


def is_run(path: Path) -> bool:
    """Return whether a run has begun in a folder."""
    return RunDirectory(path).exists()


def is_target(path: Path) -> bool:
    """Return whether a path may be a run directory or a `.keras` file."""
    return is_run(path) or (path.suffix == ".keras" and path.is_file())


def check_target(target: Path, checkpoint: str = checkpoints.BEST) -> None:
    """Refuse what holds no trained generator: neither a run directory nor a `.keras` file.

    Args:
      target: as named on the command line.
      checkpoint: as asked for; a file has none to choose from.

    Raises:
      UserError: says what it is instead, and what to name.
    """
    if not target.exists():
        raise UserError(
            f"{target} is neither a run directory nor a .keras file: it does not exist"
            f"{meant(target, is_target) or '.'}",
            code="missing",
            field=str(target),
        )
    if target.is_dir():
        _check_folder(target, checkpoint)
    elif target.suffix != ".keras":
        raise UserError(
            f"{target} is not a .keras file; give that, or a run directory.",
            code="unsupported",
            field=str(target),
        )
    elif checkpoint != checkpoints.BEST:
        raise UserError(
            f"--checkpoint is {checkpoint!r}, but {target} is a file of one network; leave the "
            f"option out.",
            code="invalid",
            field="--checkpoint",
        )
    else:
        require_keras_archive(target)


def input_channels(target: Path, direction: str) -> int | None:
    """Find how many channels the images have that a generator takes, by what describes it.

    Args:
      target: a run directory or a `.keras` file.
      direction: "xy" or "yx"; a file holds one direction, whichever it is.

    Returns:
      None where a file does not say.

    Raises:
      UserError: the run's experiment cannot be read, or the file is a zip bomb.
    """
    if target.is_dir():
        data = RunDirectory(target).experiment().data
        return data.channels(direction[0])
    if not target.is_file():
        return None  # a pipe, which opening would wait for
    try:
        refuse_zip_bomb(target)
        with zipfile.ZipFile(target) as archive:
            layers = json.loads(archive.read("config.json"))["config"]["layers"]
        (shape,) = (
            layer["config"]["batch_shape"]
            for layer in layers
            if layer["class_name"] == "InputLayer"
        )
        return shape[-1] if len(shape) == 4 else None
    except UserError:
        raise
    except Exception:  # zip's, JSON's and whatever a strange description makes; Keras says it
        return None


def ranges(target: Path, direction: str) -> RangePair:
    """Find what the numbers mean that a generator takes and gives.

    Args:
      target: a run directory or a `.keras` file.
      direction: "xy" or "yx"; a file holds one direction, whichever it is.

    Returns:
      Full ranges where nothing says otherwise.

    Raises:
      UserError: the run's record is damaged, or the file is a zip bomb.
    """
    if target.is_dir():
        return image_record.ranges(RunDirectory(target).data_path, direction)
    return RangePair.from_dict(read_notes(target).get(RANGES_NOTE))


def cutting(target: Path) -> Cutting:
    """Find how a generator sees volumes: along which axis, with how many neighbors.

    Args:
      target: a run directory or a `.keras` file.

    Returns:
      `AXIAL` where nothing says otherwise.

    Raises:
      UserError: the run's experiment cannot be read, or the file is a zip bomb.
    """
    if target.is_dir():
        data = RunDirectory(target).experiment().data
        return Cutting(str(data.axis), data.neighbors)
    return Cutting.from_dict(read_notes(target).get(CUTTING_NOTE)) or AXIAL


def _check_folder(folder: Path, checkpoint: str) -> None:
    run = RunDirectory(folder)
    if not run.exists():
        raise UserError(
            f"{folder} is not a run directory: it has no config.yaml{_instead(folder)}.",
            code="missing",
            field=str(folder),
        )
    folders = (run.checkpoints, run.checkpoints / checkpoints.BEST)
    if not any(map(checkpoints.list_checkpoints, folders)):
        raise UserError(
            f"{run.path} has no checkpoint yet; train it first: python -m cyclegan_tf.train "
            f"--run_dir {run.path}",
            code="missing",
            field=str(run.path),
        )
    if checkpoint not in (checkpoints.BEST, checkpoints.LAST):
        checkpoints.require_step(run.checkpoints, checkpoint)


def _instead(folder: Path) -> str:
    """What a folder is that is no run, where that is known."""
    for parent in (folder.parent, folder.parent.parent):
        if is_run(parent):
            return (
                f"; it lies in the run {parent}: give that, and a checkpoint by --checkpoint "
                "(best is the default)"
            )
    if (folder / "trainA").is_dir():
        return "; it is a data set"
    if (folder / "saved_model").is_dir():
        return "; it is an export: give the run that it was made of"
    try:
        inner = sorted(path for path in folder.iterdir() if is_run(path))
    except OSError:
        inner = []
    return f"; runs in it are {', '.join(map(str, inner[:5]))}" if inner else ""
