"""Which input file becomes which output file."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign.content import refuse_foreign_file
from cyclegan_tf.foreign.paths import meant
from cyclegan_tf.images.folders import (
    EXTENSIONS,
    WRITTEN_SUFFIXES,
    describe_others,
    holds,
    list_folder,
    require_held,
)

log = logging.getLogger(__name__)

WRITABLE_SUFFIXES = WRITTEN_SUFFIXES


@dataclass(frozen=True)
class Task:
    """One image to translate.

    Example:
      >>> Task(source=Path("photos/1.jpg"), target=Path("paintings/1.jpg"))
    """

    source: Path
    target: Path


@dataclass(frozen=True)
class Plan:
    """What to translate.

    Attributes:
      tasks: in the order of the sources' names.
      left_out: suffix -> number of files of kinds that are not read.

    Example:
      >>> plan_tasks(Path("photos"), Path("paintings")).tasks[0].target
    """

    tasks: Sequence[Task]
    left_out: Mapping[str, int] = field(default_factory=dict)


def require_input(source: Path) -> None:
    """Refuse an input that is not there.

    Raises:
      UserError: names the path that may be meant.
    """
    if not source.exists():
        raise UserError(
            f"{source} does not exist{meant(source) or '; give an image, a folder or a video.'}",
            code="missing",
            field=str(source),
        )


def plan_tasks(
    source: Path, target: Path, into_folder: bool = False, dtype: str | None = None
) -> Plan:
    """List what to translate: a file into a file or a folder, a folder into a folder, names kept.

    A folder of results within the input is no input.

    Args:
      source: an image, or a folder.
      target: likewise.
      into_folder: the target is a folder, whether it is there or not.
      dtype: type of the numbers that targets are to hold; None for levels, which all do.

    Raises:
      UserError: the input is missing or holds no image, the output's name cannot be written, or it
        is the input.
    """
    if source.is_dir():
        return _plan_folder(source, target, dtype)
    require_input(source)
    if not source.is_file():
        refuse_foreign_file(source)  # a pipe
    if into_folder or target.is_dir():
        return Plan([_checked_task(source, target / writable_name(source.name, dtype))])
    if target.suffix.lower() not in WRITABLE_SUFFIXES:
        raise UserError(
            f"{target} must end in one of {', '.join(WRITABLE_SUFFIXES)}.",
            code="unsupported",
            field=str(target),
        )
    if dtype is not None:
        require_held(target, dtype)
    return Plan([_checked_task(source, target)])


def _plan_folder(source: Path, target: Path, dtype: str | None) -> Plan:
    if target.is_file():
        raise UserError(
            f"{target} is a file, but a folder of images needs a folder to go to.",
            code="mismatch",
            field=str(target),
        )
    if target.suffix.lower() in WRITABLE_SUFFIXES and not target.is_dir():
        raise UserError(
            f"{target} is named as an image, but {source} is a folder: name a folder for the "
            "results.",
            code="mismatch",
            field=str(target),
        )
    if target.is_dir() and target.samefile(source):
        listing = list_folder(source)  # each image is then refused as its own output
    else:
        listing = list_folder(source, leave_out=target)
    if not listing.images:
        raise UserError(
            f"{source} holds no images ({', '.join(sorted(EXTENSIONS))}).",
            code="missing",
            field=str(source),
        )
    names = _target_names([str(path.relative_to(source)) for path in listing.images], dtype)
    tasks = [
        _checked_task(path, target / name) for path, name in zip(listing.images, names, strict=True)
    ]
    return Plan(tasks, listing.others)


def _target_names(names: Sequence[str], dtype: str | None = None) -> list[str]:
    """Names of the outputs, all different: `a.gif` beside `a.png` becomes `a.gif.png`."""
    taken = {name for name in names if writable_name(name, dtype) == name}
    targets = []
    for name in names:
        target = writable_name(name, dtype)
        if target != name and target in taken:
            target = name + os.path.splitext(target)[1]
        taken.add(target)
        targets.append(target)
    return targets


def is_folder(output: str) -> bool:
    """Whether an output, as typed, is a folder, also one that is to be made."""
    return output.endswith(("/", os.sep)) or Path(output).is_dir()


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


def writable_name(name: str, dtype: str | None = None) -> str:
    """Return the same file name, or one of a kind that is written and holds the numbers.

    Args:
      name: of the source.
      dtype: of the numbers; None for levels. What .png does not hold becomes .tif.
    """
    stem, suffix = os.path.splitext(name)
    is_held = dtype is None or holds(suffix.lower(), dtype)
    if suffix.lower() in WRITABLE_SUFFIXES and is_held:
        return name
    return f"{stem}.png" if dtype is None or holds(".png", dtype) else f"{stem}.tif"


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


def remaining(tasks: Sequence[Task], skip_existing: bool, overwrite: bool) -> Sequence[Task]:
    """Give what is to be done, by what is there already.

    Args:
      tasks: all.
      skip_existing: leave out those whose output exists.
      overwrite: do them anew.

    Raises:
      UserError: an output exists, and neither is asked for.
    """
    if skip_existing:
        return [task for task in tasks if not os.path.exists(task.target)]
    if not overwrite:
        refuse_overwriting(tasks)
    return tasks


def _checked_task(source: Path, target: Path) -> Task:
    refuse_same(source, target)
    return Task(source, target)


def warn_of_left_out(plan: Plan) -> None:
    """Log which kinds of files were not read."""
    if plan.left_out:
        count, kinds = sum(plan.left_out.values()), describe_others(plan.left_out)
        log.warning("left out: %d files of kinds that are not read (%s)", count, kinds)
