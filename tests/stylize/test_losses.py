"""Gram matrices and losses by numbers computed by hand, and the compiled objective."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.features.vgg import build_vgg
from cyclegan_tf.stylize.losses import (
    CONTENT_LAYER,
    LAYERS,
    STYLE_LAYERS,
    Objective,
    content_loss,
    gram_matrix,
    mean_style,
    style_loss,
)
from tests.helpers import tiny_vgg
from tests.helpers.errors import refused


@pytest.fixture(scope="module")
def objective():
    network = build_vgg(tiny_vgg.convolutions(), LAYERS, (104, 117, 123), "average")
    return Objective(network, 1.0, 10.0)


def image(seed, height=24, width=16):
    values = np.random.default_rng(seed).uniform(-1, 1, (1, height, width, 3))
    return tf.constant(values, tf.float32)


# 2 x 2 positions of 2 filters: (1, 2), (3, 0), (0, 1), (2, 1).
ACTIVATIONS = tf.constant([[[[1.0, 2.0], [3.0, 0.0]], [[0.0, 1.0], [2.0, 1.0]]]])
# 1 + 9 + 0 + 4, 2 + 0 + 0 + 2, 4 + 0 + 1 + 1, each over 4 positions.
GRAM = [[3.5, 1.0], [1.0, 1.5]]


def test_the_gram_matrix_by_hand():
    np.testing.assert_allclose(gram_matrix(ACTIVATIONS), GRAM)


def test_the_losses_by_hand():
    # differences 2, 1, 1, 0: squares 4 + 1 + 1 + 0 over (2 * 2)^2
    other = tf.constant([[1.5, 2.0], [2.0, 1.5]])
    assert float(style_loss(tf.constant(GRAM), other)) == pytest.approx(6 / 16)
    # one of eight numbers differs by 4
    moved = tf.tensor_scatter_nd_add(ACTIVATIONS, [[0, 1, 1, 1]], [4.0])
    assert float(content_loss(moved, ACTIVATIONS)) == pytest.approx(16 / 8 / 2)


def fake_activations(values):
    return dict.fromkeys(LAYERS, values)


def test_the_style_of_a_collection_is_the_mean_of_its_gram_matrices():
    # 4 positions of mean 1.25, and 1 position (4, 0) of mean 2: Gram [[16, 0], [0, 0]]
    images = [ACTIVATIONS, tf.constant([[[[4.0, 0.0]]]])]
    style = mean_style(fake_activations, images)
    scale = (1.25 + 2) / 2
    assert {float(each) for each in style.scales.values()} == {scale}
    wanted = np.array([[19.5, 1.0], [1.0, 1.5]]) / 2 / scale**2
    assert list(style.grams) == list(STYLE_LAYERS)
    for gram in style.grams.values():
        np.testing.assert_allclose(gram, wanted, rtol=1e-6)


def test_no_image_has_no_style():
    with refused("unreadable", "STYLE", match="none of the style images can be read"):
        mean_style(fake_activations, [])


def test_the_style_of_an_image_itself_costs_nothing(objective):
    given = image(0)
    style = mean_style(objective.activations, [given])
    loss, gradient = objective(given, objective.activations(given)[CONTENT_LAYER], style)
    assert float(loss) < 1e-9
    assert gradient.shape == given.shape


def test_the_weights_weigh_and_the_gradient_is_one(objective):
    given, content = image(1), objective.activations(image(2))[CONTENT_LAYER]
    style = mean_style(objective.activations, [image(3, 20, 30)])
    loss, gradient = objective(given, content, style)
    network = objective._network
    parts = [
        float(Objective(network, *weights)(given, content, style)[0])
        for weights in ((1.0, 0.0), (0.0, 1.0))
    ]
    assert float(loss) == pytest.approx(parts[0] + 10 * parts[1], rel=1e-4)
    assert min(parts) > 0
    step = 1e-3 * np.sign(gradient)
    ahead, behind = (objective(given + sign * step, content, style)[0] for sign in (1, -1))
    slope = float(tf.reduce_sum(tf.abs(gradient)))
    assert float(ahead - behind) / 2e-3 == pytest.approx(slope, rel=0.05)
