"""From config to things that run."""

import keras
import numpy as np
import pytest
import tiny

from cyclegan_tf import assembly, train
from cyclegan_tf.optimizers import FusedAdam


def experiment(*words):
    return train.resolve([*tiny.WORDS, "--data.source", "x", *words])[1]


def test_the_papers_model_has_the_papers_sizes_and_optimizers():
    e = train.resolve(["--data.source", "x"])[1]
    assert assembly.build_generator(e, "xy").count_params() == 11_378_179
    assert assembly.build_discriminator(e, "x").count_params() == 2_764_737
    adam = assembly._adam(e, "float32").get_config()
    assert [adam[k] for k in ("learning_rate", "beta_1", "beta_2", "epsilon")] == pytest.approx(
        [2e-4, 0.5, 0.999, 1e-8]
    )


def test_the_seed_decides_the_weights_and_the_four_networks_differ():
    a, b, c = (assembly.build_model(experiment(f"--training.seed={seed}")) for seed in (1, 1, 2))
    for name in ("generator_xy", "generator_yx", "discriminator_x", "discriminator_y"):
        first, second, third = (getattr(model, name).get_weights()[0] for model in (a, b, c))
        np.testing.assert_array_equal(first, second)
        assert (first != third).any()
    assert (a.generator_xy.get_weights()[0] != a.generator_yx.get_weights()[0]).any()


def test_weights_of_the_terms_come_from_the_config():
    e = experiment("--loss.cycle_x=4", "--loss.cycle_y=6", "--loss.identity=0.25", "--loss.adversarial_y=2")
    assert assembly.build_model(e).weights_of == {
        "adversarial_x": 1, "adversarial_y": 2, "cycle_x": 4, "cycle_y": 6, "identity_x": 1, "identity_y": 1.5
    }  # fmt: skip


def test_a_judge_of_weight_zero_is_not_made():
    model = assembly.build_model(experiment("--loss.adversarial_x=0"))
    assert model.discriminator_x is None
    assert model.judged_domains == ["y"]


def test_each_game_has_a_fused_adam_of_its_own():
    model = assembly.build_model(experiment())
    optimizers = [model.generator_optimizer, model.discriminator_optimizer]
    assert [type(optimizer) for optimizer in optimizers] == [FusedAdam, FusedAdam]
    assert optimizers[0] is not optimizers[1]
    scaled = assembly._adam(experiment(), "mixed_float16")
    assert type(scaled.inner_optimizer) is FusedAdam


@pytest.mark.parametrize("recompute", [False, True])
def test_recompute_comes_from_the_config_and_is_off_unless_asked_for(recompute):
    words = [f"--training.recompute={str(recompute).lower()}"] if recompute else []
    assert assembly.build_model(experiment(*words)).recompute is recompute


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_keeps_weights_pools_and_losses_in_float32(precision):
    e = experiment(f"--training.precision={precision}")
    policy, _, told = assembly.precision_and_jit(e)
    assert told["precision"] == f"mixed_{precision} (asked for)"
    model = assembly.build_model(e, policy)
    assert {str(v.dtype) for v in model.trainable_variables} == {"float32"}
    assert str(model.pool_x.images.dtype) == "float32"
    assert isinstance(model.generator_optimizer, keras.optimizers.LossScaleOptimizer) == (precision == "float16")
    x = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32)
    logs = model.train_step((x, -x))
    assert {value.dtype.name for value in logs.values()} == {"float32"}
    assert np.isfinite([float(value) for name, value in logs.items() if not name.startswith("gradient")]).all()
    assert model.generator_xy(x).dtype == "float32"
