"""CoGAN: which layers are shared, its losses by hand, its step."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from benchmarks.baselines import cogan

KINDS = (keras.layers.Dense, keras.layers.Conv2D, keras.layers.Conv2DTranspose)


@pytest.fixture(scope="module")
def model():
    return cogan.CoGAN(size_px=32, filters=2, seed=3)


def kernels(network):
    """Variables of the layers that hold a kernel, first to last."""
    return [layer.kernel for layer in network.layers if isinstance(layer, KINDS)]


def shared(networks):
    """Whether each kernel of X's network is the very variable of Y's."""
    pairs = zip(kernels(networks["x"]), kernels(networks["y"]), strict=True)
    return [a is b for a, b in pairs]


def test_the_first_layers_of_generators_and_the_last_of_discriminators_are_the_same_variables(
    model,
):
    assert shared(model.generators) == [True, True, False, False]
    assert shared(model.discriminators) == [False, True, True, True]
    both = [*model.generators.values(), *model.discriminators.values()]
    held = [v for network in both for v in network.trainable_variables]
    trained = model.generator_variables + model.discriminator_variables
    assert len({id(v) for v in trained}) == len(trained) < len(held)
    assert {id(v) for v in trained} == {id(v) for v in held}


def test_a_shared_layer_draws_both_and_an_own_layer_one(model):
    codes = tf.random.stateless_uniform((2, cogan.CODE_SIZE), (1, 2), -1.0, 1.0)
    before = {d: g(codes).numpy() for d, g in model.generators.items()}
    assert before["x"].shape == (2, 32, 32, 3)
    first, *_, last = kernels(model.generators["x"])
    for kernel, moved in ((last, {"x"}), (first, {"x", "y"})):
        kept = kernel.numpy()
        kernel.assign(kept + 1.0)
        after = {d: g(codes).numpy() for d, g in model.generators.items()}
        assert {d for d in after if np.abs(after[d] - before[d]).max() > 1e-3} == moved
        kernel.assign(kept)


def test_codes_are_those_of_seed_and_step(model):
    codes = model.codes(64).numpy()
    assert np.array_equal(codes, model.codes(64))
    assert codes.min() < -0.95
    assert codes.max() > 0.95
    assert np.abs(codes).max() <= 1
    assert not np.array_equal(codes, cogan.CoGAN(32, 2, seed=4).codes(64))


def test_losses_by_hand():
    """Logits are log odds: of a real image 3 to 1 for real, of a fake even, or 1 to 3."""
    three, even = math.log(3), 0.0
    logits = {
        "x": (tf.constant([[three]]), tf.constant([[even]])),
        "y": (tf.constant([[even]]), tf.constant([[-three], [even]])),
    }
    terms = cogan.coupled_losses(logits)
    # -log D(fake): 1/2; 1/4 and 1/2
    assert float(terms["generator"]) == pytest.approx(math.log(2) + (math.log(4) + math.log(2)) / 2)
    # -log D(real) - log(1 - D(fake)): 3/4, 1/2; 1/2, 3/4 and 1/2
    of_x = math.log(4 / 3) + math.log(2)
    of_y = math.log(2) + (math.log(4 / 3) + math.log(2)) / 2
    assert float(terms["discriminator"]) == pytest.approx(of_x + of_y)


def test_a_step_moves_every_variable_and_draws_new_codes(model):
    trained = model.generator_variables + model.discriminator_variables
    before, codes = [v.numpy() for v in trained], model.codes(2).numpy()
    batch = tf.random.stateless_uniform((2, 2, 32, 32, 3), (5, 6), -1.0, 1.0)
    terms = model.train_step((batch[0], batch[1]))
    assert set(terms) == {"generator", "discriminator"}
    still = [v.path for v, old in zip(trained, before, strict=True) if np.array_equal(v, old)]
    assert still == []
    assert not np.array_equal(codes, model.codes(2))


def test_what_is_saved_translates_in_both_directions(model, tmp_path):
    model.save(tmp_path)
    translators = cogan.load_translators(tmp_path)
    assert set(translators) == {"xy", "yx"}
    codes = model.codes(1)
    for direction, inversion in translators.items():
        source, target = (model.generators[domain] for domain in direction)
        assert np.allclose(inversion.source(codes), source(codes), atol=1e-6)
        assert np.allclose(inversion.target(codes), target(codes), atol=1e-6)
