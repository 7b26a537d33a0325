"""Translates the frames of a video without the flicker of translating each alone."""

from __future__ import annotations

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.images.training_scale import FULL, TrainingScale
from cyclegan_tf.networks.layers import InstanceNormalization, fast_routes
from cyclegan_tf.networks.shared_normalization import (
    set_momentum,
    shared_layers,
    with_shared_normalization,
)
from cyclegan_tf.networks.weights import cast_weights, weights_scope
from cyclegan_tf.translate.translator import Translator, traced_once

HALF_LIFE_FRAMES = 8.0
"""After how many frames a frame's share in the statistics has halved, by default.

Measured with trained generators (docs/guides/translate.md): while an object crosses a still image,
what stands still changes with 0.2 (aerial photos to maps) and 0.75 (facades to labels) of the
energy of frames translated alone, the former in steps of 2.6 pixel values, not 15.6. Longer
half-lives win less than they lag.
"""

# Of the reduced frames' pixel values, 0 to 255. Of cuts between any two of 40 facades 99.9 % lie
# above, between photos of apples all, between aerial photos half, whose statistics are alike; a pan
# by the image's width within a second lies below. A wrong guess costs little: a cut not seen is
# followed late, a cut that is none is one frame translated alone.
CUT_DIFFERENCE = 25.0
_REDUCED_PX = 16


class FrameTranslator:
    """Translates a video's frames in order, with statistics averaged over frames.

    Instance normalization divides by what else is in the image, so that a wall changes its color
    when somebody walks past it. Here each mean and variance is a moving average over frames, which
    begins anew at a cut between scenes. Nothing moves in networks without instance normalization.

    Args:
      network: float (1, H, W, 3) in [-1, 1] -> float32 of the same size.
      size_divisor_px: sides the network takes are multiples of this.
      half_life_frames: after how many frames a frame's share has halved; 0 translates each as an
        image of its own.
      scale: at which the network is to see frames.

    Example:
      >>> translate = FrameTranslator(network, size_divisor_of(network), half_life_frames=8)
      >>> translated = [translate(frame) for frame in frames]
    """

    def __init__(
        self,
        network: keras.Model,
        size_divisor_px: int,
        half_life_frames: float,
        scale: TrainingScale = FULL,
    ) -> None:
        follows = half_life_frames > 0 and any(
            isinstance(layer, InstanceNormalization) for layer in network.layers
        )
        self._network = with_shared_normalization(network) if follows else network
        self._translate = (_Following if follows else Translator)(
            self._network, size_divisor_px, scale
        )
        self._later_rate = 1 - 0.5 ** (1 / half_life_frames) if follows else 1.0
        self._rate: float | None = None
        self._starts_scene = SceneCuts()

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """Translate the next frame, uint8 (H, W, 3).

        Raises:
          UserError: the network gave NaN.
        """
        rate = 1.0 if self._starts_scene(frame) else self._later_rate
        if rate != self._rate:
            set_momentum(self._network, rate)
            self._rate = rate
        return self._translate(frame)


class _Following(Translator):
    """A `Translator` whose network's statistics are carried from call to call."""

    def __init__(
        self, network: keras.Model, size_divisor_px: int, scale: TrainingScale = FULL
    ) -> None:
        self._following = network
        self._read_once = cast_weights([network])
        super().__init__(network, size_divisor_px, scale)

    def _graph(self, size: tuple[int | None, ...]) -> Callable[[tf.Tensor], tf.Tensor]:
        states = [
            state
            for layer in shared_layers(self._following)
            for state in (layer.mean, layer.variance)
        ]

        @tf.function(
            input_signature=[tf.TensorSpec((*size, self.channels), tf.float32)], autograph=False
        )
        def run(batch: tf.Tensor) -> tf.Tensor:
            with fast_routes(), weights_scope(*self._read_once) as scope:
                translated = self._following(batch, training=False)
            for state in states:
                state.assign(scope.get_current_value(state))
            return translated

        return traced_once(run)


class SceneCuts:
    """Finds for each frame of a video in order whether a scene begins with it; the first does.

    Args:
      cut_difference: a scene begins where frames reduced to 16 x 16 differ by more than this mean
        absolute difference.

    Example:
      >>> starts_scene = SceneCuts()
      >>> [starts_scene(frame) for frame in frames]
    """

    def __init__(self, cut_difference: float = CUT_DIFFERENCE) -> None:
        self._cut_difference = cut_difference
        self._before: np.ndarray | None = None

    def __call__(self, frame: np.ndarray) -> bool:
        """Take the next frame, uint8 (H, W, 3); frames of one video have one size."""
        reduced, before = _reduced(frame), self._before
        self._before = reduced
        return before is None or float(np.abs(reduced - before).mean()) > self._cut_difference


def _reduced(frame: np.ndarray) -> np.ndarray:
    """Average over 16 x 16 areas (fewer in tiny frames), float64."""
    for axis in (0, 1):
        parts = min(_REDUCED_PX, frame.shape[axis])
        starts = np.arange(parts) * frame.shape[axis] // parts
        lengths = np.diff(np.append(starts, frame.shape[axis])).reshape(
            [-1 if a == axis else 1 for a in range(3)]
        )
        frame = np.add.reduceat(frame, starts, axis=axis, dtype=np.float64) / lengths
    return frame
