"""Scores of images and pairs of images in NumPy: PSNR, SSIM, MAE, luminance, diversity."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

# Wang et al. 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity",
# sec. III.
_K1, _K2 = 0.01, 0.03
_SIGMA_PX = 1.5
_RADIUS_PX = 5
SIGNED_RANGE = 2.0

# ITU-R BT.709-6, item 3.2: luma of gamma-coded red, green and blue.
_REC709 = np.array([0.2126, 0.7152, 0.0722])
_THUMBNAIL_SIDE_PX = 16
# an eighth of the step between two 8-bit values in [-1, 1]: what varies less has no structure
_FLAT_DEVIATION = 1e-3


def psnr(image: np.ndarray, truth: np.ndarray, data_range: float = SIGNED_RANGE) -> float:
    """Computes the peak signal-to-noise ratio, 10 log10(range^2 / mean squared difference), in dB.

    It is infinite for equal images.

    Args:
      image: number array of any shape.
      truth: of the same shape.
      data_range: difference between white and black; 2 for [-1, 1], 255 for uint8.

    Raises:
      ValueError: the shapes differ.
    """
    _check_shapes(image, truth)
    error = float(np.mean(np.square(image.astype(np.float64) - truth.astype(np.float64))))
    return math.inf if error == 0 else 10 * math.log10(data_range**2 / error)


def ssim(image: np.ndarray, truth: np.ndarray, data_range: float = SIGNED_RANGE) -> float:
    """Computes the structural similarity of two images (Wang et al. 2004, eq. 13).

    It is the mean over channels and over all windows that lie wholly inside. The window is the
    paper's: 11 x 11, a Gaussian of deviation 1.5, statistics as weighted means.

    Args:
      image: number array (H, W, C), both sides at least 11.
      truth: of the same shape.
      data_range: see `psnr`.

    Returns:
      1 for equal images, less for others.

    Raises:
      ValueError: the shapes differ, are not (H, W, C), or are smaller than the window.
    """
    _check_shapes(image, truth)
    if image.ndim != 3 or min(image.shape[:2]) < 2 * _RADIUS_PX + 1:
        raise ValueError(
            f"ssim takes (H, W, C) of at least {2 * _RADIUS_PX + 1} px, got {image.shape}."
        )
    x, y = image.astype(np.float64), truth.astype(np.float64)
    mean_x, mean_y = _blurred(x), _blurred(y)
    variance_x, variance_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    c1, c2 = (_K1 * data_range) ** 2, (_K2 * data_range) ** 2
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    structure = (2 * covariance + c2) / (variance_x + variance_y + c2)
    return float(np.mean(luminance * structure))


def mae(image: np.ndarray, truth: np.ndarray) -> float:
    """Computes the mean absolute difference: 0 to 2 for images in [-1, 1].

    Args:
      image: number array of any shape.
      truth: of the same shape.

    Raises:
      ValueError: the shapes differ.
    """
    _check_shapes(image, truth)
    return float(np.mean(np.abs(image.astype(np.float64) - truth.astype(np.float64))))


def luminance(image: np.ndarray) -> np.ndarray:
    """Computes Rec. 709 luma of an image of 3 channels, of others the mean over channels.

    Args:
      image: number array (..., C); three channels are red, green, blue as files hold them
        (gamma-coded).

    Returns:
      float64 (...), in the range of the image.
    """
    weights = _REC709 if image.shape[-1] == 3 else np.full(image.shape[-1], 1 / image.shape[-1])
    return image.astype(np.float64) @ weights


def luminance_correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Computes the Pearson correlation of two images' luminance over their pixels.

    Args:
      a: number array (H, W, C), in [-1, 1].
      b: of the same height and width; channels may differ.

    Returns:
      1 where light stays light, -1 where light has become dark; nan if either image is flat (its
      luminance deviates by less than 0.001, an eighth of the step between two 8-bit values).

    Raises:
      ValueError: the sizes differ.
    """
    if a.shape[:2] != b.shape[:2]:
        raise ValueError(f"two images of one size are wanted, got {a.shape} and {b.shape}.")
    x, y = luminance(a), luminance(b)
    x, y = x - x.mean(), y - y.mean()
    deviations = math.sqrt(np.mean(x * x)), math.sqrt(np.mean(y * y))
    if min(deviations) < _FLAT_DEVIATION:
        return math.nan
    return float(np.clip(np.mean(x * y) / (deviations[0] * deviations[1]), -1, 1))


def diversity(images: Sequence[np.ndarray]) -> float:
    """Computes the mean absolute difference over all pairs of images in a list.

    Each image is first reduced to 16 x 16 by area means: large shapes and colors count, noise does
    not.

    Args:
      images: number arrays (H, W, C); sizes may differ, channels may not.

    Returns:
      0 if all are equal; in the units of the images. nan for fewer than two images.

    Raises:
      ValueError: the numbers of channels differ.
    """
    if len({image.shape[-1] for image in images}) > 1:
        raise ValueError(
            f"images of one number of channels are wanted, got {[p.shape for p in images]}."
        )
    count = len(images)
    if count < 2:
        return math.nan
    small = np.stack([reduced(image).ravel() for image in images])
    # the k-th of n sorted values is the larger one of k pairs and the smaller one of n - 1 - k
    signs = 2 * np.arange(count) - (count - 1)
    sums = signs @ np.sort(small, axis=0)
    return max(0.0, float(np.mean(sums) / (count * (count - 1) / 2)))


def reduced(image: np.ndarray, side_px: int = _THUMBNAIL_SIDE_PX) -> np.ndarray:
    """Computes area means of (H, W, C) on a grid of 16 x 16, or of another side."""
    rows, columns = (_shares(side, side_px) for side in image.shape[:2])
    return np.einsum("ih,hwc,jw->ijc", rows, image.astype(np.float64), columns, optimize=True)


@functools.lru_cache(maxsize=8)  # images of a data set have few sizes
def _shares(side: int, parts: int) -> np.ndarray:
    """(parts, side): how much of each of equal parts of a line is covered by each of its pixels."""
    edges = np.arange(parts + 1) * side / parts
    pixels = np.arange(side)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.clip(covered, 0, None) * parts / side


def _blurred(planes: np.ndarray) -> np.ndarray:
    """Gaussian means of (H, W, C) at all places where the window fits: (H - 10, W - 10, C)."""
    offsets = np.arange(-_RADIUS_PX, _RADIUS_PX + 1)
    weights = np.exp(-(offsets**2) / (2 * _SIGMA_PX**2))
    weights /= weights.sum()
    height, width = planes.shape[0] - 2 * _RADIUS_PX, planes.shape[1] - 2 * _RADIUS_PX
    rows = sum(weight * planes[i : i + height] for i, weight in enumerate(weights))
    return sum(weight * rows[:, i : i + width] for i, weight in enumerate(weights))


def _check_shapes(image: np.ndarray, truth: np.ndarray) -> None:
    if image.shape != truth.shape:
        raise ValueError(
            f"two images of one shape are wanted, got {image.shape} and {truth.shape}."
        )
