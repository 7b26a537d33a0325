"""Features are computed once per set of pixels and protocol."""

import numpy as np
import pytest

from cyclegan_tf.features import cached
from cyclegan_tf.features.cached import CachedFeatures


class Means:
    def __init__(self):
        self.calls = 0

    def features(self, images):
        self.calls += 1
        return np.array([[image.mean()] for image in images], np.float32)


@pytest.fixture
def images():
    return [np.full((2, 3, 3), level, np.float32) for level in (0.25, 0.5)]


def test_a_set_is_known_by_its_pixels(images, tmp_path):
    extractor = Means()
    for _ in range(2):
        found = CachedFeatures(extractor, "a", tmp_path / "cache").features(images)
        np.testing.assert_array_equal(found, [[0.25], [0.5]])
    assert extractor.calls == 1
    changed = [images[0], images[1] + 0.25]
    for protocol, given in (("a", changed), ("b", images), ("a", images[::-1])):
        CachedFeatures(extractor, protocol, tmp_path / "cache").features(given)
    assert extractor.calls == 4


def test_a_damaged_file_is_computed_anew(images, tmp_path):
    extractor = Means()
    kept = CachedFeatures(extractor, "a", tmp_path)
    kept.features(images)
    (file,) = tmp_path.glob("*.npy")
    file.write_bytes(file.read_bytes()[:-2])
    np.testing.assert_array_equal(kept.features(images), [[0.25], [0.5]])
    assert extractor.calls == 2
    kept.features(images)
    assert extractor.calls == 2


def test_without_a_place_nothing_is_kept(images, tmp_path):
    (tmp_path / "file").touch()
    found = CachedFeatures(Means(), "a", tmp_path / "file" / "cache").features(images)
    assert found.shape == (2, 1)


def test_old_sets_go(images, tmp_path, monkeypatch):
    monkeypatch.setattr(cached, "KEPT_FILES", 2)
    kept = CachedFeatures(Means(), "a", tmp_path)
    for shift in range(4):
        kept.features([image + shift for image in images])
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_the_users_cache_is_the_place(monkeypatch, tmp_path, images):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    CachedFeatures(Means(), "a").features(images)
    assert list((tmp_path / "cyclegan_tf" / "features").glob("*.npy"))
