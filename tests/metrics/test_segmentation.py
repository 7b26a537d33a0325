"""Label maps: palettes in both layouts, nearest colors, and the scores of Long et al. by hand."""

import json
import math

import numpy as np
import pytest

from cyclegan_tf.metrics.segmentation import (
    Palette,
    confusion,
    label_scores,
    nearest_labels,
    read_palette,
)
from tests.helpers.errors import refused

COLORS = [[0, 0, 0], [200, 0, 0], [0, 0, 255]]
PALETTE = Palette(np.array(COLORS, np.uint8), ("ground", "wall", "sky"))


def written(folder, content):
    path = folder / "palette.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ({"classes_rgb": COLORS}, ("#000000", "#c80000", "#0000ff")),
        ({"classes_rgb": COLORS, "names": ["ground", "wall", "sky"]}, ("ground", "wall", "sky")),
        ({"ground": COLORS[0], "wall": COLORS[1], "sky": COLORS[2]}, ("ground", "wall", "sky")),
    ],
)
def test_both_layouts_are_read(tmp_path, content, names):
    palette = read_palette(written(tmp_path, content))
    assert palette.names == names
    assert palette.colors.dtype == np.uint8
    assert palette.colors.tolist() == COLORS


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[", "no JSON"),
        ("[" * 100_000, "no JSON"),
        ([1, 2], "no palette"),
        ({}, "no palette"),
        ({"classes_rgb": [[0, 0, 0]]}, "two or more colors"),
        ({"classes_rgb": 7}, "two or more colors"),
        ({"a": [0, 0, 256], "b": [0, 0, 0]}, "from 0 to 255"),
        ({"a": [0, 0, True], "b": [0, 0, 0]}, "from 0 to 255"),
        ({"a": [0, 0], "b": [0, 0, 0]}, "three whole numbers"),
        ({"a": [1, 1, 1], "b": [1, 1, 1]}, "same color"),
        ({"classes_rgb": COLORS, "names": ["ground"]}, "a list of 3 words"),
        ({"classes_rgb": COLORS, "names": [1, 2, 3]}, "a list of 3 words"),
    ],
)
def test_a_bad_palette_is_one_sentence_with_the_file(tmp_path, content, said):
    path = written(tmp_path, content)
    with refused(["invalid", "unreadable"], match=said) as caught:
        read_palette(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.code == ("unreadable" if said == "no JSON" else "invalid")
    assert caught.value.field == str(path)
    assert "\n" not in str(caught.value)


def test_a_palette_that_is_not_there(tmp_path):
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    for name, code in (("none.json", "missing"), ("binary.json", "unreadable")):
        with refused(["missing", "unreadable"]) as caught:
            read_palette(tmp_path / name)
        assert (caught.value.code, caught.value.field) == (code, str(tmp_path / name))


def test_nearest_color_by_hand():
    image = np.array(
        [[[3, 2, 1], [110, 0, 0], [90, 0, 0]], [[0, 0, 255], [0, 250, 250], [255, 255, 255]]],
        np.uint8,
    )
    assert nearest_labels(image, PALETTE).tolist() == [[0, 1, 0], [2, 2, 2]]
    # 100 is as far from 0 as from 200: the first class
    assert nearest_labels(np.full((1, 1, 3), [100, 0, 0], np.uint8), PALETTE).item() == 0


def test_nearest_color_is_that_of_all_distances():
    rng = np.random.default_rng(0)
    palette = Palette(rng.integers(0, 256, (12, 3)).astype(np.uint8), tuple("abcdefghijkl"))
    image = rng.integers(0, 256, (20, 30, 3)).astype(np.uint8)
    distances = np.linalg.norm(image[:, :, None].astype(float) - palette.colors, axis=-1)
    np.testing.assert_array_equal(nearest_labels(image, palette), distances.argmin(-1))


@pytest.mark.parametrize("image", [np.zeros((2, 2, 3), np.float32), np.zeros((2, 2, 1), np.uint8)])
def test_labels_are_read_from_bytes_of_three_channels(image):
    with pytest.raises(ValueError, match="uint8"):
        nearest_labels(image, PALETTE)


def test_scores_by_hand():
    truth = np.array([[0, 0, 0, 0], [1, 1, 1, 1]])
    found = np.array([[0, 0, 0, 1], [1, 1, 2, 2]])
    counts = confusion(found, truth, 3)
    assert counts.tolist() == [[3, 1, 0], [0, 2, 2], [0, 0, 0]]
    # class 2 is not in the truth: it takes part only as the error of class 1
    assert label_scores(counts) == pytest.approx(
        {
            "pixel_accuracy": 5 / 8,
            "class_accuracy": (3 / 4 + 2 / 4) / 2,
            "class_iou": (3 / 4 + 2 / 5) / 2,
        }
    )
    doubled = label_scores(counts + counts)
    assert doubled == pytest.approx(label_scores(counts))


def test_scores_of_the_truth_are_one_and_of_nothing_nan():
    truth = np.arange(12).reshape(3, 4) % 3
    assert set(label_scores(confusion(truth, truth, 4)).values()) == {1.0}
    assert all(math.isnan(value) for value in label_scores(np.zeros((3, 3), int)).values())


def test_confusion_counts_bytes_without_wrapping_and_says_what_it_takes():
    many = np.full((20, 20), 200, np.uint8)
    assert confusion(many, many, 201)[200, 200] == 400
    with pytest.raises(ValueError, match="one shape"):
        confusion(np.zeros((2, 2), int), np.zeros((2, 3), int), 3)
    for wrong in (np.array([3]), np.array([-1])):
        with pytest.raises(ValueError, match="must lie in"):
            confusion(wrong, np.array([0]), 3)
