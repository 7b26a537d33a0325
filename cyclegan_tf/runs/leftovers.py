"""Half-written files in a run directory, of trainings that were killed."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable
from pathlib import Path

from cyclegan_tf.atomic import is_partial

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
