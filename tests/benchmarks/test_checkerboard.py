"""The checkerboard measure on images whose grid is known."""

import numpy as np
import pytest
from scipy import ndimage

from benchmarks.quality.checkerboard import checkerboard


def scenes(seed=0, count=12, height=64, width=64, channels=3):
    """Smooth shapes with level and upright edges, as photos have them, and some noise."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, (count, height, width, channels))
    images = ndimage.gaussian_filter(noise, (0, 3, 3, 0)) * 2 + noise * 0.01
    for image in images:
        for _ in range(4):
            top, left = rng.integers(0, height - 8), rng.integers(0, width - 8)
            image[top : top + rng.integers(4, 40), left : left + rng.integers(4, 40)] += (
                rng.uniform(-0.5, 0.5)
            )
    return np.clip(images, -1, 1).astype(np.float32)


def pattern(kind, height=64, width=64):
    rows, columns = np.mgrid[:height, :width]
    values = {
        "checks of 2": (-1.0) ** (rows + columns),
        "columns of 2": (-1.0) ** columns,
        "rows of 4": np.cos(np.pi / 2 * rows),
        "checks of 4": np.cos(np.pi / 2 * rows) * np.cos(np.pi / 2 * columns),
        "slanting of 4": np.cos(np.pi / 2 * (rows - columns)),
    }[kind]
    return values[:, :, None].astype(np.float32)


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize(("height", "width"), [(64, 64), (33, 50), (128, 96)])
def test_no_grid_is_about_nought(seed, height, width):
    assert abs(checkerboard(scenes(seed, 12, height, width))) < 1.5
    white = np.random.default_rng(seed).uniform(-1, 1, (12, height, width, 3))
    assert abs(checkerboard(white)) < 1.0


@pytest.mark.parametrize(
    "kind", ["checks of 2", "columns of 2", "rows of 4", "checks of 4", "slanting of 4"]
)
def test_each_grid_is_seen(kind):
    plain = scenes()
    faint = plain + 0.03 * pattern(kind)
    strong = plain + 0.1 * pattern(kind)
    assert checkerboard(plain) + 2 < checkerboard(faint) < checkerboard(strong) - 5


def test_the_number_is_the_share_of_the_line_in_white_noise():
    # a cosine of amplitude a and period 2 has energy (a sum w)^2 at its bin, noise of variance v
    # has v sum w^2 at each; of the nine lines one holds the grid
    rng = np.random.default_rng(3)
    amplitude, deviation, side = 0.2, 0.3, 64
    given = rng.normal(0, deviation, (200, side, side, 1)) + amplitude * pattern("checks of 2")
    window = np.outer(*[np.hanning(side + 1)[:-1]] * 2)
    ratio = (amplitude * window.sum()) ** 2 / (deviation**2 * (window**2).sum()) + 1
    assert checkerboard(given) == pytest.approx(10 * np.log10((ratio + 8) / 9), abs=0.3)


def test_a_grid_that_follows_the_image_and_one_of_colors_alone_are_seen():
    plain = scenes()
    assert checkerboard(plain * (1 + 0.1 * pattern("checks of 4"))) > checkerboard(plain) + 5
    opposite = (
        0.05 * pattern("checks of 2") * np.array([0.7152, -0.2126, 0.0], np.float32)
    )  # luminance does not change
    assert checkerboard(plain + opposite) > checkerboard(plain) + 5


def test_uneven_overlap_of_a_transposed_convolution_is_seen_and_doubling_is_not():
    rng = np.random.default_rng(4)
    small = ndimage.gaussian_filter(rng.normal(0, 1, (8, 32, 32)), (0, 2, 2))
    spread = np.zeros((8, 64, 64))
    spread[:, ::2, ::2] = small
    uneven, even = np.ones((1, 3, 3)), np.outer([1, 2, 1], [1, 2, 1])[None]
    transposed, linear = (
        ndimage.convolve(spread, kernel / 4)[..., None] for kernel in (uneven, even)
    )
    assert checkerboard(transposed) > checkerboard(linear) + 10


def test_other_periods_and_flat_images_are_no_grid():
    columns = np.arange(60)
    of_three = np.broadcast_to(np.cos(2 * np.pi / 3 * columns)[None, :, None], (60, 60, 1))
    assert checkerboard(scenes(5, 12, 60, 60) + 0.1 * of_three) < 1.5
    assert checkerboard(np.full((2, 32, 32, 3), 0.3)) == pytest.approx(0, abs=1e-6)
    below_any_file = np.full((2, 64, 64, 1), 0.3) + 1e-6 * pattern("checks of 2")
    assert checkerboard(below_any_file) < 0.1


def test_lists_are_taken_and_what_does_not_fit_is_said():
    assert checkerboard(list(scenes())) == checkerboard(scenes())
    with pytest.raises(ValueError, match="one size"):
        checkerboard([np.zeros((64, 64, 3)), np.zeros((64, 60, 3))])
    with pytest.raises(ValueError, match="one or more"):
        checkerboard([])
    with pytest.raises(ValueError, match="at least 32 px"):
        checkerboard(np.zeros((1, 31, 64, 3)))
