"""Translates images with pixels without data, which count in no statistics of the network.

Instance normalization takes mean and variance of a whole map. A mosaic whose half is empty would be
normalized by what fills the hole: the other half came out brighter or flatter than it is. Here a
network is run from normalization to normalization, each with the statistics of the pixels that have
data. What a convolution sees beyond their border is the fill, their mean.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.errors import UserError
from cyclegan_tf.images.nodata import Missing
from cyclegan_tf.images.training_scale import FULL, TrainingScale
from cyclegan_tf.networks.graph import INPUT
from cyclegan_tf.networks.shared_normalization import set_momentum, with_shared_normalization
from cyclegan_tf.translate.tiling.masks import only_with_data
from cyclegan_tf.translate.tiling.pooled_moments import PooledMoments
from cyclegan_tf.translate.tiling.stages import plan_stages, sized_calls
from cyclegan_tf.translate.translator import Translator


class MaskedTranslator(Translator):
    """A `Translator` that knows which pixels have data.

    Args:
      network: as for `Translator`; its normalizations must be the only layers that look at all
        pixels.
      size_divisor_px: as for `Translator`.
      scale: as for `Translator`.

    Raises:
      UserError: another layer looks at all pixels.

    Example:
      >>> translate = MaskedTranslator(network, size_divisor_of(network), scale)
      >>> translated = translate.masked(image, missing=mask)
    """

    def __init__(
        self, network: keras.Model, size_divisor_px: int, scale: TrainingScale = FULL
    ) -> None:
        super().__init__(network, size_divisor_px, scale)
        self._cut = with_shared_normalization(network)
        set_momentum(self._cut, 0)
        sized_calls(self._cut, (1, 64, 64, self.channels))  # raises at once what cannot be cut
        self._with_data = np.ones((1, 1), bool)
        self._stages = functools.lru_cache(maxsize=2)(self._stages_of)

    @classmethod
    def like(cls, translator: Translator) -> MaskedTranslator:
        """Make one of the same network and scale.

        Raises:
          UserError: another layer looks at all pixels.
        """
        return cls(translator._network, translator._size_divisor_px, translator.scale)

    def masked(self, image: np.ndarray, missing: np.ndarray) -> np.ndarray:
        """Translate one image.

        Args:
          image: as for `Translator`; what it holds where data are missing hardly matters.
          missing: bool (H, W).

        Raises:
          UserError: the network gave NaN.
        """
        self._with_data = ~missing
        return self.batch([image])[0]

    def _run(self, batch: tf.Tensor) -> np.ndarray:
        stages = self._stages(tuple(batch.shape))
        with_data = self._as_seen(*batch.shape[1:3])
        kept = {INPUT: batch}
        result = batch
        for stage, graph in stages:
            result, *more = graph(*(kept[number] for number in stage.inputs))
            kept |= dict(zip(stage.outputs[1:], more, strict=True))
            for number in stage.frees:
                del kept[number]
            if stage.norm is not None:
                _set_statistics(stage.norm, result, with_data)
        return result.numpy()

    def _stages_of(self, shape: tuple[int, ...]) -> list[tuple[Any, Any]]:
        stages = plan_stages(sized_calls(self._cut, shape), keeping=True)
        return [(stage, stage.graph()) for stage in stages]

    def _as_seen(self, height: int, width: int) -> np.ndarray:
        """Which pixels of what the network sees have data: bool (height, width)."""
        size = self.scale.size(*self._with_data.shape)
        shares = tf.image.resize(
            tf.constant(self._with_data[..., np.newaxis], tf.float32), size, method="area"
        )
        margins = [self._margins(length) for length in size]
        assert (size[0] + sum(margins[0]), size[1] + sum(margins[1])) == (height, width)
        return np.pad(shares.numpy()[..., 0] >= 0.5, margins, mode="reflect")


def _set_statistics(norm: Any, values: tf.Tensor, with_data: np.ndarray) -> None:
    found, pooled = only_with_data(values, with_data), PooledMoments()
    pooled.add(values if found is None else found)
    norm.mean.assign(pooled.mean)
    norm.variance.assign(pooled.variance)


class Masking:
    """A translator for images with and without holes; what holes need is made at the first.

    Where the network cannot be cut, pixels without data count as what they are read as, a mean.

    Args:
      plain: for images with all pixels.

    Example:
      >>> translate = Masking(translator)
      >>> (translated,) = translate.batch([image], placement.missing)
    """

    def __init__(self, plain: Translator) -> None:
        self.plain = plain

    def batch(self, images: Sequence[np.ndarray], missing: Missing | None) -> list[np.ndarray]:
        """Translate images as `Translator.batch` does, or one with pixels without data.

        Raises:
          UserError: the network gave NaN.
        """
        if missing is None or self._masked is None:
            return self.plain.batch(images)
        (image,) = images
        return [self._masked.masked(image, missing.rows(0, len(image)))]

    @functools.cached_property
    def _masked(self) -> MaskedTranslator | None:
        with contextlib.suppress(UserError):
            return MaskedTranslator.like(self.plain)
        return None
