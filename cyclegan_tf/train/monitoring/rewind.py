"""A run's logs as they were at a checkpoint: a resumed training writes the rest again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import tensorflow as tf

from cyclegan_tf.atomic import atomic_file
from cyclegan_tf.runs.metrics_log import keep_rows
from cyclegan_tf.runs.run_directory import RunDirectory

TRAIN, TEST, SCORE, SAMPLES, WARNING = "train", "test", "score", "samples", "warning"


def rewind(run: RunDirectory, step: int, again: Collection[str] = ()) -> None:
    """Drops from metrics.jsonl and from TensorBoard's files what will be written again.

    Args:
      run: locked by the caller.
      step: of the checkpoint; 0 without one. All that is later goes, and without one what a start
        writes, too.
      again: kinds that go at this very step, too, since the end of the training is repeated.

    Raises:
      OSError: a file cannot be written.
    """

    def stays(kind: str, at: int) -> bool:
        return at < step or (at == step > 0 and kind not in again)

    keep_rows(run.metrics_path, stays)
    for path in sorted(run.logs.glob("**/events.out.tfevents.*")):
        _keep_events(path, stays)


def _keep_events(path: Path, stays: Callable[[str, int], bool]) -> None:
    """Rewrites a file of events, if any of them is to go."""

    def wanted(record: bytes) -> bool:
        event = tf.compat.v1.Event.FromString(record)
        tags = [value.tag for value in event.summary.value]
        return all(stays(_kind(path.parent.name, tag), event.step) for tag in tags)

    if all(map(wanted, _records(path))):
        return
    with atomic_file(path) as partial, tf.io.TFRecordWriter(str(partial)) as writer:
        for record in filter(wanted, _records(path)):
            writer.write(record)


def _records(path: Path) -> Iterator[bytes]:
    """Whole records of a file; what follows a damaged one, or one cut short, cannot be read."""
    try:
        for record in tf.data.TFRecordDataset(str(path)):
            yield record.numpy()
    except tf.errors.DataLossError:
        return


def _kind(folder: str, tag: str) -> str:
    """What a curve's point belongs to, in the words of metrics.jsonl."""
    if folder == TRAIN:
        return TRAIN
    if tag.startswith(("score/", "speed/scoring")):
        return SCORE
    for kind in (WARNING, SAMPLES):
        if tag.startswith(kind):
            return kind
    return TEST
