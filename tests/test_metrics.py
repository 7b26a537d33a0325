"""PSNR by hand, SSIM against scikit-image."""

import math

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from cyclegan_tf import metrics


def pictures(seed, channels=3):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(-1, 1, (40, 33, channels))
    return np.clip(truth + rng.normal(0, 0.3, truth.shape), -1, 1).astype(np.float32), truth.astype(np.float32)


def test_psnr_by_hand():
    black, gray = np.full((2, 2, 1), -1.0), np.full((2, 2, 1), -0.8)
    assert metrics.psnr(gray, black) == pytest.approx(10 * math.log10(4 / 0.04))
    assert metrics.psnr(np.full((2, 2), 10), np.full((2, 2), 13), 255) == pytest.approx(10 * math.log10(255**2 / 9))
    assert metrics.psnr(black, black) == math.inf


def test_psnr_of_bytes_does_not_wrap_around():
    low, high = np.full((2, 2), 250, np.uint8), np.full((2, 2), 5, np.uint8)
    assert (
        metrics.psnr(low, high, 255) == metrics.psnr(high, low, 255) == pytest.approx(10 * math.log10(255**2 / 245**2))
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_ssim_is_that_of_scikit_image(channels, seed):
    picture, truth = pictures(seed, channels)
    wanted = structural_similarity(
        picture.astype(np.float64), truth.astype(np.float64),
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=2.0, channel_axis=-1,
    )  # fmt: skip
    assert metrics.ssim(picture, truth) == pytest.approx(wanted, abs=1e-9)
    assert 0 < metrics.ssim(picture, truth) < 1


def test_ssim_of_equal_pictures_is_one_and_of_bytes_takes_their_range():
    picture = np.random.default_rng(2).integers(0, 256, (20, 20, 3), np.uint8)
    assert metrics.ssim(picture, picture, 255) == pytest.approx(1)
    signed = picture.astype(np.float64) * 2 / 255 - 1
    other = np.roll(picture, 1, axis=0)
    # the same pictures on another scale, but for the constants that scale with the range
    assert metrics.ssim(picture, other, 255) == pytest.approx(
        metrics.ssim(signed + 1, other.astype(np.float64) * 2 / 255, 2.0), abs=1e-9
    )


@pytest.mark.parametrize("shape", [(10, 40, 3), (40, 40)])
def test_ssim_says_what_it_takes(shape):
    with pytest.raises(ValueError, match="at least 11 px"):
        metrics.ssim(np.zeros(shape), np.zeros(shape))


def test_shapes_must_agree():
    for measure in (metrics.psnr, metrics.ssim):
        with pytest.raises(ValueError, match="one shape"):
            measure(np.zeros((20, 20, 3)), np.zeros((20, 20, 1)))
