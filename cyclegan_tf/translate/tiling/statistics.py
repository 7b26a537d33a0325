"""Which statistics tiles are normalized by: of the whole image, or around each place."""

from __future__ import annotations

import logging
from pathlib import Path

from cyclegan_tf.data.transforms import CROPPING
from cyclegan_tf.errors import UserError
from cyclegan_tf.runs import generators
from cyclegan_tf.runs.run_directory import RunDirectory

WHOLE, LOCAL, AUTO = "whole", "local", "auto"

log = logging.getLogger(__name__)


def patch_px(target: Path, direction: str, wanted: str, given_px: int = 0) -> int:
    """Give the side of the patches that statistics are measured in; 0 for the whole image.

    Args:
      target: a run directory or a `.keras` file.
      direction: "xy" or "yx".
      wanted: "whole", "local", or "auto", which is local where training cut crops out of images as
        they are, and whole where it brought images to one scale first or nothing says.
      given_px: as asked for; 0 for that of training.

    Raises:
      UserError: local is wanted, and nothing says how large crops were; or a size is given for the
        whole image.
    """
    if given_px and wanted == WHOLE:
        raise UserError(
            "--patch_px is for --statistics local, and --statistics is whole; leave one out.",
            code="mismatch",
            field="--patch_px",
        )
    if wanted == WHOLE:
        return 0
    if given_px:
        return given_px
    crop_px, as_they_are = _crop(target, direction)
    if wanted == LOCAL and not crop_px:
        raise UserError(
            f"{target} does not say how large the crops of its training were: give --patch_px, say "
            "256, or --statistics whole.",
            code="missing",
            field="--patch_px",
        )
    if wanted == AUTO and not as_they_are:
        return 0
    log.info("normalized by the statistics of %d px around each place", crop_px)
    return crop_px


def _crop(target: Path, direction: str) -> tuple[int, bool]:
    """The side of training's crops, 0 where unknown, and whether images were not resized before."""
    if target.is_dir():
        data = RunDirectory(target).experiment().data
        side = data.crop_size_px if data.preprocess in CROPPING else 0
        return side, data.preprocess == "crop"
    scale = generators.training_scale(target, direction)
    return (scale.px or 0) if scale else 0, False
