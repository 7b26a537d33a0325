"""Label maps drawn as images: scores counted by hand, the domain of the palette found."""

import numpy as np
import pytest

from cyclegan_tf.evaluate import label_maps
from cyclegan_tf.evaluate.scores import Split
from cyclegan_tf.images import io as image_io
from cyclegan_tf.metrics.segmentation import Palette

PALETTE = Palette(
    np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8), ("roof", "wall", "sky")
)


def drawn(labels, noise=0):
    """int (H, W) -> signed image, up to `noise` pixel values off."""
    pixels = PALETTE.colors[np.array(labels)].astype(int)
    pixels = pixels + np.random.default_rng(0).integers(-noise, noise + 1, pixels.shape)
    return image_io.to_signed(np.clip(pixels, 0, 255).astype(np.uint8))


def test_scores_by_hand():
    # Truth: 4 roof, 4 wall. Found: 3 roofs right, 1 taken for sky; 2 walls right, 2 taken for roof.
    found = label_maps.score_labels([drawn([[0, 0], [0, 2]], 40), drawn([[1, 1], [0, 0]], 40)],
                                  [drawn([[0, 0], [0, 0]]), drawn([[1, 1], [1, 1]])],
                                  PALETTE)  # fmt: skip
    assert found.pixel_accuracy == [0.75, 0.5]
    assert found.scores["pixel_accuracy"] == pytest.approx(5 / 8)
    assert found.scores["class_accuracy"] == pytest.approx((3 / 4 + 2 / 4) / 2)
    assert found.scores["class_iou"] == pytest.approx((3 / 6 + 2 / 4) / 2)
    assert found.classes["roof"] == {"share": 0.5, "accuracy": 0.75, "iou": 0.5}
    assert found.classes["sky"] == {"share": 0, "accuracy": None, "iou": None}


def test_the_most_frequent_class():
    color = label_maps.most_frequent([drawn([[0, 1, 1]], 30), drawn([[2, 2, 1]], 30)], PALETTE)
    np.testing.assert_array_equal(color, np.array([-1, 1, -1], np.float32))


def split(x, y):
    return Split(x, y, tuple(map(str, range(len(x)))), tuple(map(str, range(len(y)))))


def test_the_domain_drawn_in_the_palette_is_found():
    rng = np.random.default_rng(1)
    photos = [rng.uniform(-1, 1, (8, 8, 3)).astype(np.float32) for _ in range(20)]
    maps = [drawn(rng.integers(0, 3, (8, 8)), 20) for _ in range(20)]
    # A few damaged pixels, as JPEG leaves them at edges, do not matter.
    maps[0][0] = 0.1
    assert label_maps.label_domain(split(photos, maps), PALETTE) == "y"
    assert label_maps.label_domain(split(maps, photos), PALETTE) == "x"
    assert label_maps.label_domain(split(photos, photos), PALETTE) is None
    assert label_maps.label_domain(split([p[..., :1] for p in photos], maps), PALETTE) == "y"
    assert label_maps.label_domain(split([p[..., :1] for p in photos], photos), PALETTE) is None
