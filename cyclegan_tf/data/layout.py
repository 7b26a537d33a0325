"""The folders of a data set, looked at before an image is opened and TensorFlow imported."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyclegan_tf.data import hub
from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign.paths import meant

FOLDERS = ("trainA", "trainB", "testA", "testB")
"""Of the paper's layout; those for tests may be missing."""

SLIDES = "slide:"
"""Before a folder whose images are whole slides, of which tiles are cut."""

DEMOS = ("demo", "demo:paired")
"""The built-in scenes; of the second, both domains' training images show the same."""

# Names of the paper's sets, and of many people's: horse2zebra, apple2orange_small.
_TWO_NAMES = re.compile(r"([A-Za-z]{2,})2([A-Za-z]{2,})(?![A-Za-z0-9])")
_DEMO = ("summer", "autumn")
# Folders so named say which domain it is, and not what it shows.
_LETTERS = frozenset("a b x y traina trainb testa testb train test images".split())
_LONGEST_NAME = 36  # a card's label is two of them
# What is not a folder: tfds:NAME and the like, at least two letters long, as drives are not.
_SCHEME = re.compile(r"[a-z]{2,}:")


def pairs_in_words(
    pairs: int, images_x: int, images_y: int, names: tuple[str, str] = ("X", "Y")
) -> str:
    """Say how many of the training images have a partner.

    Args:
      pairs: how many.
      images_x: of X in all.
      images_y: of Y in all.
      names: of the two.

    Returns:
      "25 pairs of the 400 images of X and 300 of Y".
    """
    plural = "" if pairs == 1 else "s"
    return (
        f"{pairs} pair{plural} of the {images_x} images of {names[0]} and {images_y} of {names[1]}"
    )


def check_source(source: str) -> None:
    """Refuse a `data.source` that is a folder without the layout; sets by name are not fetched.

    Raises:
      UserError: says what is missing, of a folder or of the packages that a set by name takes.
    """
    if source.startswith(hub.SCHEME):
        hub.check_source(source.removeprefix(hub.SCHEME))
    if is_folder(source) or source.startswith(SLIDES):
        standard_folders(Path(source.removeprefix(SLIDES)))


def is_folder(source: str) -> bool:
    """Return whether a `data.source` names a folder, which may be missing."""
    return source not in DEMOS and not _SCHEME.match(source)


def standard_folders(root: Path, field: str = "data.source") -> dict[str, Path]:
    """Find the folders of a data set in the layout of the paper.

    Args:
      root: the folder that holds them.
      field: what it was given as, for the message.

    Returns:
      name -> folder, in the order of `FOLDERS`.

    Raises:
      UserError: the data set, trainA or trainB is missing.
    """
    require_folder(root, field)
    found = {name: root / name for name in FOLDERS if (root / name).is_dir()}
    missing = [name for name in FOLDERS[:2] if name not in found]
    if missing and root.name in FOLDERS and (root.resolve().parent / FOLDERS[0]).is_dir():
        raise UserError(
            f"{field}: {root} is a part of the data set {root.parent}: give that.",
            code="missing",
            field=field,
        )
    if missing:
        raise UserError(
            f"{field}: {root} has no folder {' and none named '.join(missing)}; put domain X into "
            f"trainA and Y into trainB, or give two plain folders: {_two_folders(root)}.",
            code="missing",
            field=field,
        )
    return found


def _two_folders(root: Path) -> str:
    """The options for two plain folders, with names where the data set holds just two."""
    inner = sorted(path for path in root.iterdir() if path.is_dir() and path.name[0] != ".")
    x, y = inner if len(inner) == 2 else ("X", "Y")
    return f"--data.x_dir {x} --data.y_dir {y}"


def require_folder(folder: Path, field: str) -> None:
    """Refuse what is not a folder, with the name that may be meant.

    Raises:
      UserError: it does not exist, or is a file.
    """
    if not folder.is_dir():
        what = "is a file, and a folder is wanted" if folder.exists() else "does not exist"
        raise UserError(
            f"{field}: the folder {folder} {what}{meant(folder, Path.is_dir) or '.'}",
            code="missing",
            field=field,
        )


def check_two_folders(x_dir: str | Path, y_dir: str | Path) -> None:
    """Refuse plain folders that are not there.

    Raises:
      UserError: names the option.
    """
    for domain, folder in (("x", x_dir), ("y", y_dir)):
        require_folder(Path(folder), f"data.{domain}_dir")


def refuse_same_folders(x_dir: str | Path, y_dir: str | Path) -> None:
    """Refuse one folder for both domains: a training on it learns to change nothing.

    Raises:
      UserError: both are one folder.
    """
    if Path(x_dir).samefile(y_dir):
        raise UserError(
            f"data.x_dir and data.y_dir are the same folder, {x_dir}: there is nothing to "
            "translate between; give the other domain's folder as data.y_dir.",
            code="mismatch",
            field="data.y_dir",
        )


def domain_names(data: Mapping[str, Any]) -> tuple[str, str] | None:
    """Give the names of X and Y: those that were given, else those of the images' place.

    Args:
      data: the experiment's `data`: "name_x" and "name_y", "source", or "x_dir" and "y_dir".

    Returns:
      The two; None where they are not known, or both are the same.

    Example:
      >>> domain_names({"source": "tfds:cycle_gan/horse2zebra"})
      ('horse', 'zebra')
    """
    x, y = _names_of_place(data)
    x, y = data.get("name_x") or x, data.get("name_y") or y
    return (x, y) if x and y and x != y else None


def _names_of_place(data: Mapping[str, Any]) -> tuple[str | None, str | None]:
    if data.get("x_dir") and data.get("y_dir"):
        return _name_of_folder(data["x_dir"]), _name_of_folder(data["y_dir"])
    source = str(data.get("source", ""))
    if source in DEMOS:
        return _DEMO
    found = _TWO_NAMES.match(Path(source.rpartition(":")[2]).name.replace("_", "-"))
    return (found[1], found[2]) if found else (None, None)


def _name_of_folder(folder: str) -> str | None:
    name = Path(folder).name.replace("_", " ").strip()
    says_what = name.isprintable() and name.lower() not in _LETTERS
    return name if says_what and len(name) <= _LONGEST_NAME else None


def direction_label(
    data: Mapping[str, Any], direction: str, unknown: tuple[str, str] = ("A", "B")
) -> str:
    """Name a direction for people: "horse to zebra", else "A to B".

    Args:
      data: as for `domain_names`.
      direction: "xy" or "yx".
      unknown: what domains without names are called.
    """
    x, y = domain_names(data) or unknown
    return f"{x} to {y}" if direction == "xy" else f"{y} to {x}"
