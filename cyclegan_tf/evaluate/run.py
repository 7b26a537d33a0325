"""One evaluation from start to end: open the inputs, score each direction, collect the results."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm import tqdm

from cyclegan_tf.data.sources import UnpairedDataset
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.errors import UserError
from cyclegan_tf.evaluate import found_labels, inputs, label_maps, offline
from cyclegan_tf.evaluate.evaluator import Evaluator
from cyclegan_tf.evaluate.features import Extractor
from cyclegan_tf.evaluate.found_labels import LabelFinder
from cyclegan_tf.evaluate.offline import OfflineFeatures
from cyclegan_tf.evaluate.report import protocol
from cyclegan_tf.evaluate.results import DirectionResult, Evaluation
from cyclegan_tf.evaluate.scores import Network, Split
from cyclegan_tf.evaluate.segmenter import open_segmenter
from cyclegan_tf.features import inception
from cyclegan_tf.metrics.segmentation import Palette, read_palette
from cyclegan_tf.networks.semantic import read_range
from cyclegan_tf.runs.generators import direction_name

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EvaluationJob:
    """What to evaluate and how.

    Attributes:
      target: a run directory or a `.keras` file.
      directions: "xy", "yx" or both.
      data: other images than the run's.
      checkpoint: of a run directory: "best", "last" or a step.
      max_images: at most so many test images of each domain; None for as many as memory holds.
      require_pairs: refuse a test split that is not paired by file stem.
      palette: JSON file with the colors of label maps.
      inception: "auto", the file of the weights, or "off" for no FID and KID.
      features: networks of packages, of `features.catalog.OFFLINE`.
      seed: of all that is drawn.
      segmenter: `.keras` or `.onnx` file of a segmentation network.
      segmenter_range: black and white as it takes them, "0 to 1".
      labels: folder of label maps that it is to find.
      show_progress: draw a bar on standard error.

    Example:
      >>> found = evaluate(EvaluationJob(Path("runs/mine"), ["xy", "yx"]))
      >>> found.directions[0].scores["swd"]
    """

    target: Path
    directions: Sequence[str]
    data: inputs.DataChoice = field(default_factory=inputs.DataChoice)
    checkpoint: str = "best"
    max_images: int | None = None
    require_pairs: bool = False
    palette: str | None = None
    inception: str = "off"
    features: str = "off"
    seed: int = 0
    segmenter: str | None = None
    segmenter_range: str = "-1 to 1"
    labels: str | None = None
    show_progress: bool = False


@dataclass(frozen=True)
class _Opened:
    """The inputs of a job, read."""

    source: UnpairedDataset
    transform: ImageTransform
    split: Split
    palette: Palette | None
    label_domain: str | None
    extractor: Extractor | None
    finder: LabelFinder | None
    offline: OfflineFeatures | None
    notes: list[str]

    @property
    def pairs(self) -> str:
        if not self.split.pairs:
            return "not paired, so no truth is known"
        return f"{len(self.split.pairs)} pairs of the same file stem"


def evaluate(job: EvaluationJob) -> Evaluation:
    """Score a generator, or both of a run, on the test split.

    Raises:
      UserError: the target or the images cannot be read, or do not fit the options.
    """
    job.data.check()
    palette = read_palette(job.palette) if job.palette else None
    generators = inputs.open_generators(job.target, job.directions, job.checkpoint)
    for direction in job.directions:
        named = direction_name(job.target, direction)
        log.info("generator %s of %s", named, generators[direction][1])
    opened = _open(job, generators[job.directions[0]][0], palette)
    log.info(
        "%s; test images %s; %s",
        opened.source.description,
        protocol.sizes(opened.transform),
        opened.pairs,
    )
    training = inputs.training_images(
        opened.source,
        opened.transform,
        job.directions,
        max(len(opened.split.x), len(opened.split.y)),
    )
    descriptions = protocol.protocol(
        opened.transform,
        job.seed,
        {k: len(v) for k, v in training.items()},
        job.palette,
        job.segmenter,
    )
    evaluator = Evaluator(
        opened.split, training, job.seed, palette, opened.label_domain, opened.extractor,
        opened.finder, opened.offline,
    )  # fmt: skip
    results = _score(job, evaluator, generators, descriptions)
    names = [direction_name(job.target, direction) for direction in job.directions]
    pairs = inputs.training_pairs(job.target)
    facts = {
        **({"Directions": ", ".join(names)} if names != list(job.directions) else {}),
        **({"Trained with": pairs} if pairs else {}),
        "Data": opened.source.description,
        "Truth": opened.pairs,
        "Date": time.strftime("%Y-%m-%d %H:%M"),
    }
    return Evaluation(
        str(job.target), facts, results, [*opened.source.notes, *opened.notes], descriptions
    )


def _open(job: EvaluationJob, network: Any, palette: Palette | None) -> _Opened:
    source, transform = inputs.open_images(job.target, job.data, network, job.directions[0])
    split, notes = inputs.open_split(source, transform, job.max_images, job.require_pairs)
    label_domain = label_maps.label_domain(split, palette) if palette else None
    if job.palette and not job.segmenter:  # for which it may be
        _check_labels(job.palette, split, label_domain, job.directions)
    extractor = _open_extractor(job.inception, notes)
    finder = _open_finder(job, split, transform, palette, network.output_shape[-1])
    offline = _open_offline(job, source, transform, notes)
    return _Opened(
        source, transform, split, palette, label_domain, extractor, finder, offline, notes
    )


def _open_offline(
    job: EvaluationJob, source: UnpairedDataset, transform: ImageTransform, notes: list[str]
) -> OfflineFeatures | None:
    """Open the networks of packages, and describe the training images that may be copied."""
    if job.features == "off":
        notes.append(
            "KID-Lite0, FD-Lite0, the nearest training image and LPIPS-VGG-HED are left out; "
            "--features all adds them (extra features, no download at run time)"
        )
        return None
    opened = offline.open_offline(job.features, f"--features {job.features}")
    if opened.cached is None:
        return opened
    lists = {"x": source.train_x, "y": source.train_y}
    neighbors = {
        domain: offline.describe_training(opened.cached, images, transform)
        for domain, images in lists.items()
        if len(images)
        and images.channels in offline.CHANNELS
        and any(direction[1] == domain for direction in job.directions)
    }
    return dataclasses.replace(opened, neighbors=neighbors)


def _open_finder(
    job: EvaluationJob,
    split: Split,
    transform: ImageTransform,
    palette: Palette | None,
    channels: int,
) -> LabelFinder | None:
    """The user's segmenter and the labels of the test images, where both are given."""
    if job.segmenter is None or job.labels is None:
        return None
    value_range = read_range(job.segmenter_range)
    segmenter = open_segmenter(Path(job.segmenter), channels, value_range)
    # A folder without testA and testB is of the images translated; of both where they are partners.
    shared = ("x", "y") if split.pairs else (job.directions[0][0],)
    labels = found_labels.read_labels(
        Path(job.labels), split, transform, palette, segmenter.classes, shared
    )
    for domain, some in labels.items():
        log.info("labels of %d of %d test images of %s", len(some), len(getattr(split, domain)),
                 domain.upper())  # fmt: skip
    names = found_labels.class_names(segmenter.classes, palette)
    return LabelFinder(segmenter, labels, names, channels)


def _score(
    job: EvaluationJob,
    evaluator: Evaluator,
    generators: Mapping[str, tuple[Any, str]],
    descriptions: dict[str, str],
) -> list[DirectionResult]:
    """Score each direction; what depends on it is added to the protocol's `descriptions`."""
    networks = {
        direction: inputs.in_graph(network) for direction, (network, _) in generators.items()
    }
    results = []
    for direction in job.directions:
        with _progress(evaluator.split, direction, networks, job.show_progress) as pair:
            result, features = evaluator(direction, *pair, generators[direction][1])
        label = inputs.direction_label(job.target, job.data, direction)
        results.append(dataclasses.replace(result, label=label))
        descriptions |= result.protocol
        if features:
            descriptions[f"FID and KID, {direction}"] = features.protocol
    if evaluator.extractor:
        descriptions["Inception"] = inception.PROTOCOL
    return results


def _check_labels(
    palette: str, split: Split, domain: str | None, directions: Sequence[str]
) -> None:
    if not split.pairs:
        raise UserError(
            f"--palette {palette} needs a test split paired by file stem, and this one is not.",
            code="mismatch",
            field="--palette",
        )
    if domain is None:
        raise UserError(
            f"--palette {palette}: the test images of neither domain are drawn in its colors.",
            code="mismatch",
            field="--palette",
        )
    if all(direction[1] != domain for direction in directions):
        raise UserError(
            f"--palette {palette}: domain {domain.upper()} is drawn in its colors; give "
            f"--direction {'xy' if domain == 'y' else 'yx'}, or both.",
            code="mismatch",
            field="--direction",
        )


def _open_extractor(choice: str, notes: list[str]) -> Extractor | None:
    """Open the network of FID and KID; None, with a note, where there are no weights."""
    if choice == "off":
        notes.append(
            "FID and KID are left out; --inception auto adds them (a download of 90 MB the first "
            "time)"
        )
        return None
    try:
        return inception.open_inception(choice)
    except inception.InceptionUnavailable as error:
        notes.append(f"FID and KID are left out: {error}")
        return None


@contextlib.contextmanager
def _progress(
    split: Split, direction: str, networks: Mapping[str, Network], show: bool
) -> Iterator[tuple[Network, Network | None]]:
    """Wrap the forward and the backward generator so that each image moves a bar."""
    forward, backward = networks[direction], networks.get(direction[::-1])
    total = len(split.inputs(direction)) * (2 if backward else 1) + len(split.targets(direction))
    with tqdm(total=total, unit="image", desc=direction, disable=not show, leave=False) as bar:

        def counted(network: Network) -> Network:
            def run(batch: Any) -> Any:
                bar.update()
                return network(batch)

            return run

        yield counted(forward), counted(backward) if backward else None
