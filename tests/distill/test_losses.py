"""The terms by hand."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.distill import losses
from cyclegan_tf.metrics.image_quality import ssim


def test_ssim_is_that_of_the_scores():
    rng = np.random.default_rng(3)
    a = rng.uniform(-1, 1, (2, 13, 15, 3)).astype(np.float32)
    b = np.clip(a + rng.normal(0, 0.3, a.shape), -1, 1).astype(np.float32)
    expected = 1 - np.mean([ssim(one, other) for one, other in zip(a, b, strict=True)])
    assert float(losses.ssim_distance(a, b)) == pytest.approx(expected, abs=1e-5)
    assert float(losses.ssim_distance(a, a)) == pytest.approx(0, abs=1e-6)


def test_activations_are_compared_in_the_teachers_scale():
    wanted = [tf.fill((1, 2, 2, 1), 4.0), tf.fill((1, 1, 1, 3), -0.5)]
    found = [tf.fill((1, 2, 2, 1), 5.0), tf.fill((1, 1, 1, 3), 0.5)]
    # 1 / 4 and 1 / 0.5
    assert float(losses.feature_distance(found, wanted)) == pytest.approx((0.25 + 2) / 2, rel=1e-4)
    assert float(losses.feature_distance([], [])) == 0


def test_means_and_deviations_of_each_channel():
    wanted = tf.constant([1.0, 3.0, 1.0, 3.0], shape=(1, 2, 2, 1))  # 2, deviation 1
    moved = tf.constant([1.0, 7.0, 1.0, 7.0], shape=(1, 2, 2, 1))  # 4, deviation 3
    turned = tf.reverse(wanted, [2])
    assert float(losses.channel_statistics([moved], [wanted])) == pytest.approx(4 / 2, rel=1e-4)
    assert float(losses.channel_statistics([turned], [wanted])) == pytest.approx(0, abs=1e-6)
    assert float(losses.channel_statistics([], [])) == 0


def test_flat_images_have_a_gradient():
    flat = tf.Variable(tf.zeros((1, 4, 4, 2)))
    with tf.GradientTape() as tape:
        loss = losses.channel_statistics([flat], [tf.ones((1, 4, 4, 2))])
    assert np.isfinite(tape.gradient(loss, flat)).all()
