"""Checkpoints: one file each, whole or absent, and noticed when damaged.

A file is an uncompressed NumPy archive of every variable by name, with the scalar state as JSON. It
is written whole or not at all, and flushed to the disk; zip's checksums say when it was cut short.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_tf.atomic import atomic_file
from cyclegan_tf.config.files import with_new_score_names
from cyclegan_tf.errors import UserError

BEST = "best"
"""Folder, in that of the checkpoints, of the best generators; also what asks for them."""

LAST = "last"
"""What asks for the newest checkpoint."""

_STATE, _NPY = "state.json", ".npy"
_NAME = re.compile(r"step_(\d{9})\.npz")


class CorruptCheckpointError(Exception):
    """A checkpoint file that cannot be read whole."""


def write(
    folder: Path,
    step: int,
    arrays: Mapping[str, np.ndarray],
    state: Mapping[str, Any],
    keep: int | None,
) -> Path:
    """Writes `step_XXXXXXXXX.npz`, then removes all but the newest `keep` up to it; None keeps all.

    Later ones are none that a training has read: they take no place (see
    `leftovers.tidy_checkpoints`).

    Raises:
      UserError: the disk is full or the folder not writable; earlier checkpoints stay as they were.
    """
    final = folder / f"step_{step:09d}.npz"
    own = {_STATE: np.frombuffer(json.dumps(state).encode(), np.uint8)}
    try:
        with atomic_file(final, durable=True) as partial, partial.open("wb") as file:
            np.savez(file, **arrays, **own)  # type: ignore[arg-type]
    except OSError as error:
        raise unwritable(final, error) from error
    prune(folder, step, keep)
    return final


def prune(folder: Path, step: int, keep: int | None) -> None:
    """Removes all but the newest `keep` checkpoints up to a step; None keeps all."""
    kept = [path for path in list_checkpoints(folder) if step_of(path) <= step]
    for old in kept[keep:] if keep else []:
        old.unlink(missing_ok=True)


def unwritable(path: Path, error: OSError) -> UserError:
    """The error of a checkpoint that the system does not let write."""
    return UserError(
        f"The checkpoint {path} cannot be written ({error.strerror or error}); earlier ones are "
        "untouched: free some space or fix the folder's permissions, then start the same command "
        "again.",
        code="unwritable",
        field=str(path),
    )


def list_checkpoints(folder: Path) -> list[Path]:
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
      CorruptCheckpointError: truncated, altered or not a checkpoint.
    """
    with _whole(path), zipfile.ZipFile(path) as archive:
        arrays = {name.removesuffix(_NPY): _array(archive, name) for name in archive.namelist()}
        return arrays, _state(arrays.pop(_STATE))


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    """One array of numbers, out of bytes whose checksum was compared.

    `np.load` reads no further than the array's own header says, and so compares nothing where a
    damaged one says less.
    """
    content = io.BytesIO(archive.read(name))
    array = np.lib.format.read_array(content, allow_pickle=False)
    if array.dtype.kind not in "biuf" or content.read(1):
        raise ValueError(f"its {name} is no array of numbers")
    return array


def load_latest(
    folder: Path,
) -> tuple[Path, dict[str, np.ndarray], dict[str, Any], list[str]] | None:
    """The newest checkpoint that reads whole, and a sentence for each newer one that does not.

    Raises:
      UserError: there are checkpoints, but every one is damaged.
    """
    complaints: list[str] = []
    for path in list_checkpoints(folder):
        try:
            return path, *read(path), complaints
        except CorruptCheckpointError as error:
            complaints.append(f"{error}; the one before it is taken")
    if complaints:
        raise UserError(
            f"All checkpoints in {folder} are damaged; start anew with another --run_dir.",
            code="unreadable",
            field=str(folder),
        )
    return None


def write_best(
    folder: Path, step: int, arrays: Mapping[str, np.ndarray], state: Mapping[str, Any]
) -> Path | None:
    """Writes `best/step_XXXXXXXXX.npz` in place of the one there, if its score is strictly better.

    Args:
      folder: of the checkpoints.
      step: after which the generators were so.
      arrays: the generators' weights.
      state: among others "score", "higher_is_better" and the name of the score, "best_by".

    Returns:
      The file, or None where the one there is as good.

    Raises:
      UserError: as `write`.
    """
    before = best_file(folder)
    if before is not None and not is_better(
        state["score"], read_state(before)["score"], state["higher_is_better"]
    ):
        return None
    written = write(folder / BEST, step, arrays, state, keep=None)
    for old in list_checkpoints(folder / BEST):
        if old != written:
            old.unlink(missing_ok=True)
    return written


def is_better(score: float, than: float, higher_is_better: bool) -> bool:
    """Whether a score is strictly better than another."""
    return score > than if higher_is_better else score < than


def read_state(path: Path) -> dict[str, Any]:
    """The scalar state alone, without reading the arrays.

    Raises:
      CorruptCheckpointError: not a checkpoint, or cut short.
    """
    with _whole(path), zipfile.ZipFile(path) as archive:
        return _state(_array(archive, _STATE + _NPY))


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[None]:
    """Calls whatever goes wrong in reading damage: zip and NumPy have a dozen errors for it."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise CorruptCheckpointError(f"{path} is damaged ({reason})") from error


def _state(stored: np.ndarray) -> dict[str, Any]:
    """The scalar state out of an archive.

    Raises:
      ValueError: what is read from it everywhere is not as it must be.
    """
    state = with_new_score_names(json.loads(stored.tobytes()))
    _require("step", type(state["step"]) is int and state["step"] >= 0)
    if "score" in state:  # one of the best
        _require("score", _is_number(state["score"]))
        _require("higher_is_better", isinstance(state["higher_is_better"], bool))
        _require("weights", state["weights"] in ("raw", "averaged"))
        _require("best_by", isinstance(state["best_by"], str))
    else:
        _require("seconds", _is_number(state.get("seconds", 0.0)))
        _require("guards", isinstance(state.get("guards"), dict | None))
        best = state.get("best")
        _require(
            "best",
            best is None or (isinstance(best, dict) and {"score", "step", "stale"} <= set(best)),
        )
    return state


def _require(name: str, is_so: bool) -> None:
    if not is_so:
        raise ValueError(f"its {name} is none")


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and math.isfinite(value)  # type: ignore[arg-type]


def best_file(folder: Path) -> Path | None:
    """The best file; of several, which only a kill between rename and removal leaves, the one of
    the best score."""
    best: tuple[Path, dict[str, Any]] | None = None
    for path in list_checkpoints(folder / BEST):
        try:
            state = read_state(path)
        except CorruptCheckpointError:
            continue
        if "score" not in state:  # a whole checkpoint, which somebody put here
            continue
        if best is None or is_better(state["score"], best[1]["score"], state["higher_is_better"]):
            best = path, state
    return best[0] if best else None


@dataclass(frozen=True)
class SelectedCheckpoint:
    """A checkpoint to take generators from.

    Attributes:
      path: the file.
      arrays: at least the generators' weights, by name.
      step: after which they were so.
      weights: "raw", or "averaged" over training.
      origin: describes what was taken and why.

    Example:
      >>> chosen = select(RunDirectory(path).checkpoints, "last")
      >>> chosen.step, chosen.weights
      (1000, 'raw')
    """

    path: Path
    arrays: dict[str, np.ndarray]
    step: int
    weights: str
    origin: str


def select(folder: Path, wanted: str = BEST) -> SelectedCheckpoint | None:
    """The checkpoint that is asked for; None where there are none at all.

    Args:
      folder: of the checkpoints.
      wanted: "best" (the newest where no scores have chosen one), "last", or a step.

    Raises:
      UserError: no such step, `wanted` is no such word, or what is wanted is damaged.
    """
    complaints: list[str] = []
    if wanted == BEST:
        best = best_file(folder)
        if best is not None:
            try:
                return _chosen_best(best)
            except CorruptCheckpointError as error:
                complaints.append(f"{error}; the newest is taken")
        elif damaged := list_checkpoints(folder / BEST):
            complaints.append(f"{damaged[0]} is damaged; the newest is taken")
        found = load_latest(folder)
        if found is None:
            return None
        path, arrays, state, more = found
        why = "" if complaints else "; no scores have chosen a best one"
        return _chosen(path, arrays, state, f"newest{why}", [*complaints, *more])
    if wanted == LAST:
        found = load_latest(folder)
        return None if found is None else _chosen(*found[:3], "newest", found[3])
    return _chosen_step(folder, wanted)


def require_step(folder: Path, wanted: str) -> Path:
    """The checkpoint of one step, by the names of the files alone.

    Raises:
      UserError: there is none, or `wanted` is no number.
    """
    named = [*list_checkpoints(folder / BEST), *list_checkpoints(folder)]
    found = {step_of(path): path for path in named}
    if wanted.isdecimal() and int(wanted) in found:
        return found[int(wanted)]
    raise UserError(
        f"--checkpoint is {wanted!r}; take best, last, or one of the steps there are in {folder}: "
        f"{', '.join(map(str, sorted(found))) or 'none'}.",
        code="missing" if wanted.isdecimal() else "unknown",
        field="--checkpoint",
    )


def _chosen_step(folder: Path, wanted: str) -> SelectedCheckpoint:
    path = require_step(folder, wanted)
    try:
        if path.parent.name == BEST:
            return _chosen_best(path)
        return _chosen(path, *read(path), "as asked", [])
    except CorruptCheckpointError as error:
        raise UserError(
            f"{error}; give another --checkpoint.", code="unreadable", field="--checkpoint"
        ) from error


def _chosen(
    path: Path, arrays: dict[str, np.ndarray], state: Mapping[str, Any], why: str, notes: list[str]
) -> SelectedCheckpoint:
    origin = f"{path} (step {state['step']}, raw weights, {why})"
    return SelectedCheckpoint(path, arrays, state["step"], "raw", "; ".join([*notes, origin]))


def _chosen_best(path: Path) -> SelectedCheckpoint:
    arrays, state = read(path)
    if "score" not in state:
        raise CorruptCheckpointError(f"{path} is damaged (it has no score)")
    why = f"best {state['best_by']}: {state['score']:.4g}"
    origin = f"{path} (step {state['step']}, {state['weights']} weights, {why})"
    return SelectedCheckpoint(path, arrays, state["step"], state["weights"], origin)
