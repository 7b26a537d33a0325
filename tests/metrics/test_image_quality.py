"""PSNR, MAE, luminance and variety by hand, SSIM against scikit-image."""

import math

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from cyclegan_tf.metrics import image_quality


def pair(seed, channels=3):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(-1, 1, (40, 33, channels))
    return np.clip(truth + rng.normal(0, 0.3, truth.shape), -1, 1).astype(np.float32), truth.astype(
        np.float32
    )


def test_psnr_by_hand():
    black, gray = np.full((2, 2, 1), -1.0), np.full((2, 2, 1), -0.8)
    assert image_quality.psnr(gray, black) == pytest.approx(10 * math.log10(4 / 0.04))
    assert image_quality.psnr(np.full((2, 2), 10), np.full((2, 2), 13), 255) == pytest.approx(
        10 * math.log10(255**2 / 9)
    )
    assert image_quality.psnr(black, black) == math.inf


def test_psnr_of_bytes_does_not_wrap_around():
    low, high = np.full((2, 2), 250, np.uint8), np.full((2, 2), 5, np.uint8)
    assert (
        image_quality.psnr(low, high, 255)
        == image_quality.psnr(high, low, 255)
        == pytest.approx(10 * math.log10(255**2 / 245**2))
    )


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_ssim_is_that_of_scikit_image(channels, seed):
    image, truth = pair(seed, channels)
    wanted = structural_similarity(
        image.astype(np.float64), truth.astype(np.float64),
        gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=2.0,
        channel_axis=-1,
    )  # fmt: skip
    assert image_quality.ssim(image, truth) == pytest.approx(wanted, abs=1e-9)
    assert 0 < image_quality.ssim(image, truth) < 1


def test_ssim_of_equal_images_is_one_and_of_bytes_takes_their_range():
    image = np.random.default_rng(2).integers(0, 256, (20, 20, 3), np.uint8)
    assert image_quality.ssim(image, image, 255) == pytest.approx(1)
    signed = image.astype(np.float64) * 2 / 255 - 1
    other = np.roll(image, 1, axis=0)
    # the same images on another scale, but for the constants that scale with the range
    assert image_quality.ssim(image, other, 255) == pytest.approx(
        image_quality.ssim(signed + 1, other.astype(np.float64) * 2 / 255, 2.0), abs=1e-9
    )


@pytest.mark.parametrize("shape", [(10, 40, 3), (40, 40)])
def test_ssim_says_what_it_takes(shape):
    with pytest.raises(ValueError, match="at least 11 px"):
        image_quality.ssim(np.zeros(shape), np.zeros(shape))


def test_shapes_must_agree():
    for measure in (image_quality.psnr, image_quality.ssim, image_quality.mae):
        with pytest.raises(ValueError, match="one shape"):
            measure(np.zeros((20, 20, 3)), np.zeros((20, 20, 1)))


def test_mae_by_hand():
    assert image_quality.mae(
        np.array([[[-1.0]], [[0.5]]]), np.array([[[1.0]], [[0.0]]])
    ) == pytest.approx(1.25)
    assert image_quality.mae(np.full((2, 2), 250, np.uint8), np.full((2, 2), 5, np.uint8)) == 245


def test_luminance_weighs_red_green_and_blue_and_no_others():
    rgb = np.array([[[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, -1, -1]]], np.float32)
    np.testing.assert_allclose(
        image_quality.luminance(rgb), [[0.2126, 0.7152, 0.0722, -1]], atol=1e-12
    )
    np.testing.assert_allclose(image_quality.luminance(np.array([[[0.5, 0.1]]])), [[0.3]])
    assert image_quality.luminance(np.full((4, 5, 1), 0.25)).shape == (4, 5)


def test_luminance_correlation_is_that_of_numpy_and_knows_a_negative():
    image, truth = pair(3)
    x, y = image_quality.luminance(image).ravel(), image_quality.luminance(truth).ravel()
    assert image_quality.luminance_correlation(image, truth) == pytest.approx(
        np.corrcoef(x, y)[0, 1], abs=1e-9
    )
    assert image_quality.luminance_correlation(image, -0.3 * image + 0.1) == pytest.approx(-1)
    assert image_quality.luminance_correlation(image, x.reshape(40, 33, 1)) == pytest.approx(1)
    with pytest.raises(ValueError, match="one size"):
        image_quality.luminance_correlation(image, truth[1:])


def test_a_flat_image_has_no_correlation():
    image, _ = pair(4)
    nearly_flat = np.full_like(image, 0.7) + np.float32(1e-4) * image
    assert math.isnan(image_quality.luminance_correlation(image, nearly_flat))
    assert math.isnan(image_quality.luminance_correlation(nearly_flat, image))


def test_diversity_by_hand():
    grays = [np.full((8, 9, 1), value, np.float32) for value in (-1.0, 0.0, 0.5)]
    assert image_quality.diversity(grays) == pytest.approx((1 + 1.5 + 0.5) / 3)
    assert image_quality.diversity([grays[0]] * 5) == 0
    assert math.isnan(image_quality.diversity(grays[:1]))
    with pytest.raises(ValueError, match="one number of channels"):
        image_quality.diversity([grays[0], np.zeros((8, 9, 3))])


def test_diversity_is_the_mean_over_all_pairs_of_area_means():
    many = [pair(seed)[0][:32, :32] for seed in range(5)]
    small = [image.reshape(16, 2, 16, 2, 3).mean((1, 3)) for image in many]
    differences = [np.abs(a - b).mean() for i, a in enumerate(small) for b in small[:i]]
    assert image_quality.diversity(many) == pytest.approx(np.mean(differences), rel=1e-6)


@pytest.mark.parametrize("shape", [(24, 40), (7, 100), (16, 16)])
def test_diversity_reduces_any_size_by_area(shape):
    # a ramp keeps its mean, and its 16 parts the means of a ramp: the other image is flat and lies
    # below
    ramp = np.broadcast_to(np.linspace(0, 1, shape[1])[None, :, None], (*shape, 1))
    assert image_quality.diversity([ramp, np.full((3, 5, 1), -1.0)]) == pytest.approx(1.5)
    stripes = np.zeros((32, 48, 1))
    stripes[:, ::3] = 1  # period of 3 px and parts of 3 px: gone
    assert image_quality.diversity([stripes, np.full((16, 16, 1), 1 / 3)]) == pytest.approx(
        0, abs=1e-12
    )
