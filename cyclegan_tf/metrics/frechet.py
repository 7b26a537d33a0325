"""Distances between sets of feature vectors (Frechet, kernel), and bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np


def frechet_distance(a: np.ndarray, b: np.ndarray) -> float:
    """Computes the Frechet distance of two sets as normal distributions (Heusel 2017, eq. 6).

    d^2 = |m_a - m_b|^2 + Tr(C_a + C_b - 2 (C_a C_b)^(1/2)), covariances with n - 1. On features of
    Inception it is the FID. It needs no matrix root: with the centered sets A and B as rows, the
    trace of (C_a C_b)^(1/2) is the sum of the singular values of A B^T / sqrt((n - 1)(m - 1)),
    which stays exact where there are fewer vectors than dimensions.

    The expectation of d^2 falls as sets grow: compare only scores of equal counts.

    Args:
      a: float (N, D), N at least 2.
      b: float (M, D), M at least 2.

    Returns:
      d^2, at least 0.

    Raises:
      ValueError: the shapes do not fit, or a number is not finite.
    """
    _check(a, b)
    mean_a, mean_b = a.mean(axis=0, dtype=np.float64), b.mean(axis=0, dtype=np.float64)
    rows_a, rows_b = (a - mean_a) / np.sqrt(len(a) - 1), (b - mean_b) / np.sqrt(len(b) - 1)
    total = np.sum(rows_a**2) + np.sum(rows_b**2)
    root = np.linalg.svd(_square(rows_a) @ _square(rows_b).T, compute_uv=False).sum()
    return max(0.0, float(np.sum((mean_a - mean_b) ** 2) + total - 2 * root))


def squared_mmd(a: np.ndarray, b: np.ndarray) -> float:
    """Estimates, without bias, the squared maximum mean discrepancy of two sets.

    The kernel is k(x, y) = (x . y / D + 1)^3. Mean of k over pairs of different vectors of a, plus
    the same of b, less twice the mean of k over all pairs of one of a and one of b (Gretton et al.
    2012, eq. 3; the kernel of Binkowski et al. 2018, sec. 4).

    Args:
      a: float (N, D), N at least 2.
      b: float (M, D), M at least 2.

    Returns:
      0 on the average for two sets of one distribution, and therefore below 0 at times.

    Raises:
      ValueError: the shapes do not fit, or a number is not finite.
    """
    _check(a, b)
    x, y = a.astype(np.float64), b.astype(np.float64)
    return _mean_of_others(x) + _mean_of_others(y) - 2 * float(_kernel(x, y).mean())


def kernel_distance(
    a: np.ndarray, b: np.ndarray, subsets: int = 100, subset_size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Averages `squared_mmd` over random subsets; on features of Inception it is the KID.

    Protocol of Binkowski et al. 2018, sec. 4: each subset is drawn without replacement, and anew
    for each of `subsets`.

    Args:
      a: float (N, D).
      b: float (M, D).
      subsets: how many.
      subset_size: vectors of each set in one subset; at least 2 and at most the smaller of N and M,
        which is where all subsets are one.
      seed: of the subsets.

    Returns:
      Mean and standard deviation over subsets. The deviation is that of subsets, not the standard
      error of the mean.

    Raises:
      ValueError: the shapes or the size of subsets do not fit, or a number is not finite.
    """
    _check(a, b)
    largest = min(len(a), len(b))
    if not 2 <= subset_size <= largest or subsets < 1:
        raise ValueError(
            f"subset_size must be 2 to {largest} and subsets positive, got {subset_size} and "
            f"{subsets}."
        )
    rng = np.random.default_rng(seed)
    distances = [
        squared_mmd(
            a[rng.choice(len(a), subset_size, replace=False)],
            b[rng.choice(len(b), subset_size, replace=False)],
        )
        for _ in range(subsets)
    ]  # fmt: skip
    return float(np.mean(distances)), float(np.std(distances))


def bootstrap(
    statistic: Callable[..., float],
    *arrays: np.ndarray,
    times: int = 200,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Computes a bootstrap interval of a statistic of one or more sets.

    Each set is resampled by itself along its first axis. The interval is the statistic of the sets
    as they are plus the quantiles of its resamples' deviations from their own mean: the percentile
    interval (Efron and Tibshirani 1993, ch. 13), moved. A resample holds vectors more than once,
    which raises FID and KID; plain percentiles would lie above the number they belong to. The
    interval is that of drawing other images; a bias of the statistic is not in it.

    Args:
      statistic: takes as many arrays, gives a number.
      arrays: of any shape (N, ...); their N may differ.
      times: how many resamples.
      seed: of the resamples.
      level: the part of resamples that the interval holds, between 0 and 1.

    Returns:
      Its lower and upper end.

    Raises:
      ValueError: `times` or `level` is out of range, or there is an empty array or none.
    """
    if times < 2 or not 0 < level < 1 or not arrays or any(len(array) == 0 for array in arrays):
        raise ValueError(
            "bootstrap takes arrays that are not empty, times of 2 or more and a level between 0 "
            f"and 1, got lengths {[len(array) for array in arrays]}, times={times}, level={level}."
        )
    rng = np.random.default_rng(seed)
    values = np.array(
        [
            statistic(*(array[rng.integers(len(array), size=len(array))] for array in arrays))
            for _ in range(times)
        ]
    )
    low, high = np.quantile(values - values.mean(), [(1 - level) / 2, (1 + level) / 2])
    middle = statistic(*arrays)
    return float(middle + low), float(middle + high)


def _square(rows: np.ndarray) -> np.ndarray:
    """Rows with the same products between columns, no more of them than columns."""
    return np.asarray(np.linalg.qr(rows, mode="r")) if rows.shape[0] > rows.shape[1] else rows


def _kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x @ y.T / x.shape[1] + 1) ** 3


def _mean_of_others(x: np.ndarray) -> float:
    """Mean of the kernel over pairs of different places."""
    values, count = _kernel(x, x), len(x)
    return float((values.sum() - np.trace(values)) / (count * (count - 1)))


def _check(a: np.ndarray, b: np.ndarray) -> None:
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            f"two or more vectors of one length are wanted in each set, got {a.shape} and "
            f"{b.shape}."
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("the features hold numbers that are not finite.")
