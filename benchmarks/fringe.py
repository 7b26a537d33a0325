"""The coloured fringe that transposed convolutions print, as a number; NumPy alone."""

from __future__ import annotations

import numpy as np

from cyclegan_tf.metrics import sliced_wasserstein as swd


def colour_fringe(pictures: np.ndarray) -> float:
    """Deviation, over all pixels and channels, of what is not grey in the finest band of the Laplacian pyramid.

    Float32 (N, H, W, C) in [-1, 1]; grey is the mean of the channels.
    """
    return float(next(swd.pyramid(pictures - pictures.mean(axis=3, keepdims=True))).std())
