"""Made-up inputs, the same for all contenders."""

from __future__ import annotations

import numpy as np


def batch(size_px: int, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(real_x, real_y): two float32 (count, size_px, size_px, 3) in [-1, 1]."""
    rng = np.random.default_rng(seed)
    x, y = (rng.uniform(-1, 1, (count, size_px, size_px, 3)).astype(np.float32) for _ in range(2))
    return x, y


def image(size_px: int, seed: int) -> np.ndarray:
    """uint8 (size_px, size_px, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (size_px, size_px, 3), np.uint8)
