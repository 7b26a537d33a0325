"""The colored fringe that transposed convolutions print, as a number; NumPy alone."""

from __future__ import annotations

import numpy as np

from cyclegan_tf.metrics import sliced_wasserstein as swd


def color_fringe(images: np.ndarray) -> float:
    """Deviation, over all pixels and channels, of what is not gray in the finest band of the
    Laplacian pyramid.

    Float32 (N, H, W, C) in [-1, 1]; gray is the mean of the channels.
    """
    return float(next(swd.pyramid(images - images.mean(axis=3, keepdims=True))).std())
