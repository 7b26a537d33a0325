"""Translates the volumes of a command line, with progress, and says what became of them."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import keras
from jsonargparse import Namespace
from tqdm import tqdm

from cyclegan_tf.errors import UserError
from cyclegan_tf.networks.builders import size_divisor_of
from cyclegan_tf.runs import targets
from cyclegan_tf.translate.folder import unwritable
from cyclegan_tf.translate.sizing import Sizing
from cyclegan_tf.translate.tasks import Task
from cyclegan_tf.translate.translator import Translator
from cyclegan_tf.translate.volumes.planning import axes_of
from cyclegan_tf.translate.volumes.translation import VolumeTranslator

log = logging.getLogger(__name__)


def translate_volumes(
    translate: VolumeTranslator,
    tasks: Sequence[Task],
    sizing: Sizing,
    *,
    skips: bool,
    replace: bool,
    show_progress: bool,
) -> int:
    """Translate volumes into volumes.

    Args:
      translate: of the network.
      tasks: what to do.
      sizing: for remarks on sizes.
      skips: whether a volume that cannot be used is named and passed over.
      replace: put series in the place of folders that are there.
      show_progress: bars on standard error, of the slices of each volume.

    Returns:
      How many could not be translated.

    Raises:
      UserError: of a volume that cannot be used, unless these are passed over; or a target cannot
        be written.
    """
    failed, remarks = 0, dict[str, None]()
    for task in tasks:
        try:
            remarks |= dict.fromkeys(_one(translate, task, sizing, replace, show_progress))
        except UserError as error:
            if not skips or error.code == "unwritable":
                raise
            failed += 1
            tqdm.write(f"skipped: {error}", file=sys.stderr)
    for remark in remarks:
        log.warning("slices are %s", remark)
    if translate.clipped.outside:
        log.warning(
            "%.2f%% of the numbers lay outside the range of training, %s, and were clipped",
            100 * translate.clipped.share,
            translate.ranges.source or "that of their type",
        )
    return failed


def translator_of(arguments: Namespace, network: keras.Model, sizing: Sizing) -> VolumeTranslator:
    """Make what a command line asks for of a generator.

    Args:
      arguments: of the command line.
      network: the generator.
      sizing: at which size it is to see slices.
    """
    run = Path(arguments.run)
    cutting = targets.cutting(run)
    return VolumeTranslator(
        Translator(network, size_divisor_of(network), sizing.scale),
        targets.ranges(run, arguments.direction),
        axes_of(arguments.directions, arguments.axis or cutting.axis),
        cutting.neighbors,
        arguments.batch_size or 1,
    )


def _one(
    translate: VolumeTranslator, task: Task, sizing: Sizing, replace: bool, show_progress: bool
) -> tuple[str, ...]:
    volume = translate.open(task.source)
    name = Path(task.source).name
    with (
        contextlib.closing(translate.steps(volume, task.target, replace)) as steps,
        tqdm(
            total=translate.count(volume), desc=name, unit="slice", disable=not show_progress
        ) as bar,
    ):
        try:
            for done in steps:
                bar.update(done)
        except OSError as error:
            raise unwritable(task.target, error) from error
    i, j, _ = volume.voxels.shape
    return sizing.remarks(j, i)
