"""Which pixels count in the statistics of normalizations: those with data."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from cyclegan_tf.images.nodata import Missing
from cyclegan_tf.translate.tiling.tiles import Place, Tiling


def core_with_data(missing: Missing, tiling: Tiling, place: Place) -> np.ndarray:
    """Where the core of a tile has data: bool, as the core at the image's scale."""
    rows, columns = tiling.rows, tiling.columns
    down, across = place.core
    first, left = rows.starts[place.row], columns.starts[place.column]
    wanted = rows.source[first + down.start : first + down.stop]
    top, bottom = int(wanted.min()), int(wanted.max()) + 1
    found = missing.rows(top, bottom)[wanted - top]
    return ~found[:, columns.source[left + across.start : left + across.stop]]


def only_with_data(values: tf.Tensor, with_data: np.ndarray) -> tf.Tensor | None:
    """Take the pixels of a layer's map of which at least half has data.

    Args:
      values: float (1, h, w, C).
      with_data: bool (H, W), of the same part of the image at another scale.

    Returns:
      (1, n, 1, C); None where no pixel has data.
    """
    shares = tf.image.resize(
        tf.constant(with_data[..., np.newaxis], tf.float32), values.shape[1:3], method="area"
    )
    chosen = tf.boolean_mask(values[0], shares[..., 0] >= 0.5)
    return chosen[tf.newaxis, :, tf.newaxis] if len(chosen) else None
