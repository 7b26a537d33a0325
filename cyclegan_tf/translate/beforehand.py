"""What a command line of `translate` asks for, looked at before TensorFlow is imported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyclegan_tf.errors import UserError
from cyclegan_tf.images.headers import MAX_PIXELS
from cyclegan_tf.images.probing import ANY_NUMBER, probe, refuse_cut_off
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.runs.targets import check_target, input_channels, is_target
from cyclegan_tf.translate import tasks

AUTO, FULL = "auto", "full"
"""Words that `--size` takes beside a number."""

_NUMBERS = (
    "batch_size",
    "tile_px",
    "overlap_px",
    "patch_px",
    "level",
    "mpp",
    "temporal_half_life_frames",
)


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse numbers below 0, and a size that is none.

    Args:
      options: by name, without dashes.

    Raises:
      UserError: names the option.
    """
    for name in _NUMBERS:
        if options[name] is not None and options[name] < 0:
            raise UserError(
                f"--{name} must be 0 or more, and is {options[name]}.", field=f"--{name}"
            )
    check_size(options["size"])


def check_size(wanted: str) -> None:
    """Refuse what `--size` does not take.

    Raises:
      UserError: it is neither auto nor full nor a number of pixels.
    """
    is_number = wanted.isascii() and wanted.isdecimal() and int(wanted) > 0
    if wanted not in (AUTO, FULL) and not is_number:
        raise UserError(
            f"--size is {wanted!r}; give auto, full, or a number of pixels such as 256.",
            field="--size",
        )


def check_run(target: str, checkpoint: str, others: tuple[str, ...], usage: str) -> None:
    """Look for the generator.

    Args:
      target: the run directory or file.
      checkpoint: as asked for.
      others: input and output, of which one may be the run: then the order is wrong.
      usage: the line that says the order.

    Raises:
      UserError: see `check_target`.
    """
    try:
        check_target(Path(target), checkpoint)
    except UserError as error:
        for name in others:
            if is_target(Path(name)):
                raise UserError(
                    f"{target} stands where {name} belongs; the order is {usage}",
                    code=error.code,
                    field=error.field,
                ) from error
        raise


def may_see_every_pixel(target: Path) -> bool:
    """Whether an image at the scale of training may be one at full size.

    So it is where training cut crops out of images as they are; and a file may hold no scale.

    Args:
      target: the run directory or file.
    """
    if not target.is_dir():
        return True
    return RunDirectory(target).experiment().data.preprocess in ("crop", "none")


def check_image(path: Path, target: Path, direction: str, in_tiles: bool) -> None:
    """Refuse the one image of a command that cannot be translated.

    Args:
      path: the image.
      target: the run directory or file.
      direction: "xy" or "yx".
      in_tiles: whether a TIFF may be read by strips, and so be of any size.

    Raises:
      ImageError: it is no image, is damaged, cut off or too large, or has other channels than the
        network takes.
    """
    info = probe(path, ANY_NUMBER)
    if not in_tiles or info.format != "TIFF":
        info = probe(path, MAX_PIXELS)
    channels = input_channels(target, direction)
    if channels is not None:
        info.require_channels(channels)
    refuse_cut_off(info)


def video_target(source: Path, output: str, of_images: Mapping[str, object]) -> Path:
    """Give the file that a video becomes.

    Args:
      source: the video.
      output: as it was given, a file or a folder.
      of_images: options that a video knows nothing of, by name without dashes; one that is given is
        refused.

    Raises:
      UserError: there is no such video, it would replace itself, or an option is of images.
    """
    for name, value in of_images.items():
        if value:
            raise UserError(
                f"--{name} is for images, and {source} is a video; leave the option out.",
                code="mismatch",
                field=f"--{name}",
            )
    tasks.require_input(source)
    target = Path(output)
    target = target / source.name if tasks.is_folder(output) else target
    tasks.refuse_same(source, target)
    return target
