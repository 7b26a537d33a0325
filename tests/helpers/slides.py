"""Synthetic slides: stained cells on a bright ground."""

from __future__ import annotations

import numpy as np


def stained(height: int, width: int) -> np.ndarray:
    """uint8 (H, W, 3): an ellipse of tissue in the left half, with nuclei; the rest is empty."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    inside = ((y - height / 2) / (0.4 * height)) ** 2 + ((x - width / 4) / (0.2 * width)) ** 2 < 1
    image = np.full((height, width, 3), (243, 243, 243), np.uint8)
    image[inside] = (225, 160, 200)
    image[inside & (np.sin(x / 5) * np.sin(y / 5) > 0.6)] = (110, 70, 150)
    return image
