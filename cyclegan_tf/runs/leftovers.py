"""What trainings that were killed have left in a run directory: half-written and replaced files."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Iterable
from pathlib import Path

from cyclegan_tf.atomic import is_partial
from cyclegan_tf.runs import checkpoints

log = logging.getLogger(__name__)

# What early versions called them.
_FORMER = re.compile(
    r"step_\d{9}\.partial|\.step_\d{9}_(xy|yx)\.png\.[\d-]+\.partial"
    r"|(metrics\.jsonl|config\.yaml|\w+\.json)\.partial"
    r"|generator_(xy|yx)\.partial\.keras|train_[xy]\.partial"
)


def remove_leftovers(folders: Iterable[Path]) -> None:
    """Removes what killed trainings have left half-written, whichever process or machine they were.

    Args:
      folders: of one run, which the caller has locked: nobody else is writing there.
    """
    for folder in folders:
        for entry in folder.iterdir() if folder.is_dir() else ():
            is_ours = is_partial(entry.name) or _FORMER.fullmatch(entry.name)
            if is_ours and entry.is_file() and not entry.is_symlink():
                with contextlib.suppress(OSError):
                    entry.unlink()


def tidy_checkpoints(newest: Path, keep: int | None) -> None:
    """Does what a kill or damage has left undone, before a training goes on from a checkpoint.

    Checkpoints later than the newest that reads whole are renamed, which is logged, so that none is
    taken again; those that a new one, or a better one, should have replaced are removed.

    Args:
      newest: the checkpoint that it goes on from.
      keep: as for `checkpoints.write`.

    Raises:
      UserError: the folder cannot be written.
    """
    path, folder, step = newest, newest.parent, checkpoints.step_of(newest)
    try:
        for path in checkpoints.list_checkpoints(folder):
            if checkpoints.step_of(path) > step:
                aside = path.replace(path.with_name(f"{path.name}.damaged"))
                log.warning("%s cannot be read whole: kept as %s", path, aside.name)
        checkpoints.prune(folder, step, keep)
        best = checkpoints.best_file(folder)
        for path in checkpoints.list_checkpoints(folder / checkpoints.BEST):
            if path != best and _is_whole(path):
                path.unlink()
    except OSError as error:
        raise checkpoints.unwritable(path, error) from error


def _is_whole(path: Path) -> bool:
    try:
        checkpoints.read_state(path)
    except checkpoints.CorruptCheckpointError:
        return False
    return True
