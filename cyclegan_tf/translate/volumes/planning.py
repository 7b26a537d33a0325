"""Which volume becomes which, looked at before TensorFlow is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

from cyclegan_tf.errors import UserError
from cyclegan_tf.images.folders import list_folder
from cyclegan_tf.translate.tasks import Plan, Task, is_folder, refuse_same, remaining
from cyclegan_tf.volumes import opening
from cyclegan_tf.volumes.dicom import SUFFIX as SLICE_SUFFIX
from cyclegan_tf.volumes.geometry import AXES, NAMED_AXES

DIRECTIONS = (1, 3)
"""What `--directions` takes."""

_OF_IMAGES = ("tile_px", "labels", "temporal_half_life_frames")
_OF_VOLUMES = ("axis", "directions")


def takes_volumes(source: Path) -> bool:
    """Return whether an input is a volume, or a folder of volumes and no images.

    Raises:
      UserError: it is one file of a DICOM series.
    """
    if source.suffix.lower() == SLICE_SUFFIX and source.is_file():
        raise UserError(
            f"{source} is one slice of a DICOM series: give its folder, {source.parent}.",
            code="unsupported",
            field=str(source),
        )
    if opening.is_volume(source):
        return True
    return source.is_dir() and not list_folder(source).images and opening.holds_volumes(source)


def check_options(options: Mapping[str, Any], of_volumes: bool) -> None:
    """Refuse options that do not go with the input, and numbers of directions that are none.

    Args:
      options: by name, without dashes.
      of_volumes: whether the input is volumes.

    Raises:
      UserError: names the option.
    """
    for name in _OF_IMAGES if of_volumes else _OF_VOLUMES:
        if options[name]:
            has, wants = ("volumes", "images") if of_volumes else ("none", "volumes")
            raise UserError(
                f"--{name} is for {wants}, and the input is {has}; leave the option out.",
                code="mismatch",
                field=f"--{name}",
            )
    if options["directions"] and options["directions"] not in DIRECTIONS:
        raise UserError(
            f"--directions is {options['directions']}; give 1, the axis of training, or 3, which "
            "averages axial, coronal and sagittal.",
            field="--directions",
        )
    if options["axis"] and options["axis"] not in AXES:
        raise UserError(
            f"--axis is {options['axis']!r}; give one of {', '.join(AXES)}.", field="--axis"
        )
    if options["axis"] and options["directions"] == 3:
        raise UserError(
            "--directions 3 takes all axes; leave --axis out.", code="mismatch", field="--axis"
        )


def plan_volumes(source: Path, target: Path, into_folder: bool) -> Plan:
    """List what to translate: a volume into a volume, a folder into a folder, names kept.

    Args:
      source: a volume's file, a folder of a DICOM series, or a folder of volumes.
      target: likewise.
      into_folder: the target is a folder, whether it is there or not.

    Raises:
      UserError: the output's name cannot be written, or it is the input.
    """
    if not opening.is_volume(source):
        listing = opening.list_volumes(source, leave_out=target)
        tasks = [_task(path, target / path.relative_to(source)) for path in listing.volumes]
        return Plan(tasks, listing.others)
    if into_folder and not source.is_dir():
        target /= source.name
    return Plan([_task(source, target)])


def planned(arguments: Namespace) -> tuple[Plan, Sequence[Task]]:
    """List what a command line asks for, and what of it is to be done.

    Raises:
      UserError: see `plan_volumes`; or an output exists already.
    """
    plan = plan_volumes(Path(arguments.input), Path(arguments.output), is_folder(arguments.output))
    return plan, remaining(plan.tasks, arguments.skip_existing, arguments.overwrite)


def axes_of(directions: int | None, axis: str) -> tuple[str, ...]:
    """Give the axes that volumes are cut along.

    Args:
      directions: as asked for; None for 1.
      axis: of one direction.
    """
    return tuple(reversed(NAMED_AXES)) if directions == 3 else (axis,)


def _task(source: Path, target: Path) -> Task:
    opening.check_target(target, source.is_dir())
    refuse_same(source, target)
    return Task(source, target)
