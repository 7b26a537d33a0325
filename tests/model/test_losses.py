"""Criteria against numbers computed by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.model import losses
from cyclegan_tf.networks.builders import build_discriminator

REAL = np.reshape([2.0, 0.0, 1.0, -1.0], (1, 2, 2, 1)).astype(np.float32)
FAKE = np.reshape([0.5, 3.0, -2.0, 0.0, 1.0, 0.0, 0.0, 0.0], (2, 2, 2, 1)).astype(np.float32)


def softplus(value):
    return math.log(1 + math.exp(value))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # (0.25 + 4 + 9 + 1 + 0 + 1 + 1 + 1) / 8
        ("lsgan", 2.15625),
        (
            "vanilla",
            (softplus(-0.5) + softplus(-3) + softplus(2) + softplus(-1) + 4 * math.log(2)) / 8,
        ),
        # -(0.5 + 3 - 2 + 0 + 1) / 8
        ("wgangp", -0.3125),
    ],
)
def test_generator_term(kind, expected):
    assert float(losses.generator_adversarial(kind, FAKE)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        # (1 + 1 + 0 + 4) / 4 + (0.25 + 9 + 4 + 0 + 1) / 8
        ("lsgan", 1.5 + 1.78125),
        (
            "vanilla",
            (softplus(-2) + math.log(2) + softplus(-1) + softplus(1)) / 4
            + (softplus(0.5) + softplus(3) + softplus(-2) + softplus(1) + 4 * math.log(2)) / 8,
        ),
        ("wgangp", 0.3125 - 0.5),
    ],
)
def test_discriminator_term_is_the_unhalved_sum_of_both_sides(kind, expected):
    assert float(losses.discriminator_adversarial(kind, REAL, FAKE)) == pytest.approx(
        expected, rel=1e-6
    )


@pytest.mark.parametrize(
    ("kind", "real", "fake"),
    [
        (
            "lsgan",
            2 / 4,
            6 / 8,
        ),  # above 0.5: 2 and 1; the fake of exactly 0.5 counts as fake
        ("vanilla", 2 / 4, 5 / 8),  # above 0
        ("wgangp", 2 / 4, 5 / 8),  # above (0.5 + 0.3125) / 2 = 0.40625
    ],
)
def test_accuracy_counts_patches(kind, real, fake):
    found = losses.discriminator_accuracy(kind, REAL, FAKE)
    assert [float(value) for value in found] == pytest.approx([real, fake])


def test_a_critic_that_is_only_shifted_is_as_accurate_as_before():
    before = losses.discriminator_accuracy("wgangp", REAL, FAKE)
    after = losses.discriminator_accuracy("wgangp", REAL + 100, FAKE + 100)
    assert [float(a) for a in after] == [float(b) for b in before]


def test_vanilla_saturates_for_neither_side():
    """A generator that is found out with certainty still learns, and nothing overflows."""
    logits = tf.constant([[-200.0]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        paid = losses.generator_adversarial("vanilla", logits)
    assert float(paid) == pytest.approx(200.0)
    assert float(tape.gradient(paid, logits)[0, 0]) == pytest.approx(-1.0)


def test_l1_is_the_mean_difference():
    a = np.reshape([0.0, 1.0, -1.0, 0.5], (1, 2, 2, 1))
    b = np.reshape([1.0, 1.0, 1.0, 0.0], (1, 2, 2, 1))
    assert float(losses.l1(a, b)) == pytest.approx((1 + 0 + 2 + 0.5) / 4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_summed_in_float32(dtype):
    # 1/64 is exact in both; a bfloat16 sum of 4096 of them sticks, and 300^2 overflows float16
    small = tf.fill((1, 64, 64, 1), tf.constant(1 / 64, dtype))
    large = tf.fill((1, 2, 2, 1), tf.constant(300, dtype))
    for value, expected in [
        (losses.l1(small, tf.zeros_like(small)), 1 / 64),
        (losses.generator_adversarial("wgangp", small), -1 / 64),
        (losses.generator_adversarial("lsgan", large), 299.0**2),
        (losses.discriminator_adversarial("lsgan", large, large), 299.0**2 + 300.0**2),
        (losses.discriminator_accuracy("lsgan", large, small)[1], 1.0),
    ]:
        assert value.dtype == tf.float32
        assert float(value) == pytest.approx(expected, rel=1e-4)


def test_unknown_kinds_are_refused():
    for call in (
        lambda: losses.generator_adversarial("hinge", FAKE),
        lambda: losses.discriminator_adversarial("hinge", REAL, FAKE),
        lambda: losses.discriminator_accuracy("hinge", REAL, FAKE),
    ):
        with pytest.raises(ValueError, match="'hinge'; known are lsgan, vanilla, wgangp"):
            call()


def mixed(*shares):
    return tf.reshape(tf.constant(shares, tf.float32), (-1, 1, 1, 1))


def test_penalty_of_a_linear_critic_is_known():
    """D = 3 a - 4 b has the gradient (3, -4), of norm 5, everywhere: (5 - 1)^2."""
    weights = tf.constant([3.0, -4.0])
    images = tf.random.normal((4, 1, 1, 2))
    critic = lambda x, training: tf.reduce_sum(weights * x, axis=-1, keepdims=True)  # noqa: E731
    penalty = losses.gradient_penalty(critic, images, -images, mixed(0.1, 0.4, 0.7, 1.0))
    assert float(penalty) == pytest.approx(16.0, rel=1e-5)
    # over a map of 2x2 patches the critic is the mean, so each pixel's part of the gradient is a
    # quarter
    wide = tf.random.normal((4, 2, 2, 2))
    penalty = losses.gradient_penalty(critic, wide, -wide, mixed(0.1, 0.4, 0.7, 1.0))
    assert float(penalty) == pytest.approx((math.sqrt(4 * (5 / 4) ** 2) - 1) ** 2, rel=1e-5)


def test_penalty_is_taken_between_the_images_one_by_one():
    """D = |x|^2 / 2 has the gradient x itself; `mix` is the share of the real image."""
    real = tf.reshape(tf.constant([3.0, 4.0, 3.0, 4.0]), (2, 1, 2, 1))  # norm 5
    fake = tf.zeros_like(real)
    halves = lambda x, training: tf.reduce_sum(x**2 / 2, axis=(1, 2), keepdims=True)  # noqa: E731
    penalty = losses.gradient_penalty(halves, real, fake, mixed(1.0, 0.4))
    # 0.4 real + 0.6 fake has the norm 2
    assert float(penalty) == pytest.approx(((5 - 1) ** 2 + (2 - 1) ** 2) / 2, rel=1e-5)


def test_penalty_of_a_constant_critic_is_one_and_its_gradient_finite():
    weight = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        penalty = losses.gradient_penalty(
            lambda x, training: weight * x,
            tf.ones((2, 2, 2, 1)),
            tf.zeros((2, 2, 2, 1)),
            mixed(0.5, 0.5),
        )
    assert float(penalty) == pytest.approx(1.0, rel=1e-5)
    assert np.isfinite(float(tape.gradient(penalty, weight)))


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_penalty_trains_a_real_discriminator(policy):
    discriminator = build_discriminator(filters=2, n_layers=1, seed=0, dtype_policy=policy)
    real, fake = tf.random.normal((2, 16, 16, 3)), tf.random.normal((2, 16, 16, 3))
    kernels = [
        variable.value
        for variable in discriminator.trainable_variables
        if "kernel" in variable.path
    ]

    def gradients(critic):
        @tf.function
        def compute():
            with tf.GradientTape() as tape:
                penalty = losses.gradient_penalty(critic, real, fake, mixed(0.3, 0.8))
            return penalty, tape.gradient(penalty, kernels)

        penalty, found = compute()
        assert penalty.dtype == tf.float32
        return [g.numpy() for g in found]

    plain = gradients(discriminator)
    assert all(np.isfinite(g).all() and np.abs(g).max() > 0 for g in plain)
    if policy == "float32":  # the fused kernel differentiates twice to the same numbers
        for a, b in zip(
            gradients(lambda x, training: discriminator(x, training=True)), plain, strict=True
        ):
            np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(b).max())
