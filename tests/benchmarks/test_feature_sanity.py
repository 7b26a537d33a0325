"""The order of known changes, with features whose order is known."""

import numpy as np
import pytest

from benchmarks.quality import feature_sanity
from cyclegan_tf.evaluate.offline import OfflineFeatures


class Statistics:
    """Means of colors and of their steps from pixel to pixel."""

    def features(self, images):
        return np.stack([self.of(image) for image in images])

    def of(self, image):
        steps = np.abs(np.diff(image, axis=0)).mean((0, 1))
        return np.concatenate([image.mean((0, 1)), steps * 3, image[0, 0]])


def by_pixels(pairs):
    return [float(np.abs(one - other).mean()) for one, other in pairs]


def images(count, seed, low=-0.5):
    rng = np.random.default_rng(seed)
    return [rng.uniform(low, 0.5, (16, 16, 3)).astype(np.float32) for _ in range(count)]


def test_changes_are_ordered_and_disorder_is_named():
    halves = images(12, 0), images(12, 1)
    rows = feature_sanity.compare(halves, images(12, 2, 0.3), Statistics(), by_pixels)
    assert len(rows) == 13
    assert rows["tint 0.4"].kid > rows["tint 0.1"].kid
    assert rows["copies, noise 0.05"].near < 0.5 * rows["as they are"].near == 0.5
    names = [text.split(" is")[0] for text in feature_sanity.disorder(rows)]
    assert not {"kid: tint", "fd: tint", "lpips: tint"} & set(names)
    wrong = {
        "tint 0.1": rows["tint 0.4"],
        "tint 0.4": rows["tint 0.1"],
        "copies, tint 0.1": rows["as they are"],
    }
    found = feature_sanity.disorder(rows | wrong)
    assert any(text.startswith("kid: tint") for text in found)
    assert found[-1] == "near: copies are not found"


def test_the_program_reads_a_source_and_prints_a_table(monkeypatch, capsys):
    monkeypatch.setattr(
        feature_sanity,
        "open_offline",
        lambda choice, asked: OfflineFeatures(Statistics(), None, by_pixels),
    )
    status = feature_sanity.main(["demo", "--count", "3", "--size", "32", "--domain", "x"])
    printed = capsys.readouterr().out
    assert "| demo X, 3 images | KID-Lite0 (95 %) |" in printed
    assert printed.count("\n| ") == 13
    assert status == pytest.approx(1 if "out of order" in printed else 0)
