"""Which input file becomes which output file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io

WRITABLE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".npy")


@dataclass(frozen=True)
class Task:
    """One image to translate.

    Example:
      >>> Task(source=Path("photos/1.jpg"), target=Path("paintings/1.jpg"))
    """

    source: Path
    target: Path


def plan_tasks(source: Path, target: Path) -> list[Task]:
    """List what to translate: a file into a file or a folder, a folder into a folder, names kept.

    Raises:
      UserError: the input is missing or holds no image, the output's name cannot be written, or it
        is the input.
    """
    if source.is_dir():
        return _plan_folder(source, target)
    if not source.is_file():
        raise UserError(
            f"{source} does not exist; give an image or a folder of images.",
            code="missing",
            field=str(source),
        )
    if target.is_dir():
        return [_checked_task(source, target / writable_name(source.name))]
    if target.suffix.lower() not in WRITABLE_SUFFIXES:
        raise UserError(
            f"{target} must end in one of {', '.join(WRITABLE_SUFFIXES)}.",
            code="unsupported",
            field=str(target),
        )
    return [_checked_task(source, target)]


def _plan_folder(source: Path, target: Path) -> list[Task]:
    if target.is_file():
        raise UserError(
            f"{target} is a file, but a folder of images needs a folder to go to.",
            code="mismatch",
            field=str(target),
        )
    found = image_io.find_images(source)
    if not found:
        raise UserError(
            f"{source} holds no images ({', '.join(sorted(image_io.EXTENSIONS))}).",
            code="missing",
            field=str(source),
        )
    return [
        _checked_task(path, target / writable_name(str(path.relative_to(source)))) for path in found
    ]


def refuse_same(source: Path, target: Path) -> None:
    """Refuse to write a result over its own input.

    Raises:
      UserError: both are one file.
    """
    if os.path.exists(target) and target.samefile(source):
        raise UserError(
            f"{target} is the input itself, which would be lost; give another output.",
            code="exists",
            field=str(target),
        )


def writable_name(name: str) -> str:
    """Return the same file name, or .png where the format can be read but not written."""
    stem, suffix = os.path.splitext(name)
    return name if suffix.lower() in WRITABLE_SUFFIXES else f"{stem}.png"


def refuse_overwriting(tasks: Sequence[Task]) -> None:
    """Refuse when an output exists.

    Raises:
      UserError: says how many and what to do.
    """
    existing = [task.target for task in tasks if os.path.exists(task.target)]
    if existing:
        raise UserError(
            f"{len(existing)} of {len(tasks)} outputs exist already (first: {existing[0]}); give "
            "--overwrite to replace them, --skip_existing to go on, or another output.",
            code="exists",
            field=str(existing[0]),
        )


def _checked_task(source: Path, target: Path) -> Task:
    refuse_same(source, target)
    return Task(source, target)
