"""Moving averages of weights against numbers computed by hand in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model.ema import EMA_RAMPUP, ExponentialMovingAverage


@pytest.fixture
def network():
    inputs = keras.Input((4, 4, 1))
    return keras.Model(
        inputs, keras.layers.Dropout(0.5)(keras.layers.Conv2D(1, 1, name="conv")(inputs))
    )


def set_weight(network, value):
    kernel, bias = network.trainable_variables
    kernel.assign(np.full(kernel.shape, value))
    bias.assign(np.full(bias.shape, -value))


def by_hand(values, first, half_life, batch):
    average, images = first, 0
    for value in values:
        images += batch
        decay = 0.5 ** (batch / min(half_life, EMA_RAMPUP * images))
        average = decay * average + (1 - decay) * value
    return average


@pytest.mark.parametrize(("half_life", "batch"), [(2.0, 1), (2.0, 4), (50.0, 1), (1e6, 2)])
@pytest.mark.parametrize("jit", [False, True])
def test_the_average_is_the_formulas(network, half_life, batch, jit):
    set_weight(network, 5.0)
    averages = ExponentialMovingAverage({"g": network}, half_life, batch)
    step = tf.function(averages.update, autograph=False, jit_compile=jit)
    values = np.random.default_rng(0).normal(size=200)
    for value in values:
        set_weight(network, value)
        step()
    named = averages.variables()
    assert set(named) == {"average/images", "average/g/conv/kernel", "average/g/conv/bias"}
    wanted = by_hand(values, 5.0, half_life, batch)
    np.testing.assert_allclose(named["average/g/conv/kernel"].numpy(), wanted, rtol=2e-5)
    np.testing.assert_allclose(named["average/g/conv/bias"].numpy(), -wanted, rtol=2e-5)
    assert int(named["average/images"].numpy()) == 200 * batch


def test_with_the_ramp_done_a_weight_counts_half_after_the_half_life(network):
    set_weight(network, 0.0)
    averages = ExponentialMovingAverage({"g": network}, 10.0, 1)
    for _ in range(300):
        averages.update()
    set_weight(network, 1.0)
    for _ in range(10):
        averages.update()
    assert float(averages.variables()["average/g/conv/bias"].numpy()[0]) == pytest.approx(
        -0.5, abs=1e-5
    )


def test_the_initial_noise_is_forgotten_at_once(network):
    set_weight(network, 1000.0)
    averages = ExponentialMovingAverage({"g": network}, 1e9, 1)
    set_weight(network, 1.0)
    for _ in range(3):
        averages.update()
    # after n steps the first weights count 0.5 ** (20 (1 + 1/2 + ... + 1/n))
    assert float(averages.variables()["average/g/conv/kernel"].numpy().item()) == pytest.approx(
        1.0, abs=1e-6
    )


def test_small_shares_do_not_vanish_in_float32(network):
    set_weight(network, 0.0)
    averages = ExponentialMovingAverage({"g": network}, 1e7, 1)
    averages.variables()["average/images"].assign(10**9)
    set_weight(network, 1.0)
    averages.update()
    share = float(averages.variables()["average/g/conv/kernel"].numpy().item())
    assert share == pytest.approx(1 - 0.5**1e-7, rel=1e-5)


def test_averages_are_swapped_in_and_swaps_back_even_after_an_error(network):
    set_weight(network, 2.0)
    averages = ExponentialMovingAverage({"g": network}, 100.0, 1)
    weights = np.random.default_rng(1).normal(size=(1, 1, 1, 1)).astype(np.float32)
    network.trainable_variables[0].assign(weights)
    image = np.ones((1, 4, 4, 1), np.float32)
    call = tf.function(lambda batch: network(batch, training=False))
    call(image)

    def within():
        with averages.swapped_in():
            np.testing.assert_array_equal(call(image), 0.0)  # 2 * 1 - 2
            raise RuntimeError

    with pytest.raises(RuntimeError):
        within()
    np.testing.assert_array_equal(network.trainable_variables[0].numpy(), weights)
    assert averages.variables()["average/g/conv/kernel"].numpy().item() == 2.0


def test_weights_of_mixed_precision_are_averaged_in_float32():
    network = keras.Sequential(
        [keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 1, dtype="mixed_bfloat16")]
    )
    averages = ExponentialMovingAverage({"g": network}, 100.0, 1)
    averages.update()
    assert {str(v.dtype) for n, v in averages.variables().items() if n != "average/images"} == {
        "float32"
    }
