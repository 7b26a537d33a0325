"""Sliced Wasserstein distance of two sets of images over a Laplacian pyramid; no network.

The protocol, in full:
  1. Each image becomes a Laplacian pyramid. A step down blurs with the separable filter (1 4 6
     4 1) / 16, borders mirrored without repeating the edge, and keeps every second pixel; a
     step up puts zeros between and blurs with twice that filter. A level is the image less what
     comes back from one step down and up; the last level is the small image itself. Steps go on
     while the shorter side stays at least 16 px.
  2. From each level of each image 128 patches of 7 x 7 px are cut at places drawn evenly, with
     replacement. The i-th images of both sets are cut at the same places, so that a set is at
     distance 0 from itself.
  3. Patches of a set and level are normalized by mean and deviation of each channel over all of
    them.
  4. Patches are projected on 512 random unit directions. On each the Wasserstein-1 distance of
     the two lists of numbers is taken (equal counts: the mean absolute difference of the sorted
     lists; unequal: of the quantile functions), and the mean over directions, times 1000, is
     the distance of the level.

Where this differs from the paper: it takes 16,384 images, and a test split has fewer. Two sets
of real images are not at distance 0 then; compare only scores of equal counts, and read them
beside that of real images. By step 3 the paper's measure cannot see a cast of color or a loss
of contrast that all images share; `normalize="real"` takes the mean and deviation of the real
patches for both sets, and can.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import numpy as np

PATCH_PX = 7
SMALLEST_LEVEL_PX = 16
SCALE = 1000.0

# Burt and Adelson 1983, "The Laplacian Pyramid as a Compact Image Code", a = 0.375: binomial.
_TAPS = np.array([1, 4, 6, 4, 1], np.float32) / 16
_MIN_DEVIATION = 1e-4
_PROJECTIONS_AT_ONCE = 2_000_000


def sliced_wasserstein(
    real: Sequence[np.ndarray] | np.ndarray,
    fake: Sequence[np.ndarray] | np.ndarray,
    *,
    seed: int = 0,
    patches: int = 128,
    directions: int = 512,
    normalize: Literal["each", "real"] = "each",
) -> dict[int, float]:
    """Computes the distance of two sets of images, level by level (Karras et al. 2018, sec. 5).

    Args:
      real: float (N, H, W, C) in [-1, 1], or a list of N such (H, W, C).
      fake: float (M, H, W, C) of the same H, W and C.
      seed: of places and directions.
      patches: from each level of each image.
      directions: for each level.
      normalize: whose mean and deviation step 3 takes: "each" for those of each set (the paper),
        "real".

    Returns:
      Distance by the shorter side of the level in px, from the finest on; images of fewer than 32
      px give one level.

    Raises:
      ValueError: the sizes differ, a set is empty, or images are smaller than a patch.
    """
    reals, fakes = _stacked(real), _stacked(fake)
    if reals.shape[1:] != fakes.shape[1:]:
        raise ValueError(
            f"images of one size are wanted, got {reals.shape[1:]} and {fakes.shape[1:]}."
        )
    distances = {}
    for level, (real_planes, fake_planes) in enumerate(
        zip(pyramid(reals), pyramid(fakes), strict=True)
    ):
        side = min(real_planes.shape[1:3])
        real_patches, fake_patches = (
            _patches(planes, patches, np.random.default_rng([seed, level]))
            for planes in (real_planes, fake_planes)
        )
        real_scale = _mean_and_deviation(real_patches)
        fake_scale = real_scale if normalize == "real" else _mean_and_deviation(fake_patches)
        units = _directions(
            directions, real_patches[0].size, np.random.default_rng([seed, level, 1])
        )
        distances[side] = SCALE * _sliced(
            _normalized(real_patches, *real_scale), _normalized(fake_patches, *fake_scale), units
        )
    return distances


def mean_swd(distances: Mapping[int, float]) -> float:
    """Averages `sliced_wasserstein` over levels, the last column of the paper's tables."""
    return float(np.mean(list(distances.values())))


def pyramid(images: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the levels of the Laplacian pyramid, the finest first.

    Summed upward they give the images.

    Args:
      images: float32 (N, H, W, C).

    Yields:
      float32 (N, h, w, C), where h and w halve from level to level, odd sides rounded up.
    """
    while (min(images.shape[1:3]) + 1) // 2 >= SMALLEST_LEVEL_PX:
        small = _blurred(_blurred(images, 1)[:, ::2], 2)[:, :, ::2]
        yield images - enlarged(small, *images.shape[1:3])
        images = small
    yield images


def enlarged(small: np.ndarray, height: int, width: int) -> np.ndarray:
    """Enlarges by a step of the pyramid: float32 (N, ceil(height / 2), ceil(width / 2), C).

    Args:
      small: the smaller images.
      height: of the result.
      width: of the result.

    Returns:
      float32 (N, height, width, C).
    """
    count, _, columns, channels = small.shape
    rows = np.zeros((count, height, columns, channels), np.float32)
    rows[:, ::2] = small
    rows = 2 * _blurred(rows, 1)
    both = np.zeros((count, height, width, channels), np.float32)
    both[:, :, ::2] = rows
    return 2 * _blurred(both, 2)


def wasserstein(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Computes the Wasserstein-1 distance of samples on a line.

    It is the integral of the difference of their quantile functions.

    Args:
      a: float (..., n).
      b: float (..., m).

    Returns:
      float (...).
    """
    a, b = np.sort(a, axis=-1), np.sort(b, axis=-1)
    n, m = a.shape[-1], b.shape[-1]
    if n == m:
        return np.mean(np.abs(a - b), axis=-1)
    # in units of 1 / (n m) both quantile functions step at whole numbers
    steps = np.union1d(np.arange(n + 1) * m, np.arange(m + 1) * n)
    widths = np.diff(steps) / (n * m)
    return np.abs(a[..., steps[:-1] // m] - b[..., steps[:-1] // n]) @ widths.astype(a.dtype)


def _stacked(images: Sequence[np.ndarray] | np.ndarray) -> np.ndarray:
    if len({image.shape for image in images}) != 1 or images[0].ndim != 3:
        shapes = sorted({image.shape for image in images})
        raise ValueError(f"one or more images (H, W, C) of one size are wanted, got {shapes}.")
    stacked = np.asarray(images, np.float32)
    if min(stacked.shape[1:3]) < PATCH_PX:
        raise ValueError(f"images of at least {PATCH_PX} px are wanted, got {stacked.shape[1:]}.")
    return stacked


def _blurred(planes: np.ndarray, axis: int) -> np.ndarray:
    """The five taps along one axis, borders mirrored; the same shape."""
    side = planes.shape[axis]
    padded = np.pad(planes, [(2, 2) if i == axis else (0, 0) for i in range(4)], mode="reflect")
    parts = (padded[(slice(None),) * axis + (slice(i, i + side),)] for i in range(5))
    total = np.zeros_like(planes)
    for tap, part in zip(_TAPS, parts, strict=True):
        total += tap * part
    return total


def _patches(planes: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """(N, h, w, C) -> (N * count, C, 7, 7), cut at random places."""
    windows = np.lib.stride_tricks.sliding_window_view(planes, (PATCH_PX, PATCH_PX), axis=(1, 2))
    number, rows, columns = windows.shape[:3]
    # in pairs, so that a longer set begins with the places of a shorter one
    places = rng.random((number * count, 2))
    which = np.repeat(np.arange(number), count)
    return windows[which, (places[:, 0] * rows).astype(int), (places[:, 1] * columns).astype(int)]


def _mean_and_deviation(patches: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each channel over all patches, each (C, 1, 1)."""
    mean = patches.mean(axis=(0, 2, 3), dtype=np.float64)
    deviation = patches.std(axis=(0, 2, 3), dtype=np.float64)
    return mean[:, None, None], np.maximum(deviation, _MIN_DEVIATION)[:, None, None]


def _normalized(patches: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> np.ndarray:
    """(P, C, 7, 7) -> float32 (P, C * 49)."""
    return ((patches - mean) / deviation).astype(np.float32).reshape(len(patches), -1)


def _directions(count: int, size: int, rng: np.random.Generator) -> np.ndarray:
    """float32 (count, size), evenly distributed on the unit sphere."""
    units = rng.standard_normal((count, size))
    return (units / np.linalg.norm(units, axis=1, keepdims=True)).astype(np.float32)


def _sliced(real: np.ndarray, fake: np.ndarray, units: np.ndarray) -> float:
    """Mean distance of projections over directions; real (P, D), fake (Q, D), units (K, D)."""
    step = max(1, _PROJECTIONS_AT_ONCE // max(len(real), len(fake)))
    parts = [units[i : i + step] for i in range(0, len(units), step)]
    return float(
        np.mean(np.concatenate([wasserstein(part @ real.T, part @ fake.T) for part in parts]))
    )
