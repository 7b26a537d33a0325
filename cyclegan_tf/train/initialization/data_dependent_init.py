"""What a training takes from its images before its first step: "auto" fields and the color skip."""

from __future__ import annotations

import dataclasses
import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.assembly.training_data import TrainingData
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.config.networks import AUTO_VALUES
from cyclegan_tf.data.cache import ImageCache
from cyclegan_tf.devices.strategy import DistributionContext
from cyclegan_tf.images import io as image_io
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.networks import color_skip
from cyclegan_tf.networks import files as network_files
from cyclegan_tf.networks.landmarks import last_kernel_layer
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.differences import left_out_identity
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.initialization.init_from import InitFrom, weights_source

# Field -> label in the log, and a description of each of its `AUTO_VALUES`.
_DESCRIPTIONS = {
    "upsampling": ("upsample", ("transposed convolution", "resize + convolution")),
    "long_skips": ("skips", ("no long ones", "long ones")),
    "color_skip": ("colors", ("no skip connection", "skip connection around the generators")),
}
# A checkpoint's variable that is above 0 where a color skip is active.
_SKIP_PACE = "/colour_skip/pace"
_LAST_LAYER_FACTOR = 0.1
# Taking more moves the result by less than the first steps of training do.
_COLOR_IMAGES = 200


@dataclasses.dataclass(frozen=True)
class ColorShift:
    """Affine maps between the colors of two domains of as many channels.

    Attributes:
      maps: "xy" or "yx" -> matrix (C, C) and offset (C,), see `color_skip.monge_kantorovich_map`.
      stretch: by how much the stronger of both stretches or shrinks the color it changes most.

    Example:
      >>> shift = color_shift(data)
      >>> shift.is_small
      True
    """

    maps: dict[str, tuple[np.ndarray, np.ndarray]]
    stretch: float

    @property
    def is_small(self) -> bool:
        """Whether the domains' colors are similar."""
        return self.stretch <= color_skip.MAX_COLOR_STRETCH

    @property
    def description(self) -> str:
        """For the log."""
        if self.is_small:
            return f"colors are similar, stretched up to {self.stretch:.1f} times"
        return f"colors are dissimilar, stretched {self.stretch:.1f} times"


@dataclasses.dataclass(frozen=True)
class ResolvedExperiment:
    """An experiment in which nothing is left to be decided.

    Attributes:
      experiment: without "auto" where the images decide.
      color_shift: what color skips are to be initialized with; None where none are.
      descriptions: what was decided, by label, for the log.

    Example:
      >>> resolved = resolve_auto_fields(experiment, data, run)
      >>> model = build_model(resolved.experiment)
    """

    experiment: Experiment
    color_shift: ColorShift | None = None
    descriptions: dict[str, str] = dataclasses.field(default_factory=dict)


def resolve_auto_fields(
    experiment: Experiment,
    data: TrainingData,
    run: RunDirectory,
    devices: DistributionContext | None = None,
    init: InitFrom | None = None,
) -> ResolvedExperiment:
    """Decides what "auto" leaves to the images; what was decided when a run began stays.

    Long skips lead detail from the input to the output. Where the domains' colors are similar, so
    is their detail, and training starts with a sharp image; where one shows photographs and the
    other drawings, the skips carry what training must first get rid of. Resize-convolutions leave
    no grid, but print no detail as fine as a pixel: skips bring it, and where there are none
    photographs made from drawings get further from real ones (docs/results.md has the figures).

    The identity terms go where a color skip is active: G(y) = y asks that colors stay as they are
    just where G starts by changing them. Weights given one by one (loss.identity_x,
    loss.identity_y) are kept.

    Args:
      experiment: as asked.
      data: its images.
      run: where it trains.
      devices: of all machines; the chief decides.
      init: where its first weights come from.
    """
    devices = devices or DistributionContext()
    asked = [name for name in AUTO_VALUES if getattr(experiment.generator, name) == "auto"]
    decision = _Decision(dict.fromkeys(asked, "auto"), dict.fromkeys(asked, "as the chief decided"))
    if devices.is_chief:
        decision = _decide(experiment, asked, data, run, init)
    if devices.workers > 1:
        decision = _broadcast(devices, decision)
    generator = dataclasses.replace(experiment.generator, **decision.values)  # type: ignore[arg-type]
    loss = experiment.loss
    if decision.is_color_skip_active and loss.identity_x is None and loss.identity_y is None:
        loss = dataclasses.replace(loss, identity_x=0.0, identity_y=0.0)
    return ResolvedExperiment(
        dataclasses.replace(experiment, generator=generator, loss=loss),
        decision.color_shift,
        decision.describe(experiment.generator.color_skip),
    )


@dataclasses.dataclass(frozen=True)
class _Decision:
    """What became of each "auto" field, and why."""

    values: dict[str, str]
    reasons: dict[str, str]
    is_color_skip_active: bool = False
    color_shift: ColorShift | None = None

    def describe(self, color_skip_asked: str) -> dict[str, str]:
        described = {}
        for name, value in self.values.items():
            if value in AUTO_VALUES[name]:
                label, choices = _DESCRIPTIONS[name]
                choice = choices[AUTO_VALUES[name].index(value)]
                described[label] = f"{choice} ({self.reasons[name]})"
        if color_skip_asked == "on" and self.color_shift is not None:
            label, choices = _DESCRIPTIONS["color_skip"]
            described[label] = f"{choices[1]} ({self.color_shift.description})"
        return described


def _decide(
    experiment: Experiment,
    asked: list[str],
    data: TrainingData,
    run: RunDirectory,
    init: InitFrom | None,
) -> _Decision:
    """Decides on the chief."""
    source = weights_source(run, init)
    earlier = run if run.exists() else None if source is None else source[0]
    is_wanted = experiment.generator.color_skip != "off" or (bool(asked) and earlier is None)
    shift = color_shift(data) if source is None and is_wanted else None
    if earlier is None:
        values, reasons = _by_colors(experiment, asked, shift)
    else:
        begun = earlier.experiment().generator
        reason = "as when this run began" if earlier == run else "as in the run of --init_from"
        values = {name: getattr(begun, name) for name in asked}
        reasons = dict.fromkeys(asked, reason)
    skip = values.get("color_skip", experiment.generator.color_skip)
    if skip == "auto":
        # Runs of early versions say so for good: they have the layer, whether active or not.
        is_similar = shift is not None and shift.is_small
        is_active = is_similar if source is None else _is_active_in(*source)
    else:
        is_active = skip == "on" or _is_active_in_files(experiment)
    shift = shift if is_active and skip != "off" else None
    is_active = is_active or (run.exists() and left_out_identity(run.experiment()))
    return _Decision(values, reasons, is_active, shift)


def _by_colors(
    experiment: Experiment, asked: list[str], shift: ColorShift | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Values and reasons of a run that begins."""
    is_similar = shift is not None and shift.is_small
    values = {name: AUTO_VALUES[name][is_similar] for name in asked}
    reasons = dict.fromkeys(
        asked, shift.description if shift else "the domains have different channels"
    )
    if "long_skips" in asked and experiment.generator.architecture.startswith("unet"):
        values["long_skips"], reasons["long_skips"] = "off", "a U-Net has skips of its own"
    return values, reasons


def _is_active_in(run: RunDirectory, checkpoint: str) -> bool:
    """Whether the color skips of a run, if it has any, have been initialized."""
    chosen = checkpoints.select(run.checkpoints, checkpoint)
    arrays = {} if chosen is None else chosen.arrays
    return any(array > 0 for name, array in arrays.items() if name.endswith(_SKIP_PACE))


def _is_active_in_files(experiment: Experiment) -> bool:
    files = map(Path, experiment.generator.network_files.values())
    return any(network_files.facts(path).has_active_color_skip for path in files)


def _broadcast(devices: DistributionContext, decision: _Decision) -> _Decision:
    """The chief's decision on every machine; colors stay with the chief, who sends the weights."""
    known = {name: (*values, "auto") for name, values in AUTO_VALUES.items()}
    numbers = {
        name: np.array(known[name].index(value)) for name, value in decision.values.items()
    } | {"is_active": np.array(int(decision.is_color_skip_active))}
    sent = devices.broadcast(numbers)
    values = {name: known[name][int(sent[name])] for name in decision.values}
    return dataclasses.replace(
        decision, values=values, is_color_skip_active=bool(sent["is_active"])
    )


def color_shift(data: TrainingData) -> ColorShift | None:
    """Measures the training images' colors; None where the domains have different channels."""
    of_x, of_y = map(_moments, (data.cache_x, data.cache_y))
    if len(of_x.mean) != len(of_y.mean):
        return None
    maps = {
        "xy": color_skip.monge_kantorovich_map(of_x, of_y),
        "yx": color_skip.monge_kantorovich_map(of_y, of_x),
    }
    return ColorShift(maps, max(color_skip.max_stretch(matrix) for matrix, _ in maps.values()))


def initialize_from_data(model: CycleGAN, shift: ColorShift | None) -> None:
    """Initializes the color skips of both generators, and scales down what is beside them.

    Args:
      model: with random weights.
      shift: between the domains' colors; None leaves the weights as they are.
    """
    if shift is None:
        return
    for direction, (matrix, offset) in shift.maps.items():
        generator = getattr(model, f"generator_{direction}")
        generator.get_layer("colour_skip").initialize(matrix, offset)
        _scale_last_layer(generator)


def _scale_last_layer(generator: keras.Model) -> None:
    """Makes a tenth of the initial weights of the layer beside the color skip.

    Its sum of random features would else be noise as strong as the image, which the first hundreds
    of steps go into taking away again. Starting what is learned beside a skip connection near zero
    is what Fixup (Zhang et al. 2019) and ReZero (Bachlechner et al. 2020) do inside residual
    networks.
    """
    kernel = last_kernel_layer(generator).kernel
    kernel.assign(_LAST_LAYER_FACTOR * kernel)


def _moments(cache: ImageCache) -> color_skip.Moments:
    chosen = np.unique(np.linspace(0, len(cache) - 1, _COLOR_IMAGES).astype(np.int64))

    def read(index: np.int64) -> np.ndarray:
        return cache.get(tf.constant(index)).numpy()

    # What will stay in memory is read by several threads; the sums keep the order of the images.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        images = (pool.map if cache.kind == "lazy" else map)(read, chosen)
        first = next(images)
        values = image_io.to_signed(np.arange(np.iinfo(first.dtype).max + 1).astype(first.dtype))
        return color_skip.moments(itertools.chain([first], images), values)
