"""Translates many image files: reads ahead, translates groups of one size, writes behind."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import tensorflow as tf

from cyclegan_tf.atomic import is_of_one_name
from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.codecs import AS_SHOWN, Kept
from cyclegan_tf.images.placement import NOTHING, Placement
from cyclegan_tf.images.stacks import Stack, count_images
from cyclegan_tf.translate.beside import Beside, refuse_pages
from cyclegan_tf.translate.masked import Masking
from cyclegan_tf.translate.ranged import Meaning
from cyclegan_tf.translate.tasks import Task
from cyclegan_tf.translate.translator import Translator

# Bounds of what waits to be translated, and again of what waits to be written, an image more at
# most: two images of 20 megapixels, or 16 small ones.
WAITING_BYTES = 96 * 2**20
WAITING_IMAGES = 16
# How much the network is given at once. On a 2-core CPU the 9-block network (bfloat16) took 37 ms
# per image of 64 px alone, 25 in fours and 24 in eights, and at 256 px pairs were no gain. The
# number for GPUs is not measured.
AT_ONCE_PX = {"CPU": 4 * 64 * 64, "GPU": 8 * 256 * 256}
AT_ONCE_IMAGES = 8


@dataclass(frozen=True)
class Outcome:
    """Result of one task.

    Attributes:
      task: what was to be done.
      error: why nothing was written; None: the target is there.
      remarks: what of the source is not in the target, see `remarks.remarks_on`.

    Example:
      >>> failed = [each for each in translate_files(translator, tasks) if each.error]
    """

    task: Task
    error: UserError | None
    remarks: tuple[str, ...] = ()


def translate_files(
    translator: Translator,
    tasks: Sequence[Task],
    batch_size: int = 0,
    meaning: Meaning | None = None,
    kept: Kept = AS_SHOWN,
) -> Generator[Outcome, None, None]:
    """Translate files into files; pages and frames of one file one by one.

    The network runs in the caller's thread, reading and writing in others. Close the iterator
    (`contextlib.closing`) to stop early: it waits for the files being read or written at that
    moment, begins no others and leaves no partial ones. Memory is bounded by `WAITING_BYTES`,
    whatever the number of tasks.

    Args:
      translator: of the network.
      tasks: what to do; folders of targets are made if need be.
      batch_size: how many neighbors of one padded size the network sees at once; 0 chooses by size
        and device.
      meaning: of the files' numbers; by default that of the translator.
      kept: what of the sources is to stay as it is.

    Yields:
      One outcome per task, in their order. What is skipped, not fatal: a file that cannot be used,
      a target that cannot hold the result, or whose name the file system does not take, and a
      second image for a target already written.

    Raises:
      UserError: a target could not be written for want of space or of permission.
    """
    waiting_images = max(WAITING_IMAGES, 2 * batch_size)
    # Decoders and encoders let go of Python's lock. Two at least, or one large image would hold up
    # all others.
    pool = ThreadPoolExecutor(max(2, min(8, os.cpu_count() or 1)), "images")
    try:
        meaning, translate = meaning or Meaning(translator.ranges), Masking(translator)
        writer = _Writer(pool, waiting_images, meaning)
        beside = Beside(translator.channels, translator.output_channels, kept, meaning.pair)
        files = _Files(beside, meaning)
        found = _read_ahead(pool, tasks, files, waiting_images)
        for group in _grouped(found, translator, batch_size):
            if group[0].content is None:
                # Wait for the earlier image of the same target: whether it was written decides.
                yield from writer.finished(0)
                group = [_repeated(group[0].task, writer.written, files)]
            writer.put(_translated(translate, group, batch_size))
            yield from writer.finished()
        yield from writer.finished(0)
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class _Item:
    """A task with its image or images, read or translated, or the error; None is not read yet."""

    task: Task
    content: np.ndarray | Stack | UserError | None
    remarks: tuple[str, ...] = ()
    as_float: bool = False
    placement: Placement = NOTHING


def _read_ahead(
    pool: ThreadPoolExecutor, tasks: Sequence[Task], files: _Files, images: int
) -> Iterator[_Item]:
    """Yield every task in order with its image; repeated targets are not read."""
    todo, targets = iter(tasks), set[Path]()
    ahead: deque[tuple[Task, Future | None, int]] = deque()

    def fill() -> None:
        while len(ahead) < images and sum(size for *_, size in ahead) < WAITING_BYTES:
            task = next(todo, None)
            if task is None:
                return
            if task.target in targets:
                ahead.append((task, None, 0))
                continue
            targets.add(task.target)
            ahead.append((task, pool.submit(files.read, task), files.decoded_bytes(task)))

    fill()
    while ahead:
        task, reading, _ = ahead.popleft()
        item = _Item(task, None) if reading is None else reading.result()
        fill()
        yield item


@dataclass(frozen=True)
class _Files:
    """How files are read."""

    beside: Beside
    meaning: Meaning

    def read(self, task: Task) -> _Item:
        try:
            info, channels = image_io.probe(task.source), self.beside.channels
            placement, kept = self.beside.of(info, task.target)
            content: np.ndarray | Stack | None = None
            if count_images(info, task.target.suffix.lower()) > 1:
                content = self.meaning.read_stack(info, channels, kept)
            elif not info.more_pages:
                content = self.meaning.read(task.source, channels, kept)
            if content is None:
                raise refuse_pages(info, task.target)
            remarks = self.beside.remarks_on(info, kept, placement, task.target)
            return _Item(task, content, remarks, info.is_float, placement)
        except UserError as error:
            return _Item(task, error)

    def decoded_bytes(self, task: Task) -> int:
        try:
            info = image_io.probe(task.source)
        except UserError:
            return 0  # reading says the same
        count = count_images(info, task.target.suffix.lower())
        depth = (2 if info.bits > 8 else 1) if self.meaning.is_full else 4
        return count * info.width * info.height * self.beside.channels * depth


def _grouped(
    items: Iterator[_Item], translator: Translator, batch_size: int
) -> Iterator[list[_Item]]:
    """Group neighbors of one padded size.

    A stack, what is no image, and an image with pixels without data stay alone.
    """
    group: list[_Item] = []
    size_of_group, most = None, 1
    for item in items:
        size = (
            translator.padded_size(*item.content.shape[:2])
            if isinstance(item.content, np.ndarray) and item.placement.missing is None
            else None
        )
        if group and size != size_of_group:
            yield group
            group = []
        if not group:
            size_of_group, most = size, 1 if size is None else batch_size or _images_at_once(*size)
        group.append(item)
        if len(group) == most:
            yield group
            group = []
    if group:
        yield group


def _images_at_once(height: int, width: int) -> int:
    device = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    return max(1, min(AT_ONCE_IMAGES, AT_ONCE_PX[device] // (height * width)))


def named(task: Task, error: UserError) -> UserError:
    """Put the source's name before an error that does not say which image it is about."""
    return UserError(f"{task.source}: {error}", code=error.code, field=str(task.source))


def unwritable(target: Path, error: OSError) -> UserError:
    """Make the error of a target that cannot be written."""
    return UserError(
        f"{target} cannot be written: {error.strerror or error}.",
        code="unwritable",
        field=str(target),
    )


def refused_name(target: Path, error: OSError) -> UserError:
    """Make the error of a target whose name this file system does not take.

    Raises:
      UserError: it cannot be written for another reason, and so no other could.
    """
    if not is_of_one_name(error):
        raise unwritable(target, error) from error
    return unwritable(target, error)


def repeated_target(task: Task) -> UserError:
    """Make the error of a second image for one target."""
    return UserError(
        f"{task.source}: another image was already written to {task.target}",
        code="exists",
        field=str(task.source),
    )


def _repeated(task: Task, written: set[Path], files: _Files) -> _Item:
    if task.target in written:
        return _Item(task, repeated_target(task))
    return files.read(task)


def _translated(translate: Masking, group: Sequence[_Item], batch_size: int = 0) -> list[_Item]:
    """Translate a group's images; when they cannot be together, each alone."""
    if isinstance(group[0].content, Stack):
        return [_translated_stack(translate, group[0], group[0].content, batch_size)]
    images = [item.content for item in group if isinstance(item.content, np.ndarray)]
    if not images:
        return list(group)
    try:
        results = translate.batch(images, group[0].placement.missing)
    except (UserError, tf.errors.ResourceExhaustedError) as error:
        if len(group) > 1:
            return [done for item in group for done in _translated(translate, [item])]
        if not isinstance(error, UserError):
            error = UserError("needs more memory than this device has free", code="memory")
        return [_Item(group[0].task, named(group[0].task, error))]
    return [replace(item, content=result) for item, result in zip(group, results, strict=True)]


def _translated_stack(translate: Masking, item: _Item, stack: Stack, batch_size: int) -> _Item:
    size = translate.plain.padded_size(*stack.images[0].shape[:2])
    said = stack.placements or [NOTHING] * len(stack.images)
    holes = any(placement.missing for placement in said)
    at_once = 1 if holes else batch_size or _images_at_once(*size)
    pages = [
        _Item(item.task, image, placement=placement)
        for image, placement in zip(stack.images, said, strict=True)
    ]
    images = list[np.ndarray]()
    for first in range(0, len(pages), at_once):
        for page in _translated(translate, pages[first : first + at_once]):
            if not isinstance(page.content, np.ndarray):
                return replace(item, content=page.content)
            images.append(page.content)
    return replace(item, content=replace(stack, images=images))


class _Writer:
    """Writes images in the pool's threads and yields outcomes in the order of the tasks.

    Attributes:
      written: targets that are there, of the outcomes yielded so far.
    """

    def __init__(self, pool: ThreadPoolExecutor, images: int, meaning: Meaning) -> None:
        self.written: set[Path] = set()
        self._meaning = meaning
        self._pool = pool
        self._most = images
        self._waiting: deque[tuple[_Item, Future | UserError, int]] = deque()

    def put(self, items: Sequence[_Item]) -> None:
        """Start writing images; an error among them is only passed on."""
        for item in items:
            if isinstance(item.content, (np.ndarray, Stack)):
                saving = self._pool.submit(
                    self._meaning.save, item.task.target, item.content,
                    as_float=item.as_float, placement=item.placement,
                )  # fmt: skip
                size = item.content.nbytes
                self._waiting.append((replace(item, content=None), saving, size))
            elif item.content is not None:
                self._waiting.append((item, item.content, 0))

    def finished(self, most: int | None = None) -> Iterator[Outcome]:
        """Yield what is done, in order, until at most `most` (by default the bounds) are left.

        Raises:
          UserError: a target cannot be written, and so no other could.
        """
        most = self._most if most is None else most
        while self._waiting:
            item, saving, _ = self._waiting[0]
            is_done = isinstance(saving, UserError) or saving.done()
            within = (
                len(self._waiting) <= most
                and sum(size for *_, size in self._waiting) <= WAITING_BYTES
            )
            if within and not is_done:
                return
            self._waiting.popleft()
            yield self._outcome(item, saving)

    def _outcome(self, item: _Item, saving: Future | UserError) -> Outcome:
        task = item.task
        if isinstance(saving, UserError):
            return Outcome(task, saving)
        try:
            saving.result()
        except UserError as error:
            return Outcome(task, error)
        except OSError as error:
            return Outcome(task, refused_name(task.target, error))
        self.written.add(task.target)
        return Outcome(task, None, item.remarks)
