"""What generators that do nothing score."""

import numpy as np
import pytest

from cyclegan_tf.evaluate import scores
from cyclegan_tf.evaluate.baselines import baseline_images, baseline_scores, resized_like
from cyclegan_tf.evaluate.scores import Split


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


def test_baselines_by_hand(split):
    train = [np.full((16, 20, 3), value, np.float32) for value in (0.1, 0.2, 0.3, 0.6)]
    found = baseline_scores(split, "xy", train)
    assert list(found) == ["unchanged input", "constant", "random real"]
    assert found["unchanged input"]["mae"] == pytest.approx(0.25, abs=1e-6)
    error = np.mean([np.mean(np.abs(image - 0.3)) for image in split.y])
    assert found["constant"]["mae"] == pytest.approx(error, abs=1e-6)
    assert all(found[name]["swd"] > 0 for name in found)
    drawn = baseline_images(split, "xy", train)["random real"]
    assert sorted(float(image[0, 0, 0]) for image in drawn) == pytest.approx([0.1, 0.2, 0.3, 0.6])
    assert len(baseline_images(split, "xy", train[:1])["random real"]) == 4


def test_the_best_constant_is_the_mean_color():
    rng = np.random.default_rng(3)
    y = [rng.uniform(-1, 1, (16, 16, 3)).astype(np.float32) ** 2 for _ in range(3)]
    split = Split(y, y, names(3), names(3), tuple((i, i) for i in range(3)))
    best = baseline_scores(split, "xy", y)["constant"]["psnr_pooled"]
    for value in rng.uniform(-1, 1, (20, 3)).astype(np.float32):
        other = scores.compare([np.broadcast_to(value, p.shape) for p in y], y)[0]["psnr_pooled"]
        assert other < best


@pytest.mark.parametrize("seed", range(5))
def test_a_random_real_image_is_never_the_truth(split, seed):
    drawn = baseline_images(split, "xy", [], seed)["random real"]
    for index, truth in split.truths("xy").items():
        assert drawn[index] is not truth
    assert len({id(image) for image in drawn[:3]}) == 3
    assert baseline_scores(split, "xy", [], seed)["random real"]["swd"] is None


def test_a_random_real_image_is_brought_to_the_truths_size(split):
    found = baseline_scores(split, "xy", [np.full((33, 40, 3), 0.4, np.float32)])
    error = np.mean([np.mean(np.abs(image - 0.4)) for image in split.y])
    assert found["random real"]["mae"] == pytest.approx(error, abs=1e-5)


def test_resized_like_keeps_what_fits(split):
    assert resized_like(split.x[0], split.y[0]) is split.x[0]
    assert resized_like(split.x[0], np.empty((5, 6))).shape == (5, 6, 3)
