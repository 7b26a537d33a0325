"""How near two pictures are: PSNR and SSIM, in NumPy."""

from __future__ import annotations

import math

import numpy as np

# Wang et al. 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity", sec. III.
_K1, _K2 = 0.01, 0.03
_SIGMA_PX = 1.5
_RADIUS_PX = 5
SIGNED_RANGE = 2.0


def psnr(picture: np.ndarray, truth: np.ndarray, data_range: float = SIGNED_RANGE) -> float:
    """Peak signal-to-noise ratio, 10 log10(range^2 / mean squared difference), in dB; infinite for equal pictures.

    Args:
      picture: number array of any shape.
      truth: of the same shape.
      data_range: difference between white and black; 2 for [-1, 1], 255 for uint8.

    Raises:
      ValueError: the shapes differ.
    """
    _check_shapes(picture, truth)
    error = float(np.mean(np.square(picture.astype(np.float64) - truth.astype(np.float64))))
    return math.inf if error == 0 else 10 * math.log10(data_range**2 / error)


def ssim(picture: np.ndarray, truth: np.ndarray, data_range: float = SIGNED_RANGE) -> float:
    """Structural similarity, mean over channels and over all windows that lie wholly inside (Wang et al. 2004, eq. 13).

    The window is the paper's: 11 x 11, a Gaussian of deviation 1.5, statistics as weighted means.

    Args:
      picture: number array (H, W, C), both sides at least 11.
      truth: of the same shape.
      data_range: see `psnr`.

    Returns:
      1 for equal pictures, less for others.

    Raises:
      ValueError: the shapes differ, are not (H, W, C), or are smaller than the window.
    """
    _check_shapes(picture, truth)
    if picture.ndim != 3 or min(picture.shape[:2]) < 2 * _RADIUS_PX + 1:
        raise ValueError(f"ssim takes (H, W, C) of at least {2 * _RADIUS_PX + 1} px, got {picture.shape}.")
    x, y = picture.astype(np.float64), truth.astype(np.float64)
    mean_x, mean_y = _blurred(x), _blurred(y)
    variance_x, variance_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return float(np.mean(luminance * structure))


def _blurred(planes: np.ndarray) -> np.ndarray:
    """Gaussian means of (H, W, C) at all places where the window fits: (H - 10, W - 10, C)."""
    offsets = np.arange(-_RADIUS_PX, _RADIUS_PX + 1)
    weights = np.exp(-(offsets**2) / (2 * _SIGMA_PX**2))
    weights /= weights.sum()
    height, width = planes.shape[0] - 2 * _RADIUS_PX, planes.shape[1] - 2 * _RADIUS_PX
    rows = sum(weight * planes[i : i + height] for i, weight in enumerate(weights))
    return sum(weight * rows[:, i : i + width] for i, weight in enumerate(weights))


def _check_shapes(picture: np.ndarray, truth: np.ndarray) -> None:
    if picture.shape != truth.shape:
        raise ValueError(f"two pictures of one shape are wanted, got {picture.shape} and {truth.shape}.")
