"""Terms on partners by hand, and discriminators that see the input beside the output."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model import losses
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.loss_weights import OTHER_TERMS, PAPER_LOSS_WEIGHTS
from cyclegan_tf.model.pairs import beside_input, paired_l1
from cyclegan_tf.networks.builders import build_discriminator

OFF = dict.fromkeys((*PAPER_LOSS_WEIGHTS, *OTHER_TERMS), 0.0)


def scale(factor, channels=1, outputs=1):
    """The generator a * x: its gradient is worked out in the head."""
    inputs = keras.Input((None, None, channels))
    layer = keras.layers.Conv2D(outputs, 1, use_bias=False)
    network = keras.Model(inputs, layer(inputs))
    layer.kernel.assign(np.full(layer.kernel.shape, factor, np.float32))
    return network


def linear(weights, g=2.0, f=0.5, rate=0.1):
    gan = CycleGAN(scale(g), scale(f), pool_size_images=0)
    gan.compile(
        keras.optimizers.SGD(rate), keras.optimizers.SGD(rate), loss_weights={**OFF, **weights}
    )
    return gan


def pixels(*values):
    return tf.constant(values, tf.float32)[:, None, None, None]


def factors(gan):
    return [
        float(n.trainable_variables[0].numpy().item()) for n in (gan.generator_xy, gan.generator_yx)
    ]


def test_the_paired_term_by_hand():
    fake, truth = pixels(1.0, 5.0, -2.0), pixels(4.0, 7.0, -2.5)
    assert float(paired_l1(fake, truth, tf.constant([1.0, 0.0, 1.0]))) == pytest.approx(1.75)
    assert float(paired_l1(fake, truth, tf.zeros(3))) == 0
    assert float(paired_l1(fake, truth, None)) == float(losses.l1(fake, truth))


def test_the_paired_gradient_by_hand():
    """x = 1, 3 and y = 4, 5, partners only the second: G = 2x gives 6, one above y; F = y / 2 gives
    2.5, half below x. With weights 10 and 4 and a rate of 0.1: a -> 2 - 0.1 * 10 * 3 and b -> 0.5 +
    0.1 * 4 * 5."""
    gan = linear({"paired_y": 10.0, "paired_x": 4.0})
    logs = gan.train_step((pixels(1.0, 3.0), pixels(4.0, 5.0), tf.constant([0.0, 1.0])))
    assert (float(logs["paired_y"]), float(logs["paired_x"])) == (1.0, 0.5)
    assert float(logs["loss"]) == pytest.approx(12.0)
    assert factors(gan) == pytest.approx([-1.0, 2.5])


def test_without_partners_in_the_batch_nothing_moves():
    gan = linear({"paired_y": 10.0, "paired_x": 4.0})
    gan.train_step((pixels(1.0, 3.0), pixels(4.0, 5.0), tf.zeros(2)))
    assert factors(gan) == [2.0, 0.5]


def test_a_batch_of_two_parts_is_all_partners():
    gan = linear({"paired_y": 1.0})
    assert float(gan.train_step((pixels(1.0, 3.0), pixels(4.0, 5.0)))["paired_y"]) == 1.5
    assert factors(gan) == pytest.approx([2.0 + 0.1 * (1 - 3) / 2, 0.5])


def test_the_self_terms_by_hand():
    """|2 * 3 - 3| = 3, whose slope is 3; |0.5 * 4 - 4| = 2, whose slope is -4."""
    gan = linear({"self_x": 1.0, "self_y": 2.0})
    logs = gan.train_step((pixels(3.0), pixels(4.0)))
    assert (float(logs["self_x"]), float(logs["self_y"])) == (3.0, 2.0)
    assert factors(gan) == pytest.approx([2.0 - 0.1 * 3, 0.5 + 0.1 * 2 * 4])


def test_an_image_beside_its_input():
    condition, image = tf.ones((2, 4, 4, 1), tf.float16), tf.zeros((2, 4, 4, 3))
    found = beside_input(condition, image)
    assert (found.shape, found.dtype) == ((2, 4, 4, 4), tf.float32)
    assert found.numpy()[0, 0, 0].tolist() == [1, 0, 0, 0]


class TestConditional:
    def model(self, pool=0, gan_mode="lsgan", **weights):
        def discriminator(seed):
            return build_discriminator(input_channels=3, filters=2, n_layers=1, seed=seed)

        gan = CycleGAN(
            scale(0.3, 1, 2), scale(0.4, 2, 1), discriminator(1), discriminator(2),
            conditional=True, pool_size_images=pool,
        )  # fmt: skip
        given = {"adversarial_x": 1.0, "adversarial_y": 1.0, "paired_y": 10.0, **weights}
        gan.compile("sgd", "sgd", gan_mode=gan_mode, loss_weights={**OFF, **given})
        return gan

    def batch(self, count=1):
        random = np.random.default_rng(4)
        shapes = [(count, 16, 16, 1), (count, 16, 16, 2)]
        return [tf.constant(random.uniform(-1, 1, shape), tf.float32) for shape in shapes]

    def test_it_sees_input_and_output_together(self):
        gan, (x, y) = self.model(), self.batch()
        fake_y, fake_x = gan.generator_xy(x), gan.generator_yx(y)
        on_fake_y = gan.discriminator_y(tf.concat([x, fake_y], -1))
        on_real_y = gan.discriminator_y(tf.concat([x, y], -1))
        on_fake_x = gan.discriminator_x(tf.concat([y, fake_x], -1))
        on_real_x = gan.discriminator_x(tf.concat([y, x], -1))
        expected = {
            "adversarial_y": tf.reduce_mean((on_fake_y - 1) ** 2),
            "adversarial_x": tf.reduce_mean((on_fake_x - 1) ** 2),
            "discriminator_x": tf.reduce_mean((on_real_x - 1) ** 2) + tf.reduce_mean(on_fake_x**2),
            "discriminator_y": tf.reduce_mean((on_real_y - 1) ** 2) + tf.reduce_mean(on_fake_y**2),
        }
        tested, logs = gan.test_step((x, y)), gan.train_step((x, y))
        for name, value in expected.items():
            assert float(tested[name]) == pytest.approx(float(value), rel=1e-5), name
        assert {"adversarial_y", "paired_y", "discriminator_x"} <= set(logs)

    def test_the_pool_keeps_pairs(self):
        gan, (x, y) = self.model(pool=2), self.batch()
        gan.train_step((x, y))
        assert gan.pool_y.images.shape == (2, 16, 16, 3)
        np.testing.assert_array_equal(gan.pool_y.images[0, ..., 0], x[0, ..., 0])
        np.testing.assert_array_equal(gan.pool_x.images[0, ..., :2], y[0])

    def test_the_gradient_penalty_is_of_both(self):
        logs = self.model(gan_mode="wgangp").train_step(self.batch(2))
        assert np.isfinite(float(logs["gradient_penalty_y"]))

    def test_saved_and_loaded(self, tmp_path):
        gan, (x, y) = self.model(pool=2), self.batch()
        gan.train_step((x, y))
        gan.save(tmp_path / "whole.keras")
        again = keras.saving.load_model(tmp_path / "whole.keras")
        assert again.conditional
        assert again.loss_weights["paired_y"] == 10
        np.testing.assert_array_equal(again.pool_y.images, gan.pool_y.images)
        assert {k: float(v) for k, v in again.train_step((x, y)).items()}.keys() >= {"paired_y"}


def test_moments_are_kept_of_generators_that_train():
    one_way = linear({"adversarial_y": 0.0, "paired_y": 1.0})
    assert one_way.generator_variables == one_way.generator_xy.trainable_variables
    both = linear({"cycle_x": 1.0})
    assert len(both.generator_variables) == 2
