"""IoU of what a segmenter finds, counted by hand; label files of every kind."""

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.evaluate import found_labels
from cyclegan_tf.evaluate.found_labels import LabelFinder, read_label_map, read_labels
from cyclegan_tf.evaluate.scores import Split
from cyclegan_tf.evaluate.segmenter import Segmenter
from cyclegan_tf.metrics.segmentation import Palette
from tests.helpers.errors import refused

BRIGHT = Segmenter(2, lambda image: (image.mean(-1) > 0).astype(int))
PALETTE = Palette(np.array([[0, 0, 0], [250, 0, 0]], np.uint8), ("ground", "cell"))
AS_THEY_ARE = ImageTransform("none", 0, 0, size_divisor_px=2)


def image(rows):
    return np.repeat(np.array(rows, np.float32)[..., np.newaxis], 3, -1)


def save(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array(values, np.uint8)).save(path)


def split(names_x=("testA/1.jpg",), names_y=("testB/1.jpg",), size=(2, 2)):
    some = image(np.zeros(size))
    return Split([some] * len(names_x), [some] * len(names_y), names_x, names_y)


def test_scores_by_hand():
    truth = np.array([[0, 1], [1, 255]])
    finder = LabelFinder(BRIGHT, {"x": {1: truth}}, ("ground", "cell"), 3)
    before, after = image([[-1, 1], [1, 1]]), image([[1, 1], [-1, -1]])
    found = finder.find("xy", [before, before], [before, after])
    # Before: all three right. After: ground 0 of 2, cell 1 of 3.
    assert found.before == {"segmenter_iou": 1}
    assert found.scores["segmenter_iou"] == pytest.approx((0 + 1 / 3) / 2)
    assert found.per_image == (None, pytest.approx(1 / 6))
    assert found.classes["cell"] == {
        "share": pytest.approx(2 / 3), "before": 1, "after": pytest.approx(1 / 3),
    }  # fmt: skip
    assert finder.find("yx", [before], [after]) is None


def test_inputs_of_other_channels_are_not_shown_to_it():
    finder = LabelFinder(BRIGHT, {"x": {0: np.array([[0, 1]])}}, ("0", "1"), 3)
    found = finder.find("xy", [np.zeros((1, 2, 1), np.float32)], [image([[-1, 1]])])
    assert found.before == {}
    assert found.classes["1"] == {"share": 0.5, "before": None, "after": 1}


def test_maps_of_both_domains_and_of_one(tmp_path):
    save(tmp_path / "testB/1.png", [[0, 1], [1, 255]])
    save(tmp_path / "1.png", [[0, 0], [1, 1]])
    found = read_labels(tmp_path, split(), AS_THEY_ARE, None, 2)
    np.testing.assert_array_equal(found["x"][0], [[0, 0], [1, 1]])
    np.testing.assert_array_equal(found["y"][0], [[0, 1], [1, 255]])
    assert set(read_labels(tmp_path, split(), AS_THEY_ARE, None, 2, ())) == {"y"}


def test_maps_are_brought_to_the_size_of_the_images(tmp_path):
    save(tmp_path / "1.png", np.kron([[0, 1], [2, 3]], np.ones((3, 3))))
    found = read_labels(tmp_path, split(), ImageTransform("resize_and_crop", 2, 2, 2), None, 4)
    np.testing.assert_array_equal(found["x"][0], [[0, 1], [2, 3]])
    with refused("mismatch", "--labels", match="6 x 6 px"):
        read_labels(tmp_path, split(), AS_THEY_ARE, None, 4)


def test_black_and_white_are_two_classes(tmp_path):
    save(tmp_path / "1.png", [[0, 255], [255, 0]])
    found = read_labels(tmp_path, split(), AS_THEY_ARE, None, 2)
    np.testing.assert_array_equal(found["x"][0], [[0, 1], [1, 0]])


def test_indices_of_a_palette_and_colors(tmp_path):
    indexed = Image.fromarray(np.array([[1, 0]], np.uint8))
    indexed.putpalette([250, 0, 0, 9, 9, 9])
    indexed.save(tmp_path / "p.png")
    np.testing.assert_array_equal(read_label_map(tmp_path / "p.png", None), [[1, 0]])
    np.testing.assert_array_equal(read_label_map(tmp_path / "p.png", PALETTE), [[0, 1]])
    save(tmp_path / "c.png", [[[250, 0, 0], [0, 0, 0]]])
    np.testing.assert_array_equal(read_label_map(tmp_path / "c.png", PALETTE), [[1, 0]])
    with refused("mismatch", "--palette", match="is in colors"):
        read_label_map(tmp_path / "c.png", None)


def test_labels_that_do_not_do_are_refused(tmp_path):
    with refused("mismatch", "--labels", match="holds no label map"):
        read_labels(tmp_path, split(), AS_THEY_ARE, None, 2)
    save(tmp_path / "1.png", [[0, 1], [7, 1]])
    with refused("mismatch", "--labels", match="holds class 7, but --segmenter knows 0 to 1"):
        read_labels(tmp_path, split(), AS_THEY_ARE, None, 2)
    (tmp_path / "1.png").write_bytes(b"no")
    with refused("unreadable", "--labels"):
        read_labels(tmp_path, split(), AS_THEY_ARE, None, 2)


def test_classes_are_called_by_the_palette():
    assert found_labels.class_names(2, PALETTE) == ("ground", "cell")
    assert found_labels.class_names(3, PALETTE) == ("0", "1", "2")
