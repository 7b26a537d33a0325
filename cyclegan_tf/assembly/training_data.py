"""From an `Experiment` to its images: found, resized, cached, and put in order."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tensorflow as tf

from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.data import checksums, hub, pairs, slide_lists, sources, value_ranges
from cyclegan_tf.data.cache import ImageCache, open_cache
from cyclegan_tf.data.image_lists import Channels
from cyclegan_tf.data.layout import DEMOS, SLIDES, pairs_in_words
from cyclegan_tf.data.pipeline import SamplingOrder, find_unreadable, training_dataset
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.errors import UserError
from cyclegan_tf.images.ranges import ValueRange
from cyclegan_tf.images.slides import Scale
from cyclegan_tf.networks import builders as networks
from cyclegan_tf.networks import files as network_files
from cyclegan_tf.volumes.slices import Cutting

_PAIRS_SHARE = 0.5
"""As often as not: with a few pairs, what they say is heard, and all images are still seen."""


@dataclass(frozen=True)
class TrainingData:
    """All that is needed to make batches.

    Attributes:
      source: the images of both domains, for training and test.
      transform: how they are resized, cropped and flipped.
      order: which of them make which batch.
      cache_x: prepared training images of X.
      cache_y: of Y.
      sums: sizes and checksums of the files, as `data.checksums` gives them.

    Example:
      >>> data, notes = open_training_data(Experiment(), Path("cache"))
      >>> data.order.steps_per_epoch
    """

    source: sources.UnpairedDataset
    transform: ImageTransform
    order: SamplingOrder
    cache_x: ImageCache
    cache_y: ImageCache
    sums: checksums.Sums = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """Give what a run keeps of its images: names by list, "sums" of their files, "aspects".

        The last are width by height of training images by domain, to three digits. Where a domain
        has a range, "ranges" and "types" of numbers by domain are there, too.
        """
        caches = {"x": self.cache_x, "y": self.cache_y}
        aspects = {domain: round(cache.aspect, 3) for domain, cache in caches.items()}
        sums = {"sums": dict(self.sums)} if self.sums else {}
        names = pairs.names_of(self.order.pairs, self.source)
        partners = {"pairs": names} if names else {}
        ranges = value_ranges.record(self.source.train_x, self.source.train_y)
        return {**self.source.record(), **sums, "aspects": aspects, **partners, **ranges}

    def decided(self, experiment: Experiment) -> Experiment:
        """Put what the images have decided in place of "auto": channels and ranges.

        Args:
          experiment: whose images these are.

        Raises:
          UserError: its losses compare images of different channels.
        """
        fields: dict[str, Any] = {}
        for domain, images in (("x", self.source.train_x), ("y", self.source.train_y)):
            fields[f"channels_{domain}"] = images.channels
            if (known := images.value_range) is not None:
                fields[f"range_{domain}"] = (known.low, known.high)
        return dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, **fields))

    def batches(
        self, start_step: int, end_step: int, worker: int = 0, workers: int = 1
    ) -> Iterator[tuple[tf.Tensor, ...]]:
        """Make the batches of some steps, or one worker's slice of each.

        Args:
          start_step: the first.
          end_step: after the last.
          worker: of which the images are.
          workers: that share each batch.

        Yields:
          (real_x, real_y), float32 (N, H, W, C) in [-1, 1]; where there are partners, is_paired,
          float32 (N,), as a third.

        Raises:
          UserError: an image cannot be read any more.
        """
        batches = iter(
            training_dataset(
                self.cache_x, self.cache_y, self.order, self.transform, start_step, end_step,
                worker, workers,
            )
        )  # fmt: skip
        for step in range(start_step, end_step):
            try:
                batch = next(batches)
            except tf.errors.OpError:
                find_unreadable(self.order, step, self.source.train_x, self.source.train_y)
                raise
            yield batch


def build_transform(experiment: Experiment) -> ImageTransform:
    """Decide how the experiment's images are resized, cropped and flipped.

    Raises:
      UserError: a generator's file cannot be read.
    """
    data, files = experiment.data, experiment.generator.network_files
    multiples = [network_files.facts(Path(path)).size_divisor_px for path in files.values()]
    if len(files) < 2:
        multiples.append(networks.size_divisor(experiment.generator.architecture))
    return ImageTransform(
        mode=data.preprocess,
        load_size_px=data.load_size_px,
        crop_size_px=data.crop_size_px,
        size_divisor_px=math.lcm(*multiples),
        flip=data.flip,
    )


def open_source(
    experiment: Experiment, recorded: dict[str, list[str]] | None = None
) -> sources.UnpairedDataset:
    """Lists the experiment's images, which are read through the ranges of its domains.

    Args:
      experiment: says where they are.
      recorded: names by list, as a run of two plain folders split them when it began.

    Raises:
      UserError: a folder is missing or empty, a file is not an image, the data set cannot be had,
        or its numbers need a range.
    """
    found = _found(experiment, recorded)
    lists: dict[str, Any] = {}
    for domain in "xy":
        wanted = experiment.data.range_x if domain == "x" else experiment.data.range_y
        train, test = (getattr(found, f"{split}_{domain}") for split in ("train", "test"))
        if wanted == "full":
            value_ranges.require_white(train, domain)
            value_ranges.require_white(test, domain)
            continue
        if wanted == "auto":
            percentiles = experiment.data.range_percentiles
            known = value_ranges.find_range(train, percentiles, domain)
        else:
            known = ValueRange(*wanted, value_ranges.number_type(train or test))
        for split, images in (("train", train), ("test", test)):
            lists[f"{split}_{domain}"] = value_ranges.with_range(images, known)
    return dataclasses.replace(found, **lists)


def _found(
    experiment: Experiment, recorded: dict[str, list[str]] | None
) -> sources.UnpairedDataset:
    """The images, each read over the full range of its type."""
    data = experiment.data
    channels = _channels(experiment, "x"), _channels(experiment, "y")
    decided = data.channels("x"), data.channels("y")
    cutting = Cutting(str(data.axis), data.neighbors)
    if data.x_dir is not None and data.y_dir is not None:
        return sources.open_two_folders(
            Path(data.x_dir), Path(data.y_dir), data.test_fraction, experiment.training.seed,
            *channels, data.max_pixels, recorded, cutting,
        )  # fmt: skip
    if data.source in DEMOS:
        if decided != (3, 3):
            raise UserError(
                f"The demo's images have 3 channels, but data.channels_x, channels_y are "
                f"{decided}.",
                code="mismatch",
                field="data.channels_x",
            )
        return sources.open_demo(is_paired=data.source != "demo")
    if data.source.startswith(SLIDES):
        if decided != (3, 3):
            rule = "slides are read as RGB, with 3 channels in both domains"
            raise UserError(
                f"data.channels_x, channels_y are {decided}, but {rule}.",
                code="mismatch",
                field="data.channels_x",
            )
        root = Path(data.source.removeprefix(SLIDES))
        lists = slide_lists.open_slides(root, Scale(data.level, data.mpp), data.load_size_px)
        return sources.of_lists(f"tiles of {data.load_size_px} px of the slides in {root}", lists)
    if data.source.startswith("tfds:"):
        return sources.open_tfds(data.source.removeprefix("tfds:"), data.tfds_dir, *decided)
    if data.source.startswith(hub.SCHEME):
        return _open_hub(experiment, channels, recorded)
    return sources.open_folder(Path(data.source), *channels, data.max_pixels, cutting)


def _channels(experiment: Experiment, domain: str) -> Channels:
    """What the experiment or a network's file says; "auto" where the images' headers decide."""
    data = experiment.data
    given = data.channels_x if domain == "x" else data.channels_y
    for direction, path in experiment.generator.network_files.items():
        if given == "auto":
            facts = network_files.facts(Path(path))
            given = facts.input_channels if direction[0] == domain else facts.output_channels
    return given


def _open_hub(
    experiment: Experiment,
    channels: tuple[Channels, Channels],
    recorded: dict[str, list[str]] | None,
) -> sources.UnpairedDataset:
    """A set of the Hugging Face Hub: with its own test split, or split as two plain folders are."""
    data = experiment.data
    folder = hub.open_hub(data.source.removeprefix(hub.SCHEME), data.hf_x, data.hf_y)
    if any((folder / name).is_dir() for name in ("testA", "testB")):
        found = sources.open_folder(folder, *channels, data.max_pixels)
    else:
        found = sources.open_two_folders(
            folder / "trainA", folder / "trainB", data.test_fraction, experiment.training.seed,
            *channels, data.max_pixels, recorded,
        )  # fmt: skip
    description = found.description.replace(str(folder), data.source)
    return dataclasses.replace(found, description=description)


def open_training_data(
    experiment: Experiment,
    cache_dir: Path,
    recorded: dict[str, list[str]] | None = None,
    show_progress: bool = False,
    cache: str | None = None,
    recorded_sums: checksums.Sums | None = None,
    recorded_pairs: Sequence[Sequence[str]] | None = None,
) -> tuple[TrainingData, list[str]]:
    """Opens, reads and prepares the experiment's images.

    Args:
      experiment: says which.
      cache_dir: for prepared images, if they are kept on the disk.
      recorded: names by list, as the run began with them; None for a new run.
      show_progress: show a bar while reading.
      cache: in place of the experiment's `data.cache`.
      recorded_sums: of the images' files, when the run began; None where that is not known.
      recorded_pairs: names of the partners that the run began with; None for a new run.

    Returns:
      The data, and notes for the log.

    Raises:
      UserError: see `open_source`; or an image cannot be decoded, or a batch is larger than a
        domain.
    """
    source = open_source(experiment, recorded)
    sums = checksums.of_source(source)
    notes = [*source.notes, *_notes_of_changes(source, sums, recorded, recorded_sums)]
    transform = build_transform(experiment)
    order = _order(source, experiment, recorded_pairs)
    pairs.check_sizes(order.pairs, source, transform)
    notes += _notes_of_pairs(order)
    caches = [
        open_cache(
            images, transform, cache or experiment.data.cache, cache_dir, label, show_progress
        )
        for label, images in (("train_x", source.train_x), ("train_y", source.train_y))
    ]
    for label, kept in zip("XY", caches, strict=True):
        if kept.upscaled:
            notes.append(
                f"{kept.upscaled} of {len(kept)} images of {label} are smaller than the crop "
                f"and were enlarged"
            )
    notes += value_ranges.notes(source.train_x, source.train_y)
    return TrainingData(source, transform, order, caches[0], caches[1], sums), notes


def _notes_of_changes(
    source: sources.UnpairedDataset,
    sums: checksums.Sums,
    recorded: dict[str, list[str]] | None,
    recorded_sums: checksums.Sums | None,
) -> list[str]:
    """What has become of the images since the run began."""
    notes = []
    if recorded is not None and recorded != source.record():
        notes.append(
            "the images are not those this run began with: the order of what follows differs from "
            "what an undisturbed run would have seen"
        )
    if changed := checksums.changed_images(recorded or {}, recorded_sums or {}, source, sums):
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        notes.append(
            f"images were replaced since this run began ({', '.join(changed[:3])}{more}): what "
            "follows differs from what an undisturbed run would have come to"
        )
    return notes


def _order(
    source: sources.UnpairedDataset,
    experiment: Experiment,
    recorded_pairs: Sequence[Sequence[str]] | None,
) -> SamplingOrder:
    data = experiment.data
    found: pairs.Pairs = ()
    if data.has_pairs:
        known = pairs.recorded_pairs(recorded_pairs or (), source)
        found = known or pairs.choose_pairs(source, data.pairs, experiment.training.seed)
    counts = len(source.train_x), len(source.train_y)
    share = data.pairs_share
    if share is None:
        only_pairs = len(found) == max(counts) or experiment.discriminator.conditional
        share = 1.0 if only_pairs else _PAIRS_SHARE
    order = SamplingOrder(*counts, data.batch_size, experiment.training.seed, found, share)
    if not order.steps_per_epoch:
        raise UserError(
            f"data.batch_size is {order.batch_size}, but the larger domain has only "
            f"{max(order.count_x, order.count_y)} images; take a smaller batch.",
            field="data.batch_size",
        )
    return order


def _notes_of_pairs(order: SamplingOrder) -> list[str]:
    if not order.pairs:
        return []
    share = f"{order.pairs_share:.1%}".replace(".0%", "%")
    said = pairs_in_words(len(order.pairs), order.count_x, order.count_y)
    return [f"{said}; {share} of the images are shown with their partner"]
