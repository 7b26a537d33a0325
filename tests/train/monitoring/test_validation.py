"""Which weights are scored, which score decides, what the best checkpoint remembers."""

import contextlib

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.evaluate.offline import OfflineFeatures
from cyclegan_tf.evaluate.scores import Split
from cyclegan_tf.metrics import image_quality
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.train.monitoring.validation import (
    BestCheckpoint,
    ValidationResult,
    Validator,
    domain_statistics,
)
from tests.helpers.errors import refused


def images(count, seed=0, channels=3, low=-1.0, high=1.0):
    rng = np.random.default_rng(seed)
    small = [rng.uniform(low, high, (6, 6, channels)).astype(np.float32) for _ in range(count)]
    return [tf.image.resize(p, (20, 20)).numpy() for p in small]


@pytest.fixture(scope="module")
def split():
    x = images(4)
    return Split(
        x, [0.5 * p + 0.3 for p in x], tuple("abcd"), tuple("abcd"), tuple((i, i) for i in range(4))
    )


class Dial:
    """A generator whose gain can be turned, as an average of weights would."""

    def __init__(self):
        self.gain, self.averaged_gain = 1.0, 0.5

    def __call__(self, batch):
        return self.gain * batch + 0.3

    @contextlib.contextmanager
    def swapped_in(self):
        kept, self.gain = self.gain, self.averaged_gain
        yield
        self.gain = kept


def test_raw_and_averaged_weights_are_scored_and_the_better_is_chosen(split):
    dial = Dial()
    validator = Validator(split, {"xy": dial, "yx": dial}, ["xy"], "mae", dial)
    found, seconds = validator.score()
    assert [scored.weights for scored in found] == ["raw", "averaged"]
    # the truth is 0.5 x + 0.3
    assert found[0].total == pytest.approx(np.mean(np.abs([0.5 * p for p in split.x])), rel=1e-5)
    assert found[1].total == pytest.approx(0.0, abs=1e-6)
    assert validator.best_of(found).weights == "averaged"
    assert found[0].values()["mae_xy"] == found[0].total
    assert {
        "swd_xy",
        "swd_yx",
        "color_swd_xy",
        "cycle_error_yx",
        "psnr_xy",
        "ssim_yx",
        "variety_xy",
    } <= set(found[0].values())
    assert seconds > 0
    dial.averaged_gain = 2.0
    assert validator.best_of(validator.score()[0]).weights == "raw"
    dial.averaged_gain = dial.gain
    assert validator.best_of(validator.score()[0]).weights == "raw"


class Means:
    """One number of each image instead of Lite0's 1280."""

    def features(self, images):
        return np.stack([image.mean((0, 1)) for image in images])


def test_networks_of_packages_score_and_choose(split):
    dial = Dial()
    features = OfflineFeatures(Means(), Means())
    validator = Validator(split, {"xy": dial, "yx": dial}, ["xy"], "kid_lite0", dial, features)
    found, _ = validator.score()
    raw, averaged = (result.values()["kid_lite0_xy"] for result in found)
    assert averaged < raw == found[0].total
    assert validator.best_of(found).weights == "averaged"
    assert "fd_lite0_yx" in found[0].values()


def test_ranked_directions_are_averaged_and_higher_may_be_better(split):
    dial = Dial()
    validator = Validator(split, {"xy": dial, "yx": dial}, ["xy", "yx"], "psnr", dial)
    found, _ = validator.score()
    for scored in found:
        by_direction = [scored.by_direction[d]["psnr"] for d in ("xy", "yx")]
        assert scored.total == pytest.approx(np.mean(by_direction))
    assert validator.higher_is_better
    best = validator.best_of(found)
    assert best.total == max(scored.total for scored in found)


def test_a_score_that_cannot_be_had_chooses_nothing():
    small = Split(
        [np.zeros((8, 8, 1), np.float32)], [np.zeros((8, 8, 1), np.float32)], ("a",), ("b",)
    )
    validator = Validator(small, {"xy": tf.identity, "yx": tf.identity}, ["xy"], "swd")
    found, _ = validator.score()
    assert found[0].total is None
    assert validator.best_of(found) is None


@pytest.mark.parametrize("best_by", ["psnr", "ssim", "mae"])
def test_paired_scores_need_pairs(split, best_by):
    unpaired = Split(split.x, split.y[:3], split.names_x, split.names_y[:3])
    with refused("mismatch", "training.best_metric", match="X has 4 images and Y 3"):
        Validator(unpaired, {}, ["xy"], best_by)
    Validator(unpaired, {}, ["xy"], "cycle_error")


def test_what_is_known_of_the_domains(split):
    domains = domain_statistics(split, "xy")
    assert domains.input_diversity == pytest.approx(image_quality.diversity(split.x))
    assert domains.target_diversity == pytest.approx(domains.input_diversity / 2, rel=1e-4)
    assert domains.truth_correlation == pytest.approx(1.0)
    assert domains.target_luminance == pytest.approx(0.5 * domains.input_luminance + 0.3, rel=1e-4)
    negative = Split(split.x, [-p for p in split.x], *((tuple("abcd"),) * 2), split.pairs)
    assert domain_statistics(negative, "yx").truth_correlation == pytest.approx(-1.0)
    unpaired = Split(images(3), images(1, 1, channels=1), tuple("abc"), ("d",))
    alone = domain_statistics(unpaired, "xy")
    assert (
        alone.target_diversity,
        alone.distance,
        alone.within_distance,
        alone.truth_correlation,
    ) == (
        None,
        None,
        None,
        None,
    )


def test_the_unchanged_input_is_known_from_the_first_score_on(split):
    networks = {"xy": tf.identity, "yx": tf.identity}
    validator = Validator(split, networks, ["xy"], "color_swd")
    assert validator.unchanged_scores() == {}
    domains = validator.domains
    assert validator.unchanged_scores() == {way: domains[way].distance for way in ("xy", "yx")}
    other = Validator(split, networks, ["xy"], "swd")
    assert other.domains
    assert other.unchanged_scores() == {}


def scored(total, weights="raw"):
    return ValidationResult(weights, {"xy": {"mae": total, "swd": None}}, total)


class TestBest:
    def updates(self, best, *totals):
        """Steps from 10 on; which were better."""
        arrays = {"g/w": np.zeros(2, np.float32)}
        return [
            best.update(10 * (i + 1), None if t is None else scored(t), lambda _: arrays)
            for i, t in enumerate(totals)
        ]

    def test_only_strictly_better_ones_count(self, tmp_path):
        best = BestCheckpoint(tmp_path, "mae", False)
        assert self.updates(best, 3.0, 3.0, 4.0, None, 2.0, 2.5) == [
            True,
            False,
            False,
            False,
            True,
            False,
        ]
        path, arrays, state = (
            checkpoints.select(tmp_path).path,
            *checkpoints.read(checkpoints.select(tmp_path).path),
        )
        assert path == tmp_path / "best" / "step_000000050.npz"
        assert list(arrays) == ["g/w"]
        assert state == {
            "step": 50, "weights": "raw", "best_by": "mae", "score": 2.0, "higher_is_better": False,
            "scores": {"mae_xy": 2.0},
        }  # fmt: skip

    def test_patience(self, tmp_path):
        best = BestCheckpoint(tmp_path, "mae", False, patience=2)
        assert self.updates(best, 3.0, 4.0, 2.0, 2.0) == [True, False, True, False]
        assert not best.should_stop
        self.updates(best, 5.0)
        assert best.should_stop
        endless = BestCheckpoint(tmp_path, "mae", False)
        self.updates(endless, *[9.0] * 50)
        assert not endless.should_stop

    def test_resumed_from_before_its_file_it_decides_as_it_did(self, tmp_path):
        first = BestCheckpoint(tmp_path, "mae", False, patience=3)
        self.updates(first, 5.0, 6.0)
        saved = first.state_dict()
        first.update(30, scored(2.0), lambda _: {"g/w": np.full(2, 30.0)})
        resumed = BestCheckpoint(tmp_path, "mae", False, patience=3)
        resumed.load_state_dict(saved)
        assert (resumed.score, resumed.step, resumed.wait) == (5.0, 10, 1)
        # a score between the two is the best of what this training has seen; the file on the disk
        # is better still
        assert resumed.update(25, scored(4.0), lambda _: {"g/w": np.full(2, 25.0)})
        assert checkpoints.select(tmp_path).step == 30
        assert resumed.update(30, scored(2.0), lambda _: {"g/w": np.full(2, 30.0)})
        assert resumed.state_dict() == first.state_dict()
        assert [p.name for p in checkpoints.list_checkpoints(tmp_path / "best")] == [
            "step_000000030.npz"
        ]
