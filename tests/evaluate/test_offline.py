"""Scores by networks of packages: which sets and pairs are compared, copies, what is left out."""

import dataclasses

import numpy as np
import pytest

from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.evaluate import offline
from cyclegan_tf.evaluate.offline import Neighbors, OfflineFeatures
from cyclegan_tf.evaluate.scores import Split
from cyclegan_tf.metrics.frechet import frechet_distance, squared_mmd


class Corners:
    """Twelve numbers of each image instead of Lite0's 1280."""

    def features(self, images):
        return np.stack([image[:2, :2, :3].ravel() + 1 for image in images])


def by_pixels(pairs):
    return [float(np.abs(one - other).mean()) for one, other in pairs]


def images(count, seed, shift=0.0):
    rng = np.random.default_rng(seed)
    return [(rng.uniform(-0.5, 0.5, (4, 4, 3)) + shift).astype(np.float32) for _ in range(count)]


@pytest.fixture
def split():
    names = tuple(map(str, range(8)))
    return Split(images(8, 0), images(8, 1, 0.3), names, names, tuple((i, i) for i in range(8)))


@pytest.fixture
def networks():
    training = images(20, 2, 0.3)
    names = tuple(f"{index}.jpg" for index in range(20))
    known = Neighbors(names, Corners().features(training))
    return training, OfflineFeatures(Corners(), Corners(), by_pixels, {"y": known})


def test_all_scores_with_their_baselines(split, networks):
    training, features = networks
    outputs = images(8, 3, 0.2)
    given = {"unchanged input": split.x, "random real": training[:8]}
    found = features.scores(outputs, given, split, "xy", seed=1)
    fake, real = map(Corners().features, (outputs, split.y))
    assert found.scores["fd_lite0"] == pytest.approx(frechet_distance(fake, real))
    assert found.scores["kid_lite0"] == pytest.approx(1000 * squared_mmd(fake, real))
    assert found.scores["lpips_vgg_hed"] == pytest.approx(
        np.mean(by_pixels(zip(outputs, split.y, strict=True)))
    )
    assert found.baselines["random real"]["nearest_lite0"] == pytest.approx(0, abs=1e-9)
    before = found.baselines["unchanged input"]
    for name in ("fd_lite0", "kid_lite0", "nearest_lite0"):
        assert before[name] > found.scores[name]
    for name, (low, high) in found.intervals.items():
        assert low < found.scores[name] < high
    assert set(found.intervals) == {"fd_lite0", "kid_lite0", "lpips_vgg_hed"}
    assert 0.5 < found.scores["variety_vgg_hed"] < 2
    assert {len(values) for values in found.per_image.values()} == {8}
    assert "8 translations against those of 8 real" in found.protocol["FD-Lite0 and KID-Lite0, xy"]


def test_copies_are_found_with_their_names(split, networks):
    training, features = networks
    outputs = [training[5], training[11], *training[:6]]
    found = features.scores(outputs, {}, split, "xy")
    assert found.neighbors[:2] == ("5.jpg", "11.jpg")
    assert found.scores["nearest_lite0"] == pytest.approx(0, abs=1e-9)
    leaked = dataclasses.replace(
        features, neighbors={"y": Neighbors(split.names_y, Corners().features(split.y))}
    )
    assert "nearest_lite0" not in leaked.scores(outputs, {}, split, "xy").scores


def test_in_brief_for_trainings(split, networks):
    outputs = images(8, 3, 0.2)
    found = networks[1].brief(outputs, split, "xy")
    full = networks[1].scores(outputs, {}, split, "xy").scores
    assert found == {name: full[name] for name in ("fd_lite0", "kid_lite0", "lpips_vgg_hed")}


def test_what_cannot_be_had_is_left_out(split, networks):
    unpaired = dataclasses.replace(split, pairs=())
    features = networks[1]
    assert "lpips_vgg_hed" not in features.brief(split.x, unpaired, "xy")
    assert "lpips_vgg_hed" not in features.scores(split.x, {}, unpaired, "xy").scores
    wide = [np.zeros((4, 4, 5), np.float32)] * 8
    assert features.brief(wide, split, "xy") == {}
    assert OfflineFeatures(distance=by_pixels).brief(split.x, unpaired, "xy") == {}
    one = Split(split.x[:1], split.y[:1], ("a",), ("b",))
    assert features.scores(one.x, {}, one, "xy").scores == {}


def test_images_of_different_sizes_are_cut_for_diversity(networks):
    mixed = [np.zeros((4, 6, 3), np.float32), np.ones((5, 3, 3), np.float32)]
    split = Split(mixed, mixed, ("a", "b"), ("c", "d"))
    assert networks[1].scores(mixed, {}, split, "xy").scores["variety_vgg_hed"] == 1


def test_training_images_are_described_in_parts(monkeypatch):
    monkeypatch.setattr(offline, "_PART", 2)
    monkeypatch.setattr(offline, "MAX_NEIGHBORS", 5)
    listed = ImageList(
        tuple(map(str, range(10))), 3, lambda index: np.full((4, 4, 3), 25 * index, np.uint8)
    )
    found = offline.describe_training(Corners(), listed, ImageTransform("none", 4, 4))
    assert found.names == ("0", "2", "4", "6", "8")
    np.testing.assert_allclose(
        found.features[:, 0], [50 * i * 2 / 255 for i in range(5)], atol=1e-5
    )


def test_a_choice_opens_its_networks(monkeypatch):
    monkeypatch.setattr(offline.lite0, "open_lite0", lambda asked: Corners())
    monkeypatch.setattr(offline.perceptual, "open_perceptual", lambda asked: by_pixels)
    found = offline.open_offline("lite0", "--features lite0")
    assert isinstance(found.extractor, Corners)
    assert found.distance is None
    assert offline.open_offline("all", "--features all").distance is by_pixels
    assert offline.open_scoring("off") is None
    vgg = offline.open_scoring("vgg16_hed")
    assert (vgg.extractor, vgg.cached, vgg.distance) == (None, None, by_pixels)
