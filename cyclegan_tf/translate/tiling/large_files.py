"""Translates files one after the other, those larger than a tile in tiles, page by page."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np
from jsonargparse import Namespace
from tqdm import tqdm

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.codecs import AS_SHOWN, Kept, read_alpha
from cyclegan_tf.images.headers import ImageInfo
from cyclegan_tf.images.placement import Placement
from cyclegan_tf.images.probing import ANY_NUMBER
from cyclegan_tf.images.ranges import FULL_RANGES
from cyclegan_tf.images.stacks import count_images
from cyclegan_tf.images.strips import WholeImage, open_rows, require_writer, save_rows
from cyclegan_tf.translate.beside import Beside, refuse_pages
from cyclegan_tf.translate.folder import Outcome, named, refused_name, repeated_target
from cyclegan_tf.translate.masked import Masking
from cyclegan_tf.translate.ranged import Meaning, SignedRows, typed_rows
from cyclegan_tf.translate.tasks import Task
from cyclegan_tf.translate.tiling.tilers import Tiler, describe_cost
from cyclegan_tf.translate.translator import Translator

log = logging.getLogger(__name__)


def tiler_of(arguments: Namespace, network: keras.Model, tile_px: int) -> Tiler:
    """Make what the options of a command line ask for.

    Args:
      arguments: of `translate`.
      network: the generator.
      tile_px: side of a tile.

    Raises:
      UserError: the tiles do not do for the network.
    """
    from cyclegan_tf.networks.builders import size_divisor_of
    from cyclegan_tf.translate.tiling import local, statistics, tiled

    shape = network, size_divisor_of(network), tile_px, arguments.overlap_px
    patch_px = statistics.patch_px(
        Path(arguments.run), arguments.direction, arguments.statistics, arguments.patch_px
    )
    return local.LocalTranslator(*shape, patch_px) if patch_px else tiled.TiledTranslator(*shape)


def translate_large_files(
    translator: Tiler,
    whole: Translator,
    tasks: Sequence[Task],
    show_progress: bool,
    meaning: Meaning | None = None,
    kept: Kept = AS_SHOWN,
) -> Generator[Outcome, None, None]:
    """Translate files one after the other, those larger than a tile in tiles.

    A TIFF is read and written by strips where it can be (see `images.strips`), any other format
    decoded and encoded whole.

    Args:
      translator: for images of more than a tile.
      whole: for all others.
      tasks: what to do; folders of targets are made if need be.
      show_progress: whether to draw a bar for each large image.
      meaning: of the files' numbers; levels by default.
      kept: what of the sources is to stay as it is.

    Yields:
      One outcome per task, in their order; as `folder.translate_files`.

    Raises:
      UserError: a target could not be written for want of space or of permission, or a library is
        missing.
    """
    for task in tasks:
        require_writer(task.target)
    written: set[Path] = set()
    meaning = meaning or Meaning(FULL_RANGES)
    beside = Beside(translator.channels, translator.output_channels, kept, meaning.pair)
    work = _Files(translator, Masking(whole), beside, meaning, show_progress)
    for task in tasks:
        error: UserError | None = None
        remarks: tuple[str, ...] = ()
        if task.target in written:
            error = repeated_target(task)
        else:
            try:
                remarks = work.translate(task)
                written.add(task.target)
            except image_io.ImageError as found:
                error = found
            except UserError as found:
                error = named(task, found)
            except OSError as found:
                error = refused_name(task.target, found)
        yield Outcome(task, error, remarks)


@dataclass(frozen=True)
class _Files:
    """Translates one file after the other."""

    translator: Tiler
    whole: Masking
    beside: Beside
    meaning: Meaning
    show_progress: bool

    def translate(self, task: Task) -> tuple[str, ...]:
        """Translate a file; return its remarks."""
        info = image_io.probe(task.source, ANY_NUMBER)
        placement, kept = self.beside.of(info, task.target, pixels=False)
        task.target.parent.mkdir(parents=True, exist_ok=True)
        if info.more_pages:
            self._translate_pages(task, info, kept)
        else:
            self._translate_image(task, info, kept, placement)
        return self.beside.remarks_on(info, kept, placement, task.target)

    def _translate_image(
        self, task: Task, info: ImageInfo, kept: Kept, placement: Placement
    ) -> None:
        source, target = self.meaning.pair.source, self.meaning.pair.target
        as_stored = source is not None
        with open_rows(task.source, self.beside.channels, kept, as_stored=as_stored) as opened:
            image = SignedRows(opened, self.meaning, task.source)
            alpha = read_alpha(info) if kept.alpha else None
            placement = replace(placement, alpha=alpha, missing=image.missing)
            with contextlib.closing(self._rows(image, task.source.name, task.target)) as rows:
                save_rows(
                    task.target,
                    typed_rows(rows, target),
                    (image.height, image.width, self.translator.output_channels),
                    np.dtype(target.dtype) if target else image.dtype,
                    as_float=info.is_float and self.meaning.is_full,
                    placement=placement,
                )

    def _translate_pages(self, task: Task, info: ImageInfo, kept: Kept) -> None:
        several = count_images(info, task.target.suffix.lower()) > 1
        channels = self.beside.channels
        stack = self.meaning.read_stack(info, channels, kept) if several else None
        if stack is None:
            raise refuse_pages(info, task.target)
        images = []
        for number, (page, placement) in enumerate(
            zip(stack.images, stack.placements, strict=True)
        ):
            image = WholeImage(page, placement.missing)
            name = f"{task.source.name}, page {number + 1}"
            images.append(np.concatenate(list(self._rows(image, name, task.target))))
        stack = replace(stack, images=images)
        self.meaning.save(task.target, stack, as_float=info.is_float and self.meaning.is_full)

    def _rows(
        self, image: WholeImage | SignedRows, name: str, target: Path
    ) -> Generator[np.ndarray, None, None]:
        height, width = image.height, image.width
        if self.translator.tiling(height, width).count == 1:
            yield self.whole.batch([image.read(0, height)], image.missing)[0]
            return
        cost = self.translator.cost(height, width, target.parent)
        log.info("%s: %s", name, describe_cost(cost, width, height))
        with tqdm(
            total=cost.tiles * cost.rounds, unit="tile", disable=not self.show_progress, leave=False
        ) as bar:
            yield from self.translator.rows(image, target.parent, bar.update)
