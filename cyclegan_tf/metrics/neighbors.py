"""The nearest of known vectors, by angle."""

from __future__ import annotations

import numpy as np


def nearest(vectors: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the nearest known vector of each vector.

    Args:
      vectors: float (N, D).
      known: float (M, D), M at least 1.

    Returns:
      1 - cosine to it, float64 (N,) in [0, 2], and its index, int64 (N,). A vector of zeros is at
      distance 1 from all.

    Raises:
      ValueError: the shapes do not fit.

    Example:
      >>> nearest(np.array([[2.0, 0.0]]), np.array([[0.0, 1.0], [3.0, 0.0]]))
      (array([0.]), array([1]))
    """
    if vectors.ndim != 2 or known.ndim != 2 or vectors.shape[1] != known.shape[1] or not len(known):
        raise ValueError(f"vectors of one length are wanted, got {vectors.shape}, {known.shape}.")
    cosines = _unit(vectors) @ _unit(known).T
    places = cosines.argmax(axis=1)
    return np.clip(1 - cosines[np.arange(len(vectors)), places], 0, 2), places


def _unit(vectors: np.ndarray) -> np.ndarray:
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    return np.divide(wide, lengths, out=np.zeros_like(wide), where=lengths > 0)
