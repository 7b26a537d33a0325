"""What a training takes from its images before its first step."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.assembly import TrainingData
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.config.networks import AUTO_VALUES
from cyclegan_tf.data.cache import ImageCache
from cyclegan_tf.devices.strategy import DistributionContext
from cyclegan_tf.images import io as image_io
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.networks import color_skip as colors
from cyclegan_tf.networks.landmarks import last_kernel_layer
from cyclegan_tf.runs.run_directory import RunDirectory

# For people: in words, what each choice is of and what may be chosen.
_TOLD = {
    "upsampling": ("doubling", ("transposed convolution", "resize + convolution")),
    "long_skips": ("skips", ("no long ones", "long ones")),
}
_QUIET = 0.1
# Taking more moves the result by less than the first steps of training do.
_COLOR_IMAGES = 200


def chosen(
    experiment: Experiment,
    feed: TrainingData,
    run: RunDirectory,
    devices: DistributionContext | None = None,
) -> tuple[Experiment, dict[str, str]]:
    """Decides what "auto" leaves to the images; what a run has decided when it began stays.

    Long skips lead detail from the input to the output. Where the domains' colors are of one kind,
    so is their detail, and training starts with a sharp image; where one shows photographs and the
    other drawings, the skips carry what training must first get rid of. Resize-convolutions leave
    no grid, but print no detail as fine as a
    pixel: skips bring it, and where there are none photographs made from drawings get further from
    real ones (docs/results.md has the figures).

    Args:
      experiment: as asked.
      feed: its images.
      run: where it trains.
      devices: of all machines; the chief decides.

    Returns:
      The experiment without "auto" there, and what was decided, in words for people.
    """
    asked = [name for name in AUTO_VALUES if getattr(experiment.generator, name) == "auto"]
    if not asked:
        return experiment, {}
    devices = devices or DistributionContext()
    places, whys = dict.fromkeys(asked, 0), dict.fromkeys(asked, "as the chief decided")
    if devices.is_chief and run.exists():
        begun = run.experiment().generator
        places = {name: AUTO_VALUES[name].index(getattr(begun, name)) for name in asked}
        whys = dict.fromkeys(asked, "as when this run began")
    elif devices.is_chief:
        change = _change_of_colors(feed)
        places = dict.fromkeys(asked, int(change is not None and change.of_one_kind))
        whys = dict.fromkeys(
            asked, change.told if change else "the domains have different channels"
        )
        if "long_skips" in asked and experiment.generator.architecture.startswith("unet"):
            places["long_skips"], whys["long_skips"] = 0, "a U-Net has skips of its own"
    if devices.workers > 1:
        sent = devices.broadcast({name: np.array(place) for name, place in places.items()})
        places = {name: int(sent[name]) for name in asked}
    found: dict[str, Any] = {name: AUTO_VALUES[name][place] for name, place in places.items()}
    told = {_TOLD[name][0]: f"{_TOLD[name][1][places[name]]} ({whys[name]})" for name in asked}
    return dataclasses.replace(
        experiment, generator=dataclasses.replace(experiment.generator, **found)
    ), told


def start(experiment: Experiment, model: CycleGAN, feed: TrainingData) -> dict[str, str]:
    """Gives the networks of a training that begins what they take from the images; tells people
    what was found."""
    found = {}
    if experiment.generator.color_skip != "off":
        found["colors"] = _start_colors(model, feed, experiment.generator.color_skip == "on")
        for generator in (model.generator_xy, model.generator_yx):
            if generator.get_layer("colour_skip").is_active:
                _scale_last_layer(last_kernel_layer(generator))
    settle(experiment, model)
    return found


def settle(experiment: Experiment, model: CycleGAN) -> None:
    """Leaves out the identity terms where colors are led around the generators; before the first
    step.

    G(y) = y asks that colors stay as they are just where G starts by changing them. Weights given
    one by one (loss.identity_x, loss.identity_y) are kept.
    """
    loss = experiment.loss
    if loss.identity_x is not None or loss.identity_y is not None:
        return
    layers = [*model.generator_xy.layers, *model.generator_yx.layers]
    if any(isinstance(layer, colors.ColorSkip) and layer.is_active for layer in layers):
        model.leave_out("identity_x", "identity_y")


@dataclasses.dataclass(frozen=True)
class _Change:
    """Between the colors of two domains of as many channels.

    Attributes:
      transfers: "xy" or "yx" -> matrix and offset, see `monge_kantorovich_map`.
      strength: by how much the stronger of both stretches or shrinks the color it changes most.
    """

    transfers: dict[str, tuple[np.ndarray, np.ndarray]]
    strength: float

    @property
    def of_one_kind(self) -> bool:
        return self.strength <= colors.MAX_COLOR_STRETCH

    @property
    def told(self) -> str:
        if self.of_one_kind:
            return f"colors are alike, up to {self.strength:.1f} times apart"
        return f"colors are of different kinds, {self.strength:.1f} times apart"


def _change_of_colors(feed: TrainingData) -> _Change | None:
    """By the training images; None where the domains have different channels."""
    found = {
        d: colors.moments(_some_images(cache))
        for d, cache in (("x", feed.cache_x), ("y", feed.cache_y))
    }
    if len(found["x"].mean) != len(found["y"].mean):
        return None
    transfers = {
        way: colors.monge_kantorovich_map(found[way[0]], found[way[1]]) for way in ("xy", "yx")
    }
    return _Change(transfers, max(colors.max_stretch(matrix) for matrix, _ in transfers.values()))


def _start_colors(model: CycleGAN, feed: TrainingData, always: bool) -> str:
    """Fits the start of both generators' color skips to the training images, where colors are alike
    or `always`."""
    change = _change_of_colors(feed)
    if change is None:
        return "the domains have different channels: nothing is led around the generators"
    if not (change.of_one_kind or always):
        return f"of different kinds ({change.strength:.1f} times apart): nothing is led around the generators"
    for way, (matrix, offset) in change.transfers.items():
        getattr(model, f"generator_{way}").get_layer("colour_skip").initialize(matrix, offset)
    kind = "alike (up to " if change.of_one_kind else "of different kinds ("
    return f"{kind}{change.strength:.1f} times apart): led around the generators, starting from their transfer"


def _scale_last_layer(layer: keras.layers.Layer) -> None:
    """Makes a tenth of the initial weights of the layer beside the color skip.

    Its sum of random features would else be noise as strong as the image, which the first hundreds
    of steps go into taking away again. Starting what is learned beside a way around near nothing is
    what Fixup (Zhang et al. 2019) and ReZero (Bachlechner et al. 2020) do inside residual networks.
    """
    layer.kernel.assign(_QUIET * layer.kernel)


def _some_images(cache: ImageCache) -> Iterator[np.ndarray]:
    """Evenly spread over the cache, float32 in [-1, 1]."""
    for index in np.unique(np.linspace(0, len(cache) - 1, _COLOR_IMAGES).astype(np.int64)):
        yield image_io.to_signed(cache.get(tf.constant(index))).numpy()
