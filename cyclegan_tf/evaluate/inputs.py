"""Opens what is evaluated: generators of a run or a file, and the images to score them on."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.assembly.training_data import build_transform, open_source
from cyclegan_tf.config.experiment import Data, Experiment, Loss
from cyclegan_tf.data import layout
from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.data.pipeline import evaluation_reader
from cyclegan_tf.data.sources import UnpairedDataset
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.data.volume_lists import names_to_hold_out
from cyclegan_tf.errors import UserError
from cyclegan_tf.evaluate.scores import Network, Split
from cyclegan_tf.evaluate.split import pairs_by_stem, read_images, read_split
from cyclegan_tf.images.ranges import RangePair, ValueRange
from cyclegan_tf.networks.builders import size_divisor_of
from cyclegan_tf.runs import generators, image_record, targets
from cyclegan_tf.runs.run_directory import RunDirectory

# As float32, inputs, outputs and targets of a direction take 12 bytes per pixel each.
MAX_PIXELS = 80_000_000

# The mean color of these differs from that of all by a pixel value or so.
TRAINING_IMAGES = 100


@dataclass(frozen=True)
class DataChoice:
    """Images other than the run's own; all None for the run's.

    Attributes:
      source: a folder with trainA, ..., "tfds:NAME", "hf:USER/SET" or "demo".
      x_dir: plain folder of X, all of it test images.
      y_dir: plain folder of Y.

    Example:
      >>> DataChoice(x_dir="photos", y_dir="paintings").given
      True
    """

    source: str | None = None
    x_dir: str | None = None
    y_dir: str | None = None

    def check(self) -> None:
        """Check that plain folders come in twos.

        Raises:
          UserError: one of the two plain folders without the other.
        """
        if (self.x_dir is None) != (self.y_dir is None):
            given, missing = ("x_dir", "y_dir") if self.y_dir is None else ("y_dir", "x_dir")
            raise UserError(
                f"--data.{given} is given without --data.{missing}; two plain folders need both.",
                code="missing",
                field=f"--data.{missing}",
            )

    @property
    def given(self) -> bool:
        """Whether other images than the run's are given."""
        return self.source is not None or self.x_dir is not None


def open_generators(
    target: Path, directions: Sequence[str], checkpoint: str
) -> dict[str, tuple[keras.Model, str]]:
    """Load generators in float32: of a run both directions, which cycles need.

    Args:
      target: the run directory or file.
      directions: "xy", "yx" or both.
      checkpoint: which of a run directory: "best", "last" or a step.

    Returns:
      Direction -> network and where it came from.

    Raises:
      UserError: see `generators.load_generator`.
    """
    wanted = ("xy", "yx") if target.is_dir() else directions
    return {each: generators.load_generator(target, each, "float32", checkpoint) for each in wanted}


def direction_label(target: Path, choice: DataChoice, direction: str) -> str | None:
    """Name a direction by what the domains show, as the run knows or the folders are called.

    Args:
      target: the run directory or file.
      choice: images other than the run's.
      direction: "xy" or "yx".

    Returns:
      "apples to oranges"; None where that is not known.
    """
    is_run = target.is_dir()
    known = RunDirectory(target).experiment().data if is_run else choice
    data = dataclasses.asdict(known)
    return layout.direction_label(data, direction) if layout.domain_names(data) else None


def training_pairs(target: Path) -> str:
    """Say how many pairs a run, or the run in which a `.keras` file lies, is trained on.

    Args:
      target: the run directory or file.

    Returns:
      "25 pairs of the 400 images of X and 400 of Y"; "" where there are none.
    """
    run = RunDirectory(target if target.is_dir() else target.resolve().parent)
    return image_record.pairs_in_words(run.data_path) if run.exists() else ""


def in_graph(network: keras.Model) -> Network:
    """Compile a generator, once for all images."""
    return tf.function(
        lambda batch: network(batch, training=False), reduce_retracing=True, autograph=False
    )


def open_images(
    target: Path, choice: DataChoice, network: keras.Model, direction: str
) -> tuple[UnpairedDataset, ImageTransform]:
    """Open the images to score on, at the sizes of the run.

    A `.keras` file that lies in its run directory counts as the run. Any other file needs images,
    which are then taken at their own size.

    Args:
      target: the run directory or file.
      choice: other images.
      network: the generator, whose channels and sizes count where there is no run.
      direction: the network's.

    Raises:
      UserError: no images are named, a folder is missing, or there are no test images.
    """
    choice.check()
    run = RunDirectory(target if target.is_dir() else target.resolve().parent)
    if run.exists():
        experiment = run.experiment()
        transform = build_transform(experiment)
    else:
        if not choice.given:
            raise UserError(
                f"{target} lies in no run directory, so its test images are not known; give some "
                "with --data.source, or --data.x_dir and --data.y_dir.",
                code="missing",
                field="--data.source",
            )
        experiment = _experiment_of_file(network, direction, targets.ranges(target, direction))
        transform = dataclasses.replace(
            build_transform(experiment),
            mode="none",
            size_divisor_px=size_divisor_of(network),
        )
    recorded = run.data_split()
    if choice.given:
        data = dataclasses.replace(
            experiment.data,
            source=choice.source or experiment.data.source,
            x_dir=choice.x_dir,
            y_dir=choice.y_dir,
        )
        experiment = dataclasses.replace(experiment, data=data)
        recorded = _all_for_testing(choice)
    source = open_source(experiment, recorded)
    _require_test_images(source)
    return source, transform


def _require_test_images(source: UnpairedDataset) -> None:
    empty = [domain for domain in "xy" if not getattr(source, f"test_{domain}")]
    if empty:
        raise UserError(
            f"{_name(source)} has no test images of {' and '.join(empty).upper()}; add folders "
            "testA and testB, or give images to score on with --data.x_dir and --data.y_dir.",
            code="missing",
            field="--data.source",
        )


def _experiment_of_file(network: keras.Model, direction: str, ranges: RangePair) -> Experiment:
    """Describe images for a generator that lies in no run directory."""
    channels = dict(
        zip(direction, (network.input_shape[-1], network.output_shape[-1]), strict=True)
    )
    known: dict[str, Any] = {}
    for domain, each in zip(direction, (ranges.source, ranges.target), strict=True):
        if each is not None and each != ValueRange.of_type(each.dtype):
            known[f"range_{domain}"] = (each.low, each.high)
    data = Data(channels_x=channels["x"], channels_y=channels["y"], **known)
    # Nothing is trained here; domains of different channels have no identity loss.
    return Experiment(data=data, loss=Loss(identity=0))


def _all_for_testing(choice: DataChoice) -> dict[str, list[str]] | None:
    """Record a data split by which two plain folders have test images only."""
    if choice.x_dir is None or choice.y_dir is None:
        return None
    found = {}
    for domain, folder in (("x", Path(choice.x_dir)), ("y", Path(choice.y_dir))):
        found[f"test_{domain}"] = names_to_hold_out(folder)
    return found


def open_split(
    source: UnpairedDataset, transform: ImageTransform, count: int | None, require_pairs: bool
) -> tuple[Split, list[str]]:
    """Read the test split, or as much of it as memory holds.

    Args:
      source: with test images.
      transform: their sizes.
      count: at most so many of each domain; None for as many as memory holds.
      require_pairs: refuse a split without pairs.

    Returns:
      The split, and notes on what was left out.

    Raises:
      UserError: an image cannot be read, or there are no pairs though they are required.
    """
    notes, matched = [], bool(pairs_by_stem(source.test_x.names, source.test_y.names))
    if require_pairs and not matched:
        raise UserError(_why_unpaired(source), code="mismatch", field="--require_pairs")
    most = max(len(source.test_x), len(source.test_y))
    if count is None and (affordable := _affordable(source, transform)) < most:
        count = affordable
        notes.append(
            f"{most} test images of this size do not fit into memory: {count} of each domain are "
            "scored, evenly spread (--max_images takes another number)"
        )
    split = read_split(source, transform, count)
    if matched and not split.pairs:
        text = "partners by name have different sizes and cannot be compared"
        if require_pairs:
            raise UserError(
                f"--require_pairs, but {text}.", code="mismatch", field="--require_pairs"
            )
        notes.append(f"{text}: the split counts as not paired")
    return split, notes


def _name(source: UnpairedDataset) -> str:
    """Return a data set's description without its counts."""
    return source.description.rsplit(": X ", 1)[0]


def _why_unpaired(source: UnpairedDataset) -> str:
    names_x, names_y = source.test_x.names, source.test_y.names
    fewer, more = sorted((names_x, names_y), key=len)
    alone = next((name for name in fewer if not pairs_by_stem([name], more)), None)
    example = f" ({alone} has no partner)" if alone else ""
    return (
        f"--require_pairs, but the test images of {_name(source)} are not partners by "
        f"name{example}: give both images of a pair the same file name but for the suffix."
    )


def _affordable(source: UnpairedDataset, transform: ImageTransform) -> int:
    """Estimate how many images of each domain fit into memory, by the first of each."""
    pixels = [
        int(np.prod(evaluation_reader(images, transform)(0).shape[1:3]))
        for images in (source.test_x, source.test_y)
    ]
    return max(2, MAX_PIXELS // sum(pixels))


def training_images(
    source: UnpairedDataset, transform: ImageTransform, directions: Sequence[str], min_count: int
) -> dict[str, list[np.ndarray]]:
    """Read some real training images of the domains translated to, evenly spread.

    Args:
      source: the images.
      transform: sizes; they are prepared as test images are.
      directions: "xy", "yx" or both.
      min_count: take at least so many, if there are.

    Returns:
      Domain -> images; domains without training images are missing.
    """
    lists: dict[str, ImageList] = {"x": source.train_x, "y": source.train_y}
    targets = [direction[1] for direction in directions]
    count = max(TRAINING_IMAGES, min_count)
    return {
        name: read_images(lists[name], transform, count) for name in targets if len(lists[name])
    }
