"""The path that was meant by one that is not there."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path


def meant(path: Path, fits: Callable[[Path], bool] = Path.exists) -> str:
    """Return "; did you mean ...?" with the most similar name beside a path, or nothing.

    Args:
      path: as typed.
      fits: whether a neighbor is of the kind that is wanted.

    Example:
      >>> meant(Path("runs/smal"), Path.is_dir)
      '; did you mean runs/small?'
    """
    try:
        names = [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return ""
    close = [
        name
        for name in difflib.get_close_matches(path.name, names, n=5, cutoff=0.6)
        if name != path.name and fits(path.parent / name)
    ]
    return f"; did you mean {path.parent / close[0]}?" if close else ""
