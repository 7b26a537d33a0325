"""From config to things that run."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.assembly import models
from cyclegan_tf.devices import hardware
from cyclegan_tf.model.loss_weights import OTHER_TERMS
from cyclegan_tf.model.optimizers import FusedAdam
from cyclegan_tf.runs import state
from cyclegan_tf.train.plan import plan_training
from tests.helpers import tiny


def experiment(*words):
    return plan_training([*tiny.WORDS, "--data.source", "x", *words]).experiment


def test_the_papers_model_has_the_papers_sizes_and_optimizers():
    e = plan_training(["--data.source", "x"]).experiment
    assert models.build_generator(e, "xy").count_params() == 11_378_179
    assert models.build_discriminator(e, "x").count_params() == 2_764_737
    adam = models._adam(e, "float32").get_config()
    assert [adam[k] for k in ("learning_rate", "beta_1", "beta_2", "epsilon")] == pytest.approx(
        [2e-4, 0.5, 0.999, 1e-8]
    )


def test_networks_are_not_built_while_their_shape_is_undecided():
    for name in ("long_skips", "upsampling"):
        with pytest.raises(ValueError, match=rf"{name} is 'auto': let resolve_auto_fields decide"):
            models.build_generator(experiment(f"--generator.{name}=auto"), "xy")


def test_the_seed_decides_the_weights_and_the_four_networks_differ():
    a, b, c = (models.build_model(experiment(f"--training.seed={seed}")) for seed in (1, 1, 2))
    for name in ("generator_xy", "generator_yx", "discriminator_x", "discriminator_y"):
        first, second, third = (getattr(model, name).get_weights()[0] for model in (a, b, c))
        np.testing.assert_array_equal(first, second)
        assert (first != third).any()
    assert (a.generator_xy.get_weights()[0] != a.generator_yx.get_weights()[0]).any()


def test_weights_of_the_terms_come_from_the_config():
    e = experiment(
        "--loss.cycle_x=4", "--loss.cycle_y=6", "--loss.identity=0.25", "--loss.adversarial_y=2"
    )
    assert models.build_model(e).loss_weights == {
        "adversarial_x": 1, "adversarial_y": 2, "cycle_x": 4, "cycle_y": 6, "identity_x": 1,
        "identity_y": 1.5, **dict.fromkeys(OTHER_TERMS, 0),
    }  # fmt: skip


def test_a_discriminator_of_weight_zero_is_not_made():
    model = models.build_model(experiment("--loss.adversarial_x=0"))
    assert model.discriminator_x is None
    assert model.adversarial_domains == ["y"]


def test_each_objective_has_a_fused_adam_of_its_own():
    model = models.build_model(experiment())
    optimizers = [model.generator_optimizer, model.discriminator_optimizer]
    assert [type(optimizer) for optimizer in optimizers] == [FusedAdam, FusedAdam]
    assert optimizers[0] is not optimizers[1]
    scaled = models._adam(experiment(), "mixed_float16")
    assert type(scaled.inner_optimizer) is FusedAdam


@pytest.mark.parametrize("asked", [False, True])
def test_gradient_checkpointing_is_off_unless_asked_for(asked):
    words = ["--training.gradient_checkpointing=true"] if asked else []
    assert models.build_model(experiment(*words)).gradient_checkpointing is asked


def test_the_norms_come_from_the_config():
    e = experiment("--generator.norm=batch", "--discriminator.norm=batch")
    model = models.build_model(e)
    for network, layer in (
        (model.generator_yx, "first_norm"),
        (model.discriminator_y, "conv2_norm"),
    ):
        assert isinstance(network.get_layer(layer), keras.layers.BatchNormalization)
    assert not isinstance(
        models.build_discriminator(experiment("--generator.norm=batch"), "x").get_layer(
            "conv2_norm"
        ),
        keras.layers.BatchNormalization,
    )


class TestFrozenEncoder:
    ENCODER = ("first", "down1", "down2")

    @staticmethod
    def trained(e, policy="float32", steps=3):
        """Values of all variables before and after some steps."""
        model = models.build_model(e, policy)
        before = state.snapshot(state.variables(model))
        # tracing takes longer than three steps, but recomputing is a matter of graphs
        step = (
            tf.function(model.train_step, autograph=False)
            if model.gradient_checkpointing
            else model.train_step
        )
        rng = np.random.default_rng(0)
        for _ in range(steps):
            step(tuple(rng.uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32) for _ in "xy"))
        return model, before, state.snapshot(state.variables(model))

    @pytest.mark.parametrize(
        ("words", "policy"),
        [
            (["--generator.norm_affine=true"], "float32"),
            (["--generator.norm_affine=true"], "mixed_bfloat16"),
            (["--generator.norm_affine=true", "--training.gradient_checkpointing=true"], "float32"),
            (["--generator.norm=batch"], "float32"),
        ],
        ids=["affine", "bfloat16", "gradient checkpointing", "batch norm"],
    )
    def test_stays_bit_for_bit_and_all_else_moves(self, words, policy):
        _, before, after = self.trained(experiment("--training.freeze=encoder", *words), policy)
        networks = [name for name in before if name.split("/")[0] in state.NETWORKS]
        stayed = {name for name in networks if np.array_equal(before[name], after[name])}
        encoder = {
            name for name in networks if name.startswith("generator")
            and name.split("/")[1].removesuffix("_norm") in self.ENCODER
        }  # fmt: skip
        assert len(encoder) >= 2 * 3 * 3
        assert stayed == encoder

    def test_has_no_moments(self):
        e = experiment("--training.freeze=encoder")
        model = models.build_model(e)
        frozen = [v.path for v in model.generator_variables if v.path.split("/")[0] in self.ENCODER]
        assert frozen == []
        # iterations and rate, and two moments for each kernel and bias of two blocks' convolutions,
        # up1, up2 and last
        assert len(model.generator_optimizer.variables) == 2 + 2 * 2 * (2 * 5)

    def test_trains_unless_asked_to_stay(self):
        _, before, after = self.trained(experiment("--generator.norm_affine=true"), steps=1)
        assert not np.array_equal(
            before["generator_xy/first/kernel"], after["generator_xy/first/kernel"]
        )

    def test_what_is_not_frozen_moves_as_without(self):
        """The first step's gradients of the decoder do not know whether the encoder moves."""
        _, _, free = self.trained(experiment(), steps=1)
        _, _, held = self.trained(experiment("--training.freeze=encoder"), steps=1)
        for name in (
            "generator_xy/last/kernel",
            "generator_yx/block1_conv2/kernel",
            "discriminator_x/conv1/kernel",
        ):
            np.testing.assert_allclose(held[name], free[name], atol=1e-6)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_keeps_weights_pools_and_losses_in_float32(precision):
    e = experiment(f"--training.precision={precision}")
    arithmetic = hardware.choose_arithmetic(e.training.precision, e.training.jit)
    assert arithmetic.descriptions["precision"] == f"mixed_{precision} (asked for)"
    model = models.build_model(e, arithmetic.dtype_policy)
    assert {str(v.dtype) for v in model.trainable_variables} == {"float32"}
    assert str(model.pool_x.images.dtype) == "float32"
    assert isinstance(model.generator_optimizer, keras.optimizers.LossScaleOptimizer) == (
        precision == "float16"
    )
    x = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32)
    logs = model.train_step((x, -x))
    assert {value.dtype.name for value in logs.values()} == {"float32"}
    assert np.isfinite(
        [float(value) for name, value in logs.items() if not name.startswith("gradient")]
    ).all()
    assert model.generator_xy(x).dtype == "float32"
