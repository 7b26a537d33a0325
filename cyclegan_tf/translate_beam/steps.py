"""The steps of a Beam pipeline: find, choose, read, translate, write, list failures.

Only names travel between machines and into memory: reading, translating and writing are fused into
one stage by every runner, and what is found there is written at once.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems
from apache_beam.metrics import Metrics
from apache_beam.ml.inference.base import ModelHandler

from cyclegan_tf.atomic import is_of_one_name, partial_name
from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.stacks import require_one
from cyclegan_tf.translate_beam.files import is_local, remove_abandoned, target_of, write_whole
from cyclegan_tf.translate_beam.models import FULL_SIZE, INPUT, OUTPUT, SIGNATURE, load_model

NAMESPACE = "cyclegan_tf"
TRANSLATED, SKIPPED, FAILED = "translated", "skipped", "failed"
FAILURES = "failures"
"""Name of the outputs that hold (source, reason)."""

# Pixels in one call of the network at most, or one image.
_AT_ONCE_PX = 2**22


@dataclass(frozen=True)
class Example:
    """An image between two steps.

    Attributes:
      source: its file.
      target: the file to be.
      pixels: uint8 or uint16 (H, W, C), before or after translation.
      error: what went wrong; None is nothing.

    Example:
      >>> Example("photos/1.jpg", "paintings/1.jpg", read(Path("photos/1.jpg"), 3))
    """

    source: str
    target: str
    pixels: np.ndarray
    error: str | None = None


class Find(beam.DoFn):
    """Pattern -> (target, source) of each file it matches outside the output folder.

    Example:
      >>> beam.Create(["photos/**"]) | beam.ParDo(Find("out"))
    """

    def __init__(self, output: str) -> None:
        self._output = output.rstrip("/") + "/"

    def process(self, pattern: str) -> Iterator[tuple[str, str]]:
        """See the class."""
        (found,) = FileSystems.match([pattern])
        for file in found.metadata_list:
            if not file.path.startswith(self._output):
                yield target_of(file.path, pattern, self._output), file.path


class ChooseSource(beam.DoFn):
    """(target, its sources) -> (source, target), unless the target is there.

    Other sources of the same target fail.

    Example:
      >>> grouped | beam.ParDo(ChooseSource(overwrite=False)).with_outputs(FAILURES, main="main")
    """

    def __init__(self, overwrite: bool) -> None:
        self._overwrite = overwrite
        self._skipped = Metrics.counter(NAMESPACE, SKIPPED)

    def process(self, found: tuple[str, Iterable[str]]) -> Iterator[Any]:
        """See the class."""
        target, sources = found[0], sorted(set(found[1]))
        for other in sources[1:]:
            yield beam.pvalue.TaggedOutput(
                FAILURES, (other, f"another image, {sources[0]}, goes to {target}")
            )
        if not self._overwrite and FileSystems.exists(target):
            self._skipped.inc()
        else:
            yield sources[0], target


class Read(beam.DoFn):
    """(source, target) -> `Example`, or a failure.

    Args:
      channels: that the network takes.

    Example:
      >>> chosen | beam.ParDo(Read(3)).with_outputs(FAILURES, main="main")
    """

    def __init__(self, channels: int) -> None:
        self._channels = channels

    def process(self, task: tuple[str, str]) -> Iterator[Any]:
        """See the class."""
        source, target = task
        try:
            yield Example(source, target, _read(source, self._channels))
        except (UserError, OSError) as error:
            yield beam.pvalue.TaggedOutput(FAILURES, (source, _reason(error, source)))


def _read(source: str, channels: int) -> np.ndarray:
    if is_local(source):
        require_one(image_io.probe(source))
        return image_io.read(source, channels)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, os.path.basename(source))
        with FileSystems.open(source, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
            copy.write_bytes(stream.read())
        require_one(image_io.probe(copy))
        return image_io.read(copy, channels)


def _reason(error: Exception, source: str) -> str:
    """Describe an error without the file's name, which stands beside it."""
    text = " ".join(str(error).split())
    _, found, after = text.partition(os.path.basename(source))
    return after.lstrip(": ") if found and after.strip(": ") else text


class SavedModelHandler(ModelHandler):
    """Runs an exported SavedModel on `Example`s for RunInference; images of one size together.

    What fails together is tried one by one, and an `Example` with its error comes out for what
    fails alone.

    Args:
      folder: of one version of a model, with saved_model.pb.
      batch_size: images in one call at most; large ones are fewer.
      at_full_size: the network sees every pixel, instead of images at its training's scale.

    Example:
      >>> read | RunInference(SavedModelHandler("shipped/saved_model/1", batch_size=8))
    """

    def __init__(self, folder: str, batch_size: int, at_full_size: bool = False) -> None:
        super().__init__(
            min_batch_size=batch_size,
            max_batch_size=batch_size,
            element_size_fn=_share(batch_size),
        )
        self._folder = folder
        self._at_full_size = at_full_size

    def load_model(self) -> Any:
        """Load the SavedModel, once per process.

        Raises:
          ModelError: it cannot be loaded.
        """
        return load_model(self._folder)

    def run_inference(
        self, batch: Sequence[Example], model: Any, inference_args: Mapping[str, Any] | None = None
    ) -> Iterable[Example]:
        """Translate a batch, in its order.

        Args:
          batch: of any sizes.
          model: of `load_model`.
          inference_args: Beam's, not used.
        """
        del inference_args
        name = FULL_SIZE if self._at_full_size and FULL_SIZE in model.signatures else SIGNATURE
        translate = model.signatures[name]
        sizes: dict[tuple[int, ...], list[int]] = {}
        for index, example in enumerate(batch):
            sizes.setdefault(example.pixels.shape, []).append(index)
        results: list[Example] = list(batch)
        for indices in sizes.values():
            for index, result in zip(
                indices, _translated(translate, [batch[i] for i in indices]), strict=True
            ):
                results[index] = result
        return results

    def get_num_bytes(self, batch: Sequence[Example]) -> int:
        """Sum the images' bytes; pickling to measure would take longer than small translations."""
        return sum(example.pixels.nbytes for example in batch)

    def get_metrics_namespace(self) -> str:
        """Put Beam's metrics beside our own counters."""
        return NAMESPACE


def _share(batch_size: int) -> Callable[[Example], int]:
    """Count images for a batch: a large one for several."""

    def counted(example: Example) -> int:
        height, width, _ = example.pixels.shape
        return min(batch_size, max(1, math.ceil(height * width * batch_size / _AT_ONCE_PX)))

    return counted


def _translated(translate: Any, examples: Sequence[Example]) -> list[Example]:
    """Translate examples of one size."""
    try:
        signed = tf.constant(np.stack([image_io.to_signed(example.pixels) for example in examples]))
        values = translate(**{INPUT: signed})[OUTPUT].numpy()
    except Exception as error:  # a model of others raises whatever it does
        if len(examples) > 1:
            return [result for example in examples for result in _translated(translate, [example])]
        lacking = isinstance(error, tf.errors.ResourceExhaustedError)
        reason = (
            "needs more memory than there is"
            if lacking
            else f"the model refuses it: {_short(error)}"
        )
        return [Example(examples[0].source, examples[0].target, examples[0].pixels, reason)]
    return [_with_pixels(example, value) for example, value in zip(examples, values, strict=True)]


def _with_pixels(example: Example, values: np.ndarray) -> Example:
    try:
        pixels, error = image_io.from_signed(values, 8 * example.pixels.itemsize), None
    except ValueError as nan:
        pixels, error = example.pixels, str(nan)
    return Example(example.source, example.target, pixels, error)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


class Write(beam.DoFn):
    """`Example` -> its file, whole or not at all; what failed goes out as (source, reason).

    Args:
      partial: folder of the files that are being written.

    Example:
      >>> translated | beam.ParDo(Write("out/.partial-1")).with_outputs(FAILURES, main="main")
    """

    def __init__(self, partial: str) -> None:
        self._partial = partial
        self._written = Metrics.counter(NAMESPACE, TRANSLATED)

    def process(self, example: Example) -> Iterator[Any]:
        """See the class.

        Raises:
          UserError: the target cannot be written, and so no other could; its name alone is a
            failure.
        """
        if example.error is not None:
            yield beam.pvalue.TaggedOutput(FAILURES, (example.source, example.error))
            return
        try:
            self._write(example)
        except UserError as error:
            yield beam.pvalue.TaggedOutput(FAILURES, (example.source, str(error)))
        except OSError as error:
            reason = f"cannot be written: {error.strerror or error}."
            if not is_of_one_name(error):
                raise UserError(
                    f"{example.target} {reason}", code="unwritable", field=example.target
                ) from error
            failure = example.source, f"{example.target} {reason}"
            yield beam.pvalue.TaggedOutput(FAILURES, failure)
        else:
            self._written.inc()

    def _write(self, example: Example) -> None:
        name = uuid.uuid4().hex + os.path.splitext(example.target)[1]
        if is_local(example.target):
            staged = Path(self._partial, name)
            image_io.save(staged, example.pixels)
            Path(example.target).parent.mkdir(parents=True, exist_ok=True)
            os.replace(staged, example.target)
            return
        with tempfile.TemporaryDirectory() as folder:
            image_io.save(Path(folder, name), example.pixels)
            data = Path(folder, name).read_bytes()
            write_whole(example.target, data, f"{self._partial}/{name}")


class WriteDeadLetters(beam.DoFn):
    """All (source, reason) -> one file of JSON lines, sorted, whole; also an empty one.

    Example:
      >>> failures | beam.combiners.ToList() | beam.ParDo(WriteDeadLetters("out/dead.jsonl"))
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._failed = Metrics.counter(NAMESPACE, FAILED)

    def process(self, failures: Sequence[tuple[str, str]]) -> None:
        """See the class.

        Raises:
          UserError: the file cannot be written.
        """
        found = sorted(set(failures))
        self._failed.inc(len(found))
        lines = [
            json.dumps({"path": path, "reason": reason}, ensure_ascii=False) + "\n"
            for path, reason in found
        ]
        try:
            folder = os.path.dirname(self._path)
            if not is_local(self._path):
                remove_abandoned(folder)
            partial = f"{folder}/{partial_name('.jsonl')}"
            write_whole(self._path, "".join(lines).encode(errors="backslashreplace"), partial)
        except OSError as error:
            raise UserError(
                f"{self._path} cannot be written: {error.strerror or error}.",
                code="unwritable",
                field=self._path,
            ) from error
