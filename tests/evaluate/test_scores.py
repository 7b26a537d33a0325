"""Scores by hand, of generators whose outputs are known."""

import math

import numpy as np
import pytest
import tensorflow as tf
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from cyclegan_tf.evaluate import scores
from cyclegan_tf.evaluate.baselines import baseline_scores
from cyclegan_tf.evaluate.scores import Split, color_distance, measure
from cyclegan_tf.metrics import sliced_wasserstein as swd
from tests.helpers.errors import refused


def images(count, size=(16, 20), channels=3, seed=0, low=-0.5, high=0.5):
    rng = np.random.default_rng(seed)
    return [rng.uniform(low, high, (*size, channels)).astype(np.float32) for _ in range(count)]


def names(count):
    return tuple(f"{index}.png" for index in range(count))


@pytest.fixture
def split():
    """Y is X, 0.25 lighter, in another order: 0 -> 2, 1 -> 0, 2 -> 1; X has one image more."""
    x = images(4)
    return Split(
        x, [x[1] + 0.25, x[2] + 0.25, x[0] + 0.25], names(4), names(3), ((0, 2), (1, 0), (2, 1))
    )


def lighter(batch):
    return batch + 0.2


def darker(batch):
    return batch - 0.3


def test_means_and_single_values_by_hand(split):
    found = measure(lighter, darker, split, "xy")
    assert found.means["cycle_error"] == pytest.approx(0.1, abs=1e-6)
    assert found.means["identity_distance"] == pytest.approx(0.2, abs=1e-6)
    assert found.means["change"] == pytest.approx(0.2, abs=1e-6)
    assert found.means["luminance_correlation"] == pytest.approx(1, abs=1e-6)
    # Three outputs out of four are 0.05 off their truths; PSNR = 10 log10(2^2 / 0.05^2).
    assert found.means["mae"] == pytest.approx(0.05, abs=1e-6)
    assert found.means["psnr"] == pytest.approx(10 * math.log10(4 / 0.0025), abs=1e-3)
    assert found.means["psnr_pooled"] == pytest.approx(found.means["psnr"], abs=1e-3)
    assert found.per_image["mae"] == pytest.approx((0.05, 0.05, 0.05, None), abs=1e-6)
    assert [len(found.per_image[name]) for name in ("psnr", "ssim", "cycle_error", "change")] == [
        4
    ] * 4
    assert len(found.per_target["identity_distance"]) == 3
    np.testing.assert_allclose(found.outputs[3], split.x[3] + 0.2, atol=1e-6)


def test_the_other_direction_changes_all_places(split):
    found = measure(darker, lighter, split, "yx")
    assert found.means["mae"] == pytest.approx(0.05, abs=1e-6)
    assert len(found.outputs) == 3
    assert found.per_image["mae"] == pytest.approx((0.05, 0.05, 0.05), abs=1e-6)
    assert len(found.per_target["identity_distance"]) == 4
    np.testing.assert_array_equal(split.truths("yx")[2], split.x[0])


def test_paired_scores_are_those_of_scikit_image(split):
    found = measure(lambda batch: batch * 0.8, None, split, "xy")
    psnr, ssim = [], []
    for given, wanted in split.pairs:
        psnr.append(peak_signal_noise_ratio(split.y[wanted], split.x[given] * 0.8, data_range=2))
        ssim.append(
            structural_similarity(
                split.y[wanted], split.x[given] * 0.8, data_range=2, channel_axis=-1,
                gaussian_weights=True, sigma=1.5,
                use_sample_covariance=False,
            )
        )  # fmt: skip
    assert found.means["psnr"] == pytest.approx(np.mean(psnr), abs=1e-4)
    # scikit-image rounds its borders off with mirrored windows and then leaves 5 px of them out, as
    # ours does.
    assert found.means["ssim"] == pytest.approx(np.mean(ssim), abs=1e-4)
    pooled = [np.mean((split.x[a] * 0.8 - split.y[b]) ** 2) for a, b in split.pairs]
    assert found.means["psnr_pooled"] == pytest.approx(10 * np.log10(4 / np.mean(pooled)), abs=1e-4)


def test_what_cannot_be_had_is_none_or_left_out():
    gray = Split(images(2), images(1, channels=1), names(2), names(1))
    found = measure(lambda batch: tf.reduce_mean(batch, -1, keepdims=True), None, gray, "xy")
    assert found.means["identity_distance"] is None
    assert found.means["change"] is None
    assert found.means["cycle_error"] is None
    assert found.means["variety"] is None  # one target cannot vary
    assert found.means["swd"] > 0
    assert not set(found.means) & set(scores.PAIRED)
    assert set(baseline_scores(gray, "xy", [])) == {"constant", "random real"}
    small = Split(images(2, (8, 8)), images(2, (8, 8)), names(2), names(2), ((0, 0), (1, 1)))
    found = measure(lighter, None, small, "xy")
    assert found.means["ssim"] is None
    assert found.means["swd"] is None
    assert found.means["psnr"] > 0
    with pytest.raises(ValueError, match="at least one image"):
        measure(lighter, None, Split([], [], (), ()), "xy")


def test_a_negative_and_a_collapse_show(split):
    assert measure(lambda batch: -batch, None, split, "xy").means[
        "luminance_correlation"
    ] == pytest.approx(-1)
    alike = tf.constant(images(1, seed=5)[0][np.newaxis])
    found = measure(lambda batch: alike, None, split, "xy")
    assert found.means["variety"] == 0
    flat = measure(tf.zeros_like, None, split, "xy")
    assert flat.means["luminance_correlation"] is None
    same = measure(
        lambda batch: batch + 0.25, None, Split(split.x[:3], split.y, names(3), names(3)), "xy"
    )
    assert same.means["variety"] == pytest.approx(1, abs=1e-6)


def test_nan_is_one_sentence(split):
    with refused("unsupported", match="NaN") as caught:
        measure(lambda batch: batch * math.nan, None, split, "xy")
    assert caught.value.code == "unsupported"


def test_images_of_different_sizes_are_compared_by_their_common_center():
    x, y = [images(1, (16, 24))[0], images(1, (20, 18), seed=1)[0]], images(2, (20, 20), seed=2)
    found = scores.distances(y, x)
    cut = [x[0][:, 3:21], x[1][2:18]]
    assert found == swd.sliced_wasserstein(
        np.stack([p[2:18, 1:19] for p in y]), np.stack(cut), seed=0
    )
    assert measure(lighter, None, Split(x, y, names(2), names(2)), "xy").means["swd"] > 0


def test_equal_images_have_an_infinite_psnr(split):
    found = measure(
        lambda batch: batch,
        None,
        Split(split.x, split.x, names(4), names(4), ((0, 0), (1, 1))),
        "xy",
    )
    assert found.means["psnr"] == found.means["psnr_pooled"] == math.inf
    assert found.per_image["psnr"] == (math.inf, math.inf, None, None)


def test_the_color_distance_sees_a_cast_of_color_and_takes_different_sizes():
    real, same = images(8, (24, 24)), images(8, (24, 24), seed=1)
    cast = [p + np.float32([0.5, 0, -0.5]) for p in same]
    assert color_distance(real, real) == 0
    assert color_distance(real, cast) > 2 * color_distance(real, same)
    assert color_distance(real, [p[:16, 2:18] for p in same]) > 0
    assert color_distance(real, [p[:5] for p in same]) is None
    assert color_distance(real, [p[..., :1] for p in same]) is None


def test_the_papers_distance_is_blind_to_a_cast_and_the_other_is_not():
    split = Split(images(6, (24, 24)), images(6, (24, 24), seed=1), names(6), names(6))
    plain = measure(tf.identity, None, split, "xy").means
    cast = measure(lambda batch: batch * 0.5 + 0.3, None, split, "xy").means
    assert cast["swd"] == pytest.approx(plain["swd"], rel=1e-3)
    assert cast["color_swd"] > 3 * plain["color_swd"]
