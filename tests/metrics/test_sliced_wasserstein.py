"""Sliced Wasserstein distance: against SciPy in one dimension, against SciPy's pyramid, and what
the protocol says."""

import math
import time

import numpy as np
import pytest
from scipy import ndimage, stats

from cyclegan_tf.metrics.sliced_wasserstein import (
    enlarged,
    mean_swd,
    pyramid,
    sliced_wasserstein,
    wasserstein,
)


def images(seed, count=6, height=32, width=32, channels=3):
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, (count, height, width, channels))
    smooth = ndimage.gaussian_filter(noise, (0, 2, 2, 0), mode="wrap")
    return np.clip(smooth * 2 + noise * 0.05, -1, 1).astype(np.float32)


@pytest.mark.parametrize(("n", "m"), [(50, 50), (30, 20), (7, 5), (1, 9), (128, 384)])
def test_on_a_line_it_is_that_of_scipy(n, m):
    rng = np.random.default_rng(n * m)
    a, b = rng.normal(0, 1, (4, n)), rng.exponential(2, (4, m))
    wanted = [stats.wasserstein_distance(x, y) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(wasserstein(a, b), wanted, rtol=1e-10)


def test_on_a_line_by_hand():
    assert wasserstein(np.array([3.0, 1.0]), np.array([2.0, 6.0])) == pytest.approx((1 + 3) / 2)
    # halves of 0 and 4 against thirds of 0, 0 and 3: a sixth of (4 - 0) and a third of (4 - 3)
    assert wasserstein(np.array([0.0, 4.0]), np.array([0.0, 3.0, 0.0])) == pytest.approx(
        4 / 6 + 1 / 3
    )


@pytest.mark.parametrize(("height", "width"), [(64, 64), (50, 77), (33, 32)])
def test_the_pyramid_is_the_one_of_scipy(height, width):
    given = images(0, 2, height, width)
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1])[None, :, :, None] / 256
    wanted, rest = [], given.astype(np.float64)
    while math.ceil(min(rest.shape[1:3]) / 2) >= 16:
        small = ndimage.convolve(rest, kernel, mode="mirror")[:, ::2, ::2]
        spread = np.zeros_like(rest)
        spread[:, ::2, ::2] = small
        wanted.append(rest - ndimage.convolve(spread, 4 * kernel, mode="mirror"))
        rest = small
    found = list(pyramid(given))
    assert [level.shape for level in found] == [level.shape for level in [*wanted, rest]]
    for level, truth in zip(found, [*wanted, rest], strict=True):
        np.testing.assert_allclose(level, truth, atol=1e-5)


def test_levels_add_up_to_the_image_and_a_flat_one_has_no_detail():
    given = images(1, 2, 70, 64)
    levels = list(pyramid(given))
    back = levels[-1]
    for level in reversed(levels[:-1]):
        back = level + enlarged(back, *level.shape[1:3])
    np.testing.assert_allclose(back, given, atol=1e-5)
    detail, rest = pyramid(np.full((1, 32, 33, 1), 0.5, np.float32))
    np.testing.assert_allclose(detail, 0, atol=1e-6)
    np.testing.assert_allclose(rest, 0.5, atol=1e-6)


@pytest.mark.parametrize(
    ("height", "width", "sides"),
    [
        (128, 128, [128, 64, 32, 16]),
        (100, 90, [90, 45, 23]),
        (32, 64, [32, 16]),
        (20, 20, [20]),
        (7, 9, [7]),
    ],
)
def test_levels_are_named_by_their_shorter_side(height, width, sides):
    given = images(2, 2, height, width)
    assert list(sliced_wasserstein(given, given[::-1], patches=4, directions=4)) == sides


def test_images_of_one_patch_are_compared_as_whole_vectors():
    # 7 x 7 px: one level, one place; what remains of the protocol is normalizing and projecting
    real, fake = images(3, 40, 7, 7), images(4, 40, 7, 7) ** 3
    vectors = [
        ((set_ - set_.mean((0, 1, 2))) / set_.std((0, 1, 2))).transpose(0, 3, 1, 2).reshape(40, -1)
        for set_ in (real.astype(float), fake.astype(float))
    ]
    rng = np.random.default_rng(99)
    units = rng.normal(size=(4000, 147))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    wanted = 1000 * np.mean(
        [stats.wasserstein_distance(*(v @ unit for v in vectors)) for unit in units]
    )
    found = mean_swd(sliced_wasserstein(real, fake, patches=1, directions=4000))
    assert found == pytest.approx(wanted, rel=0.03)


def test_a_shift_of_all_colors_shows_only_under_the_deviations_of_the_real_ones():
    real = images(5, 30, 7, 7)
    fake = real + np.float32(0.1)
    assert mean_swd(sliced_wasserstein(real, fake)) == pytest.approx(0, abs=0.01)
    # all vectors move by the same one, d: along a random direction by |d| |t|, t a coordinate of a
    # point on the sphere
    length = 0.1 * math.sqrt(49) * np.linalg.norm(1 / real.std((0, 1, 2), dtype=np.float64))
    size = 147
    mean_coordinate = math.exp(math.lgamma(size / 2) - math.lgamma((size + 1) / 2)) / math.sqrt(
        math.pi
    )
    found = mean_swd(sliced_wasserstein(real, fake, directions=4000, normalize="real"))
    assert found == pytest.approx(1000 * length * mean_coordinate, rel=0.03)


def test_a_set_is_at_no_distance_from_itself_and_nearer_to_its_kind():
    real, alike = images(6, 12), images(7, 12)
    blurred = ndimage.gaussian_filter(alike, (0, 1, 1, 0))
    assert set(sliced_wasserstein(real, list(real)).values()) == {0.0}
    near, far = sliced_wasserstein(real, alike), sliced_wasserstein(real, blurred)
    assert 0 < near[32] < far[32]
    assert mean_swd(near) == pytest.approx((near[32] + near[16]) / 2)


def test_same_seed_same_number_and_order_does_not_matter_much():
    real, fake = images(8), images(9, 4)
    first = sliced_wasserstein(real, fake, seed=1)
    assert first == sliced_wasserstein(list(real), list(fake), seed=1)
    assert first != sliced_wasserstein(real, fake, seed=2)
    assert sliced_wasserstein(fake, real, seed=1) == pytest.approx(first, rel=1e-4)


def test_flat_images_give_finite_numbers():
    flat = np.full((3, 32, 32, 1), 0.2, np.float32)
    assert mean_swd(sliced_wasserstein(flat, flat + np.float32(1e-7))) < 0.1
    assert np.isfinite(mean_swd(sliced_wasserstein(images(0, 3, channels=1), flat)))


@pytest.mark.parametrize(
    ("real", "fake", "said"),
    [
        (np.zeros((2, 32, 32, 3)), np.zeros((2, 32, 30, 3)), "one size"),
        ([np.zeros((32, 32, 3)), np.zeros((32, 30, 3))], np.zeros((2, 32, 32, 3)), "one size"),
        ([], np.zeros((2, 32, 32, 3)), "one or more"),
        (np.zeros((2, 6, 32, 3)), np.zeros((2, 6, 32, 3)), "at least 7 px"),
    ],
)
def test_it_says_what_it_takes(real, fake, said):
    with pytest.raises(ValueError, match=said):
        sliced_wasserstein(real, fake)


def test_sixty_images_take_seconds():
    real, fake = images(10, 60, 128, 128), images(11, 60, 128, 128)
    began = time.process_time()
    sliced_wasserstein(real, fake)
    assert time.process_time() - began < 8  # 2 s of one core; the rest is for a slow machine
