"""Translates whole slides: where there is tissue, tile by tile, into pyramidal OME-TIFF."""

from __future__ import annotations

import contextlib
import logging
import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from cyclegan_tf.errors import UserError
from cyclegan_tf.images.folders import list_folder
from cyclegan_tf.images.pyramids import save_pyramid
from cyclegan_tf.images.slides import OME_SUFFIXES, SUFFIXES, Scale, is_slide, open_slide
from cyclegan_tf.translate.tasks import Task, refuse_same
from cyclegan_tf.translate.tiling.local import LocalTranslator
from cyclegan_tf.translate.tiling.tilers import Tiler, describe_cost

Background = Literal["keep", "white"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tissue:
    """Where tissue lies on a slide.

    Attributes:
      mask: bool (h, w) over the whole slide.
      height: of the slide, in pixels.
      width: of the slide, in pixels.

    Example:
      >>> Tissue(np.array([[False, True]]), 100, 200).rows(0, 1)[0, 150]
      True
    """

    mask: np.ndarray
    height: int
    width: int

    def rows(self, top: int, bottom: int) -> np.ndarray:
        """bool (bottom - top, width)."""
        down = np.arange(top, bottom) * self.mask.shape[0] // self.height
        across = np.arange(self.width) * self.mask.shape[1] // self.width
        return self.mask[down][:, across]

    def is_in(self, top: int, left: int, height: int, width: int) -> bool:
        """Whether there is some in a part, which may reach beyond the slide."""
        high, wide = self.mask.shape
        first = max(0, top) * high // self.height, max(0, left) * wide // self.width
        last = (
            -(-max(0, top + height) * high // self.height),
            -(-max(0, left + width) * wide // self.width),
        )
        return bool(self.mask[first[0] : last[0], first[1] : last[1]].any())


def slide_tasks(source: Path, target: Path, asked: bool, into_folder: bool) -> list[Task]:
    """List the slides of an input; empty where it holds none.

    Args:
      source: a slide, or a folder.
      target: a .ome.tif file, or a folder.
      asked: whether a level or a pixel size is asked for, so that OME-TIFFs are slides.
      into_folder: the target is a folder, whether it is there or not.

    Raises:
      UserError: the output is not named .ome.tif, or is the input.
    """
    if source.is_dir():
        found = list_folder(source, suffixes=(*SUFFIXES, ".tif", ".tiff")).images
        paths = [path for path in found if is_slide(path, asked)]
        tasks = [Task(path, target / _named(path.relative_to(source))) for path in paths]
    elif not is_slide(source, asked):
        return []
    elif into_folder or target.is_dir():
        tasks = [Task(source, target / _named(Path(source.name)))]
    else:
        if not target.name.lower().endswith(OME_SUFFIXES):
            raise UserError(
                f"{target} must end in .ome.tif: a slide becomes a pyramidal OME-TIFF.",
                code="unsupported",
                field=str(target),
            )
        tasks = [Task(source, target)]
    for task in tasks:
        refuse_same(task.source, task.target)
    return tasks


def _named(path: Path) -> Path:
    return path.with_name(re.sub(r"(\.ome)?\.[^.]+$", "", path.name, flags=re.I) + ".ome.tif")


def translate_slides(
    tiler: Tiler,
    tasks: Sequence[Task],
    scale: Scale,
    background: Background,
    show_progress: bool,
) -> Generator[Task, None, None]:
    """Translate slides one after the other; yields each task when it is done.

    Where there is no tissue the network is not asked (with local statistics), and the output is the
    input ("keep") or white.

    Args:
      tiler: of a network of RGB images.
      tasks: see `slide_tasks`.
      scale: which pixels.
      background: what stands where there is no tissue.
      show_progress: whether to draw a bar for each.

    Raises:
      UserError: a slide cannot be read, or the network takes other images than RGB.
    """
    if tiler.channels != 3 or (tiler.output_channels != 3 and background == "keep"):
        raise UserError(
            f"slides are RGB, and this network takes {tiler.channels} channels and gives "
            f"{tiler.output_channels} (--background white where it takes 3 and gives others).",
            code="mismatch",
            field="--background" if tiler.channels == 3 else "run",
        )
    for task in tasks:
        with open_slide(task.source, scale) as slide:
            tissue = Tissue(slide.tissue(), slide.height, slide.width)
            task.target.parent.mkdir(parents=True, exist_ok=True)
            cost = tiler.cost(slide.height, slide.width, task.target.parent)
            log.info(
                "%s: %s; %.0f %% is tissue, %s",
                task.source.name,
                describe_cost(cost, slide.width, slide.height),
                100 * tissue.mask.mean(),
                f"{slide.mpp:.4g} microns per pixel" if slide.mpp else "of unknown pixel size",
            )
            only = {"is_wanted": tissue.is_in} if isinstance(tiler, LocalTranslator) else {}
            with (
                tqdm(
                    total=cost.tiles * cost.rounds, unit="tile", disable=not show_progress,
                    leave=False,
                ) as bar,
                contextlib.closing(
                    tiler.rows(slide, task.target.parent, bar.update, **only)
                ) as rows,
            ):  # fmt: skip
                shape = (slide.height, slide.width, tiler.output_channels)
                laid = _on_background(rows, slide, tissue, background)
                save_pyramid(task.target, laid, shape, slide.mpp)
        yield task


def _on_background(
    rows: Iterator[np.ndarray], slide: Any, tissue: Tissue, background: Background
) -> Iterator[np.ndarray]:
    top = 0
    for part in rows:
        bottom = top + len(part)
        other: Any = slide.read(top, bottom) if background == "keep" else np.uint8(255)
        yield np.where(tissue.rows(top, bottom)[..., np.newaxis], part, other)
        top = bottom
