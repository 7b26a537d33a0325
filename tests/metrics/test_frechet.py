"""Frechet distance against SciPy's matrix root, kernel distance against plain loops, intervals
against SciPy's."""

import numpy as np
import pytest
from scipy import linalg, stats

from cyclegan_tf.metrics.frechet import bootstrap, frechet_distance, kernel_distance, squared_mmd


def features(seed, count, size, shift=0.0):
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(1000 + seed).normal(0, 1, (size, size)) / np.sqrt(size)
    return (np.abs(rng.normal(shift, 1, (count, size)) @ mixing)).astype(np.float32)


def by_matrix_root(a, b):
    a, b = a.astype(np.float64), b.astype(np.float64)
    covariances = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(covariances[0] @ covariances[1]).real
    return np.sum((a.mean(0) - b.mean(0)) ** 2) + np.trace(
        covariances[0] + covariances[1] - 2 * root
    )


@pytest.mark.parametrize(
    ("n", "m", "size"), [(200, 150, 12), (64, 300, 48), (40, 45, 32), (50, 33, 32)]
)
def test_frechet_distance_is_that_of_the_matrix_root(n, m, size):
    a, b = features(1, n, size), features(2, m, size, shift=0.3)
    assert frechet_distance(a, b) == pytest.approx(by_matrix_root(a, b), rel=1e-6)
    assert frechet_distance(b, a) == pytest.approx(frechet_distance(a, b), rel=1e-9)


def test_frechet_distance_with_fewer_vectors_than_dimensions():
    a, b = features(3, 20, 30), features(4, 12, 30)
    # scipy's root loses digits of singular matrices: eigenvalues of C_a C_b instead
    product = np.cov(a.astype(float), rowvar=False) @ np.cov(b.astype(float), rowvar=False)
    root = np.sqrt(np.clip(np.linalg.eigvals(product).real, 0, None)).sum()
    total = a.var(0, ddof=1, dtype=float).sum() + b.var(0, ddof=1, dtype=float).sum()
    wanted = np.sum((a.mean(0, float) - b.mean(0, float)) ** 2) + total - 2 * root
    assert frechet_distance(a, b) == pytest.approx(wanted, rel=1e-4)


def test_frechet_distance_by_hand():
    # variances 2 and 8 along one axis, means 0 and 3: 9 + 2 + 8 - 2 sqrt(16)
    a, b = np.array([[-1.0], [1.0]]), np.array([[1.0], [5.0]])
    assert frechet_distance(a, b) == pytest.approx(9 + 2 + 8 - 2 * 4)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-12)
    many = features(5, 100, 20)
    assert 0 <= frechet_distance(many, many[::-1]) < 1e-9


def by_loops(a, b):
    def kernel(x, y):
        return (sum(float(p) * float(q) for p, q in zip(x, y, strict=True)) / len(x) + 1) ** 3

    def others(z):
        return np.mean([kernel(x, y) for i, x in enumerate(z) for j, y in enumerate(z) if i != j])

    return others(a) + others(b) - 2 * np.mean([kernel(x, y) for x in a for y in b])


def test_squared_mmd_is_that_of_plain_loops():
    a, b = features(6, 15, 8), features(7, 11, 8, shift=0.5)
    assert squared_mmd(a, b) == pytest.approx(by_loops(a, b), rel=1e-9)


def test_squared_mmd_by_hand_may_be_negative():
    # k(1, -1) = 0 within a, k(1, 1) = 8 within b, and 8 or 0 across: 0 + 8 - 2 * 4
    assert squared_mmd(np.array([[1.0], [-1.0]]), np.array([[1.0], [1.0]])) == pytest.approx(0)
    assert squared_mmd(np.array([[1.0], [-1.0]]), np.array([[1.0], [-1.0]])) == pytest.approx(-8)


def test_kernel_distance_of_whole_sets_is_one_number():
    a, b = features(8, 12, 6), features(9, 12, 6, shift=0.4)
    mean, deviation = kernel_distance(a, b, subsets=5, subset_size=12)
    assert mean == pytest.approx(by_loops(a, b), rel=1e-9)
    assert deviation == pytest.approx(0, abs=1e-9)


def test_kernel_distance_of_subsets_is_centerd_on_that_of_all():
    a, b = features(10, 120, 10), features(10, 200, 10, shift=0.3)
    mean, deviation = kernel_distance(a, b, subsets=300, subset_size=30, seed=1)
    assert deviation > 0
    assert mean == pytest.approx(squared_mmd(a, b), abs=4 * deviation / np.sqrt(300))
    assert (mean, deviation) == kernel_distance(a, b, subsets=300, subset_size=30, seed=1)
    assert mean != kernel_distance(a, b, subsets=300, subset_size=30, seed=2)[0]


def test_sets_of_one_distribution_are_at_kernel_distance_nought():
    halves = [features(11, 4000, 10)[i : i + 100] for i in range(0, 4000, 100)]
    found = [squared_mmd(*halves[i : i + 2]) for i in range(0, 40, 2)]
    assert np.mean(found) == pytest.approx(0, abs=4 * np.std(found) / np.sqrt(20))
    assert min(found) < 0 < max(found)


def test_an_interval_is_that_of_scipy():
    values = np.random.default_rng(12).exponential(1, 80)
    low, high = bootstrap(np.mean, values, times=4000, seed=3, level=0.9)
    wanted = stats.bootstrap(
        (values,),
        np.mean,
        n_resamples=4000,
        confidence_level=0.9,
        method="percentile",
        random_state=4,
    ).confidence_interval
    assert low == pytest.approx(wanted.low, abs=0.02)
    assert high == pytest.approx(wanted.high, abs=0.02)
    assert (low, high) == bootstrap(np.mean, values, times=4000, seed=3, level=0.9)


def test_an_interval_holds_its_number_although_resamples_are_biased():
    a, b = features(13, 40, 20), features(14, 30, 20, shift=0.2)
    resampled = frechet_distance(a[np.random.default_rng(0).integers(40, size=40)], b)
    found = frechet_distance(a, b)
    low, high = bootstrap(frechet_distance, a, b, times=60)
    assert resampled > found
    assert low < found < high


def test_intervals_take_arrays_of_images_and_any_level():
    images = np.random.default_rng(15).normal(0, 1, (50, 4, 4, 1))
    wide, narrow = (bootstrap(np.mean, images, times=500, level=level) for level in (0.99, 0.5))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


@pytest.mark.parametrize(
    "distance", [frechet_distance, squared_mmd, lambda a, b: kernel_distance(a, b, 2, 2)]
)
def test_distances_say_what_they_take(distance):
    good = np.zeros((3, 4))
    for wrong in (np.zeros((1, 4)), np.zeros((3, 5)), np.zeros(4)):
        with pytest.raises(ValueError, match="two or more vectors"):
            distance(good, wrong)
    with pytest.raises(ValueError, match="not finite"):
        distance(good, np.full((3, 4), np.nan))


def test_subsets_and_intervals_say_what_they_take():
    with pytest.raises(ValueError, match="must be 2 to 3"):
        kernel_distance(np.zeros((3, 4)), np.zeros((5, 4)), subset_size=4)
    for wrong in ({"times": 1}, {"level": 1.0}):
        with pytest.raises(ValueError, match="bootstrap takes"):
            bootstrap(np.mean, np.zeros(3), **wrong)
    for arrays in ((), (np.zeros(3), np.zeros(0))):
        with pytest.raises(ValueError, match="bootstrap takes"):
            bootstrap(np.mean, *arrays)
