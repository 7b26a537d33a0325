"""What a frozen network says of an image and its translation, by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.other_terms import gives_shares, other_terms, semantic_difference
from tests.model.test_pairs import OFF, factors, pixels, scale


def classifier(softmax):
    """Logits (v, -v) of an image of one value v."""
    inputs = keras.Input((None, None, 1))
    x = keras.layers.GlobalAveragePooling2D()(inputs)
    dense = keras.layers.Dense(2, use_bias=False, activation="softmax" if softmax else None)
    network = keras.Model(inputs, dense(x))
    dense.kernel.assign([[1.0, -1.0]])
    network.trainable = False
    return network


def test_squares_of_plain_outputs():
    found = semantic_difference(classifier(False), pixels(1.0, 3.0), pixels(2.0, 3.0))
    assert float(found) == pytest.approx((1 + 1) / 4)


def test_cross_entropy_of_shares():
    shares = np.exp([[0.5, -0.5]]) / np.exp([[0.5, -0.5]]).sum()
    other = np.exp([[2.0, -2.0]]) / np.exp([[2.0, -2.0]]).sum()
    found = semantic_difference(classifier(True), pixels(0.5), pixels(2.0))
    assert float(found) == pytest.approx(float(-(shares * np.log(other)).sum()), rel=1e-5)


def test_a_softmax_is_found_within_networks_too():
    assert gives_shares(classifier(True))
    assert not gives_shares(classifier(False))
    inputs = keras.Input((None, None, 1))
    assert gives_shares(keras.Model(inputs, classifier(True)(inputs)))
    assert gives_shares(keras.Sequential([keras.Input((3,)), keras.layers.Softmax()]))


def test_only_what_has_a_weight_is_computed():
    batch = (pixels(1.0), pixels(2.0), tf.ones(1))
    assert set(other_terms({"self_y", "cycle_x"}, batch, {"x": pixels(0.0), "y": None}, None)) == {
        "self_y"
    }
    with pytest.raises(ValueError, match="there is no network"):
        other_terms({"semantic_x"}, batch, {"x": pixels(0.0), "y": pixels(1.0)}, None)


def test_the_gradient_moves_generators_and_leaves_the_network(tmp_path):
    """G = 2x, x = 1: outputs (2, -2) and (1, -1), a term of 1 and a slope of 2 (2 - 1) x = 2."""
    network = classifier(False)
    gan = CycleGAN(scale(2.0), scale(0.5), semantic=network, pool_size_images=0)
    gan.compile("sgd", "sgd", loss_weights={**OFF, "semantic_x": 1.0})
    gan.generator_optimizer.learning_rate = 0.1
    logs = gan.train_step((pixels(1.0), pixels(4.0)))
    assert float(logs["semantic_x"]) == pytest.approx(1.0)
    assert factors(gan) == pytest.approx([2.0 - 0.1 * 2.0, 0.5])
    np.testing.assert_array_equal(network.get_weights()[0], [[1.0, -1.0]])
    gan.save(tmp_path / "whole.keras")
    again = keras.saving.load_model(tmp_path / "whole.keras")
    assert float(again.train_step((pixels(1.0), pixels(4.0)))["semantic_x"]) == pytest.approx(0.64)
