"""One direction put together: scores, baselines, label scores, features, the images shown."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.evaluate.evaluator import Evaluator
from cyclegan_tf.evaluate.scores import Split
from cyclegan_tf.images import io as image_io
from cyclegan_tf.metrics.segmentation import Palette

PALETTE = Palette(
    np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8), ("roof", "wall", "sky")
)
COUNT = 14


@pytest.fixture
def split():
    """X: gray photos, bright where the class is wall; Y: label maps of two classes, mostly roof."""
    rng = np.random.default_rng(0)
    x, y = [], []
    for index in range(COUNT):
        labels = (rng.uniform(size=(16, 16)) < 0.3).astype(int)
        x.append(np.repeat(labels[..., None] * 0.8 - 0.4 + 0.01 * index, 3, -1).astype(np.float32))
        y.append(image_io.to_signed(PALETTE.colors[labels]))
    names = tuple(f"{index}.png" for index in range(COUNT))
    return Split(x, y, names, names, tuple((i, i) for i in range(COUNT)))


def right(batch):
    """The true label map, but for its top row."""
    labels = tf.cast(batch[..., 0] > 0, tf.int32)
    top = tf.concat([tf.fill(tf.shape(labels[:, :1]), 2), labels[:, 1:]], 1)
    return tf.gather(tf.constant(image_io.to_signed(PALETTE.colors)), top)


def photo(batch):
    return tf.repeat(batch[..., 1:2], 3, -1) * 0.4


def test_photo_to_labels(split):
    training = {"y": split.y[:4]}
    found, featured = Evaluator(split, training, palette=PALETTE, label_domain="y")(
        "xy", right, photo, "here"
    )
    assert featured is None
    assert found.scores["pixel_accuracy"] == pytest.approx(15 / 16)
    # The most frequent class of the training images, not the nearest to their mean color.
    roofs = np.mean([image[..., 0] == 1 for image in split.y])
    assert found.baselines["constant"]["pixel_accuracy"] == pytest.approx(roofs)
    assert found.baselines["random real"]["pixel_accuracy"] < roofs
    assert found.baselines["unchanged input"]["pixel_accuracy"] <= 1
    assert found.classes["sky"] == {"share": 0, "accuracy": None, "iou": None}
    assert found.ranked_by == "pixel_accuracy"
    assert found.per_image["pixel_accuracy"] == (15 / 16,) * COUNT
    assert found.counts == {"inputs": COUNT, "targets": COUNT, "pairs": COUNT}
    assert list(found.groups) == ["worst", "median", "best"]
    assert list(found.groups["best"][0].columns) == ["x", "G(x)", "truth"]


def test_the_other_direction_has_no_label_scores(split):
    found, _ = Evaluator(split, {}, palette=PALETTE, label_domain="y")("yx", photo, right, "here")
    assert "pixel_accuracy" not in found.scores
    assert found.ranked_by == "psnr"
    assert list(found.groups["best"][0].columns) == ["y", "F(y)", "truth"]


def test_without_pairs_the_cycled_image_is_shown(split):
    alone = Split(split.x, split.y[:3], split.names_x, split.names_y[:3])
    found, _ = Evaluator(alone, {})("xy", right, photo, "here")
    assert found.ranked_by == "cycle_error"
    shown = found.groups["worst"][0]
    assert list(shown.columns) == ["x", "G(x)", "F(G(x))"]
    cycled = photo(right(tf.constant(shown.columns["x"][np.newaxis])))[0]
    np.testing.assert_allclose(shown.columns["F(G(x))"], cycled)
    errors = found.per_image["cycle_error"]
    assert shown.scores["cycle_error"] == max(errors)
    only, _ = Evaluator(alone, {})("xy", right, None, "here")
    assert only.ranked_by == "luminance_correlation"
    assert list(only.groups["worst"][0].columns) == ["x", "G(x)"]


class Means:
    def features(self, images):
        return np.stack([image.mean((0, 1)) for image in images])


def test_features_stand_beside_the_rest(split):
    found, featured = Evaluator(split, {"y": split.y[::-1]}, extractor=Means())(
        "xy", right, photo, "here"
    )
    assert {"fid", "kid"} <= set(found.scores)
    assert set(found.intervals) == {"fid", "kid"}
    assert found.baselines["random real"]["fid"] == pytest.approx(0, abs=1e-6)
    assert featured.protocol
    # Without training images "random real" is the test set itself, which says nothing.
    found, _ = Evaluator(split, {}, extractor=Means())("xy", right, photo, "here")
    assert "fid" not in found.baselines["random real"]
    assert "fid" in found.baselines["constant"]


def test_features_of_gray_images_are_left_out(split):
    gray = Split(split.x, [p[..., :1] for p in split.y], split.names_x, split.names_y)
    found, featured = Evaluator(gray, {}, extractor=Means())(
        "xy", lambda b: right(b)[..., :1], None, "here"
    )
    assert featured is None
    assert "fid" not in found.scores
