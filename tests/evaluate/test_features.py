"""FID and KID around an extractor: which sets are compared, subsets, intervals."""

import numpy as np
import pytest

from cyclegan_tf.evaluate import features
from cyclegan_tf.evaluate.features import feature_scores
from cyclegan_tf.metrics.frechet import frechet_distance, kernel_distance, squared_mmd


class Corners:
    """Eight numbers of each image instead of Inception's 2048."""

    def features(self, images):
        return np.stack([image[:2, :2, :2].ravel() for image in images])


def images(count, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    return [(rng.uniform(-0.5, 0.5, (4, 4, 3)) + shift).astype(np.float32) for _ in range(count)]


def test_outputs_and_baselines_against_the_targets():
    real, fake, other = images(30, 0), images(20, 1, 0.2), images(20, 2, 0.4)
    found = feature_scores(Corners(), real, fake, {"unchanged input": other})
    a, b, c = map(Corners().features, (real, fake, other))
    assert found.scores["fid"] == pytest.approx(frechet_distance(a, b))
    assert found.scores["kid"] == pytest.approx(1000 * squared_mmd(a, b))
    assert found.baselines["unchanged input"]["fid"] == pytest.approx(frechet_distance(a, c))
    assert found.baselines["unchanged input"]["kid"] > found.scores["kid"] > 0
    for name, (low, high) in found.intervals.items():
        assert low < found.scores[name] < high
    assert "20 translations against those of 30 real" in found.protocol
    assert "200 resamples" in found.protocol


def test_large_sets_take_random_subsets(monkeypatch):
    monkeypatch.setattr(features, "KID_SUBSET_SIZE", 8)
    real, fake = images(30, 0), images(20, 1, 0.2)
    found = feature_scores(Corners(), real, fake, {}, seed=3)
    a, b = map(Corners().features, (real, fake))
    assert found.scores["kid"] == pytest.approx(1000 * kernel_distance(b, a, 100, 8, 3)[0])
    assert "100 random subsets of 8" in found.protocol


def test_two_thousand_would_take_fewer_resamples(monkeypatch):
    monkeypatch.setattr(features, "_MANY", 10)
    assert "40 resamples" in feature_scores(Corners(), images(11, 0), images(5, 1), {}).protocol
