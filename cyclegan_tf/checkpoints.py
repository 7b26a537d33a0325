"""Checkpoints: one file each, whole or absent, and noticed when damaged.

A file is an uncompressed NumPy archive of every variable by name, with the scalar state as JSON. It is
written under a temporary name, flushed to the disk, then renamed; zip's checksums tell when it was cut short.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_tf.errors import UserError

_STATE = "state.json"
_NAME = re.compile(r"step_(\d{9})\.npz")


class DamagedCheckpoint(Exception):  # noqa: N818 -- it names a thing found, not a mistake made
    """A checkpoint file that cannot be read whole."""


def write(folder: Path, step: int, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any], keep: int) -> Path:
    """Writes `step_XXXXXXXXX.npz`, then removes all but the newest `keep`.

    Raises:
      UserError: the disk is full or the folder not writable; earlier checkpoints stay as they were.
    """
    final = folder / f"step_{step:09d}.npz"
    partial = final.with_suffix(".partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            np.savez(file, **arrays, **{_STATE: np.frombuffer(json.dumps(state).encode(), np.uint8)})  # type: ignore[arg-type]
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, final)
        _sync_folder(folder)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(
            f"The checkpoint {final} cannot be written ({error.strerror or error}); earlier ones are untouched: "
            "free some space or mend the folder's permissions, then start the same command again."
        ) from error
    for old in listed(folder)[keep:]:
        old.unlink(missing_ok=True)
    return final


def _sync_folder(folder: Path) -> None:
    """Makes the rename itself survive a power cut, where the system can open folders."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def listed(folder: Path) -> list[Path]:
    """All checkpoint files, newest first; leftovers of interrupted writing are not among them."""
    if not folder.is_dir():
        return []
    return sorted((path for path in folder.iterdir() if _NAME.fullmatch(path.name)), reverse=True)


def step_of(path: Path) -> int:
    """The step a checkpoint file is named after."""
    match = _NAME.fullmatch(path.name)
    if not match:
        raise ValueError(f"{path.name} is not a checkpoint's name, step_XXXXXXXXX.npz")
    return int(match[1])


def read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads one checkpoint: arrays by name, and the scalar state.

    Raises:
      DamagedCheckpoint: truncated, altered or not a checkpoint.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return arrays, json.loads(arrays.pop(_STATE).tobytes())
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DamagedCheckpoint(f"{path} is damaged ({error})") from error


def newest(folder: Path) -> tuple[Path, dict[str, np.ndarray], dict[str, Any], list[str]] | None:
    """The newest checkpoint that reads whole, and a sentence for each newer one that does not.

    Raises:
      UserError: there are checkpoints, but every one is damaged.
    """
    complaints: list[str] = []
    for path in listed(folder):
        try:
            return path, *read(path), complaints
        except DamagedCheckpoint as error:
            complaints.append(f"{error}; the one before it is taken")
    if complaints:
        raise UserError(f"All checkpoints in {folder} are damaged; start anew with another --run_dir.")
    return None
