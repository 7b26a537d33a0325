"""BiGAN between images: what its discriminator sees, its loss by hand, its step."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.baselines.bigan import RATE, BiGAN, generator_loss

SIDE = 24


@pytest.fixture(scope="module")
def model():
    return BiGAN(filters=2, blocks=1, seed=1, pool_size_images=2)


@pytest.fixture(scope="module")
def batch():
    images = tf.random.stateless_uniform((2, 1, SIDE, SIDE, 3), (1, 2), -1.0, 1.0)
    return images[0], images[1]


def test_loss_by_hand():
    generated = tf.constant([[[[0.5]], [[2.0]]]])
    encoded = tf.constant([[[[3.0]], [[0.5]]]])
    # ((0.5 - 1)^2 + (2 - 1)^2) / 2 + (3^2 + 0.5^2) / 2
    assert float(generator_loss(generated, encoded)) == pytest.approx(0.625 + 4.625)


def test_the_discriminator_sees_pairs_with_the_real_half_in_its_place(model, batch, monkeypatch):
    seen = []

    def remembering(pairs):
        seen.append(np.asarray(pairs))
        return model.discriminator(pairs, training=True)

    monkeypatch.setattr(model, "_logits", remembering)
    fake_y, fake_x = model.generator_xy(batch[0]).numpy(), model.generator_yx(batch[1]).numpy()
    terms = model.train_step(batch)
    # the pools are empty, so that the discriminator's own step sees the same
    for generated, encoded in (seen[:2], seen[2:]):
        assert np.allclose(generated, np.concatenate([batch[0], fake_y], -1), atol=1e-5)
        assert np.allclose(encoded, np.concatenate([fake_x, batch[1]], -1), atol=1e-5)
    assert set(terms) == {"generator", "discriminator"}


def test_a_step_moves_both_generators_and_the_discriminator(model, batch):
    networks = (model.generator_xy, model.generator_yx, model.discriminator)
    before = [[v.numpy() for v in network.trainable_variables] for network in networks]
    model.train_step(batch)
    for network, old in zip(networks, before, strict=True):
        # a bias in front of a normalization has no gradient
        named = zip(network.trainable_variables, old, strict=True)
        moved = {v.path for v, value in named if not np.array_equal(v, value)}
        assert {v.path for v in network.trainable_variables if v.name == "kernel"} <= moved


def test_the_rate_falls_over_the_second_half(model):
    for fraction, factor in ((0.0, 1.0), (0.5, 1.0), (0.75, 0.5), (0.99, 0.02)):
        model.schedule(fraction)
        for adam in model._adams:
            assert float(adam.learning_rate) == pytest.approx(RATE * factor)
