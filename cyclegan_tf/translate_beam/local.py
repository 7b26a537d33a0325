"""Models and images of this machine, looked for before Beam and TensorFlow are imported."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from pathlib import Path

from cyclegan_tf.errors import UserError

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_WILDCARD = re.compile(r"[*?\[]")


def check_local(model: str, patterns: Sequence[str]) -> None:
    """Refuse a model or images that are not there; places on other file systems pass.

    Patterns with wildcards in the names of folders pass as well: Beam says whether they match.

    Args:
      model: folder of a SavedModel, or of its versions.
      patterns: of images.

    Raises:
      UserError: names what is missing.
    """
    if not _ADDRESS.match(model):
        folder = Path(model).expanduser()
        if not (folder / "saved_model.pb").is_file() and not any(folder.glob("*/saved_model.pb")):
            raise no_model(model)
    for pattern in patterns:
        if not _ADDRESS.match(pattern) and not _may_match(Path(pattern).expanduser()):
            raise no_match(pattern)


def _may_match(pattern: Path) -> bool:
    if _WILDCARD.search(str(pattern.parent)) or "**" in pattern.name:
        return True
    if not _WILDCARD.search(pattern.name):
        return pattern.exists()
    if not pattern.parent.is_dir():
        return False
    try:
        names = [entry.name for entry in pattern.parent.iterdir()]
    except OSError:  # Beam's own search says so
        return True
    return bool(fnmatch.filter(names, pattern.name))


def no_model(folder: str) -> UserError:
    """Make the error of a folder without a SavedModel."""
    return UserError(
        f"{folder} holds no SavedModel; give the folder that `python -m cyclegan_tf.export "
        "--format saved_model` wrote, which holds saved_model.pb or versions that do.",
        code="missing",
        field=folder,
    )


def no_match(pattern: str) -> UserError:
    """Make the error of a pattern that matches no file."""
    return UserError(
        f"INPUT {pattern} matches no file; put the pattern in quotes, and check its folder.",
        code="missing",
        field="INPUT",
    )
