"""The generator of depthwise-separable convolutions: its numbers, names and options."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.inspect.graph import count_macs
from cyclegan_tf.networks import landmarks
from cyclegan_tf.networks.builders import build_generator, size_divisor_of


def test_its_multiply_accumulates_by_hand():
    f, network = 4, build_generator("mobile", filters=4, blocks=2, long_skips=True, seed=0)
    full, half, quarter = 16 * 16, 8 * 8, 4 * 4
    expected = full * 27 * f + half * 9 * f * 2 * f  # first, down1
    expected += quarter * (9 * 2 * f + 2 * f * 4 * f)  # down2
    expected += 2 * 2 * quarter * (9 * 4 * f + 4 * f * 4 * f)  # two blocks of two
    expected += half * (9 * 4 * f + 4 * f * 2 * f) + full * (9 * 2 * f + 2 * f * f)  # up1, up2
    expected += full * 9 * f * 3  # last
    assert count_macs(network, 16).performed == expected


def test_a_twentieth_of_the_teacher_of_the_demo():
    teacher = build_generator("resnet_6blocks", filters=32, upsampling="resize", seed=0)
    student = build_generator("mobile", long_skips=True, color_skip=True, seed=0)
    assert count_macs(teacher, 128).performed > 20 * count_macs(student, 128).performed
    assert student.count_params() < 80_000


def test_landmarks_and_sizes_are_those_of_the_other_residual_networks():
    network = build_generator("mobile", filters=1, blocks=2, long_skips=True, seed=0)
    assert [layer.name for layer in landmarks.block_ends(network)] == ["block1_add", "block2_add"]
    assert len(landmarks.long_skip_joins(network)) == 2
    assert landmarks.last_kernel_layer(network).name == "last"
    assert size_divisor_of(network) == 4


@pytest.mark.parametrize("options", [{"dropout": True}, {"norm": "batch"}, {"norm_affine": True}])
def test_options_and_channels(options):
    network = build_generator(
        "mobile", filters=2, blocks=1, input_channels=2, output_channels=1, seed=0, **options
    )
    images = network(tf.zeros((1, 12, 20, 2)), training=True)
    assert images.shape == (1, 12, 20, 1)
    assert images.dtype == tf.float32


def test_one_seed_one_network():
    x = tf.random.stateless_uniform((1, 8, 8, 3), (1, 2), -1, 1)
    one, same, other = (
        build_generator("mobile", filters=2, blocks=1, seed=seed)(x) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.01
