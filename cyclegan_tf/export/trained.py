"""What is exported: a trained generator, its checkpoint, and images of its kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.assembly.training_data import open_source
from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.data.transforms import resize_bicubic
from cyclegan_tf.data.value_ranges import with_range
from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images import numbers
from cyclegan_tf.images.ranges import FULL_RANGES, RangePair, ValueRange
from cyclegan_tf.images.training_scale import TrainingScale
from cyclegan_tf.networks.builders import size_divisor_of
from cyclegan_tf.runs import checkpoints, generators, targets
from cyclegan_tf.runs.metrics_log import scores_at
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.volumes.slices import AXIAL, Cutting


@dataclass(frozen=True)
class TrainedGenerator:
    """A generator ready for export.

    Attributes:
      network: float32 (N, H, W, C) in [-1, 1] -> float32 of the same size, computing in float32.
      direction: "xy" or "yx".
      origin: description of the checkpoint or file.
      size_divisor_px: sides the network takes are multiples of this.
      size_px: side of the training crops; None where that is unknown.
      experiment: the run's resolved config; empty for a `.keras` file.
      scores: scores and losses on the test split, by name, with their step and whether weights are
        averaged.
      scale: at which it was trained; None where that is unknown.
      ranges: what its numbers mean in the files of its domains.
      cutting: how it sees volumes.
      training_images: opens images the network was trained on, or a folder in their place.
      test_images: opens images it was not trained on, where there are some, else the same.

    Example:
      >>> trained = open_trained(Path("runs/zebra"), "xy")
      >>> translated = trained.network(images)
      >>> calibration_images(trained.test_images(), 8, 256).shape
    """

    network: keras.Model
    direction: str
    origin: str
    size_divisor_px: int
    size_px: int | None
    training_images: Callable[[], ImageList]
    test_images: Callable[[], ImageList]
    experiment: dict[str, Any] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    scale: TrainingScale | None = None
    ranges: RangePair = FULL_RANGES
    cutting: Cutting = AXIAL


def open_trained(
    target: Path, direction: str, images: Path | None = None, checkpoint: str = checkpoints.BEST
) -> TrainedGenerator:
    """Load a generator out of a run directory or a `.keras` file.

    Args:
      target: run directory or file.
      direction: "xy" or "yx".
      images: a folder to take in place of the run's own data.
      checkpoint: of a run, "best", "last" or a step; see `generators.load_generator`.

    Raises:
      UserError: there is no such checkpoint, or the file is not a generator.
    """
    if target.is_dir():
        return _open_run(RunDirectory(target), direction, images, checkpoint)
    network, origin = generators.load_generator(target, direction, "float32", checkpoint)

    def of_folder() -> ImageList:
        if images is None:
            raise UserError(
                f"{target} does not record which images it was trained on, and this export needs "
                "some of that kind: give a folder of them with --images.",
                code="missing",
                field="--images",
            )
        return _folder(images, network.input_shape[-1], known.source)

    known = targets.ranges(target, direction)
    divisor = size_divisor_of(network)
    scale = generators.training_scale(target, direction)
    size_px = scale.px if scale else None
    return TrainedGenerator(
        network, direction, origin, divisor, size_px, of_folder, of_folder, scale=scale,
        ranges=known, cutting=targets.cutting(target),
    )  # fmt: skip


def _open_run(
    run: RunDirectory, direction: str, images: Path | None, checkpoint: str
) -> TrainedGenerator:
    chosen = generators.open_checkpoint(run, checkpoint)
    network = generators.generator_of_run(run, chosen, direction, "float32")
    experiment = run.experiment()
    known = targets.ranges(run.path, direction)

    def of_split(split: str) -> ImageList:
        if images is not None:
            return _folder(images, network.input_shape[-1], known.source)
        return _run_images(run, split, direction[0])

    return TrainedGenerator(
        network,
        direction,
        chosen.origin,
        size_divisor_of(network),
        experiment.data.crop_size_px,
        lambda: of_split("train"),
        lambda: of_split("test"),
        experiment.as_dict(),
        scores_at(run.metrics_path, chosen.step, chosen.weights),
        generators.training_scale(run.path, direction),
        known,
        targets.cutting(run.path),
    )


def _run_images(run: RunDirectory, split: str, domain: str) -> ImageList:
    """The run's own images of a split, or of its training split where that is empty."""
    try:
        source = open_source(run.experiment(), run.data_split())
    except UserError as error:
        raise UserError(
            f"{error} This export needs images of the kind the run was trained on; a folder of "
            "them may be given with --images.",
            code=error.code,
            field=error.field,
        ) from error
    found = getattr(source, f"{split}_{domain}")
    return found if len(found) else getattr(source, f"train_{domain}")


def _folder(folder: Path, channels: int, value_range: ValueRange | None) -> ImageList:
    paths = image_io.find_images(folder)
    if not paths:
        raise UserError(
            f"--images {folder} holds no images ({', '.join(sorted(image_io.EXTENSIONS))}).",
            code="missing",
            field="--images",
        )
    names = tuple(path.relative_to(folder).as_posix() for path in paths)
    if value_range is None:
        return ImageList(names, channels, lambda index: image_io.read(paths[index], channels))
    found = ImageList(names, channels, lambda index: numbers.read(paths[index], channels))
    return with_range(found, value_range)


def calibration_images(images: ImageList, count: int, size_px: int) -> np.ndarray:
    """Take images evenly spread over a list, each resized and cut at the center to a square.

    Args:
      images: to choose from.
      count: how many at most.
      size_px: side of the squares.

    Returns:
      float32 (min(count, len(images)), size_px, size_px, C) in [-1, 1].
    """
    chosen = np.unique(np.linspace(0, len(images) - 1, min(count, len(images))).round().astype(int))
    return np.stack(
        [image_io.to_signed(_square(images.read(int(index)), size_px)) for index in chosen]
    )


def _square(image: np.ndarray, size_px: int) -> np.ndarray:
    height, width = image.shape[:2]
    scale = size_px / min(height, width)
    height, width = max(size_px, round(height * scale)), max(size_px, round(width * scale))
    scaled = resize_bicubic(tf.constant(image), tf.constant(height), tf.constant(width)).numpy()
    top, left = (height - size_px) // 2, (width - size_px) // 2
    return scaled[top : top + size_px, left : left + size_px]
