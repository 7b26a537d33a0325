"""The scale of training: sizes, files, agreement with what test images are given."""

import pytest
import tensorflow as tf

from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.images.training_scale import FULL, TrainingScale

WRONG = {"kind": "area", "px": 64, "aspect": 0}
SIZES = [(64, 64), (3000, 4000), (4000, 3000), (100, 37), (1, 5000), (5000, 1), (30, 20)]


@pytest.mark.parametrize(
    ("scale", "given", "seen"),
    [
        (TrainingScale("area", 256), (4000, 4000), (256, 256)),
        (TrainingScale("area", 256), (3000, 4000), (222, 296)),
        (TrainingScale("area", 64), (16, 16), (64, 64)),
        (TrainingScale("area", 256, 1.5), (4000, 6000), (256, 256)),
        (TrainingScale("area", 256, 1.5), (4000, 4000), (314, 209)),
        (TrainingScale("width", 256), (3000, 4000), (192, 256)),
        (FULL, (3000, 4000), (3000, 4000)),
    ],
)
def test_the_size_a_network_sees(scale, given, seen):
    assert scale.size(*given) == seen


@pytest.mark.parametrize(
    "scale",
    [
        TrainingScale("area", 256),
        TrainingScale("area", 256, 1.5),
        TrainingScale("width", 286),
        FULL,
    ],
    ids=repr,
)
def test_a_graph_gives_the_same_sizes(scale):
    for height, width in SIZES:
        found = scale.size_in_graph(tf.constant(height), tf.constant(width))
        assert tuple(int(side) for side in found) == scale.size(height, width)


@pytest.mark.parametrize(
    "preprocess", ["resize_and_crop", "scale_width_and_crop", "scale_width", "crop", "none"]
)
def test_it_is_what_evaluate_and_samples_give_test_images(preprocess):
    scale = TrainingScale.of(preprocess, load_size_px=286, crop_size_px=256)
    transform = ImageTransform(preprocess, 286, 256)
    for side in (64, 256, 1000):
        wanted = transform.test_size(tf.constant(side), tf.constant(side))
        assert scale.size(side, side) == tuple(int(each) for each in wanted)


def test_the_factor_is_of_one_side():
    assert TrainingScale("area", 64).factor(1024, 1024) == pytest.approx(16)
    assert TrainingScale("width", 100).factor(100, 300) == pytest.approx(3, rel=0.01)
    assert FULL.factor(1000, 3000) == 1


def test_files_keep_it():
    for scale in (TrainingScale("area", 256, 0.75), TrainingScale("width", 100), FULL):
        assert TrainingScale.from_dict(scale.as_dict()) == scale
    for broken in (None, {}, [], {"kind": "area"}, {"kind": "area", "px": -1}, {"kind": 3}, WRONG):
        assert TrainingScale.from_dict(broken) is None
