"""Ideas laid over a training: each by hand, and all of them through the command."""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.helpers import tiny

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import ideas

from cyclegan_tf.errors import UserError
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.networks.builders import build_discriminator, build_generator
from cyclegan_tf.train import trainer as training


@pytest.fixture(autouse=True)
def _undone(monkeypatch):
    """What ideas replace is put back."""
    for name in ("_discriminator", "_discriminator_terms", "_generator_terms", "_weighted"):
        monkeypatch.setattr(CycleGAN, name, getattr(CycleGAN, name))
    monkeypatch.setattr(training.Trainer, "_set_rate", training.Trainer._set_rate)


def images(*shape, seed=0):
    return tf.constant(np.random.default_rng(seed).uniform(-1, 1, shape), tf.float32)


def gan():
    networks = [build_generator("resnet_6blocks", filters=2, blocks=1, seed=n) for n in (0, 1)]
    judges = [build_discriminator(filters=2, n_layers=1, seed=n, name=f"judge{n}") for n in (0, 1)]
    return CycleGAN(*networks, *judges)


class Halfway:
    """Of a trainer, what a course over the budget asks for."""

    class budget:  # noqa: N801
        fraction = staticmethod(lambda step, seconds: 0.5)

    step = seconds = 0


def test_images_are_shifted_with_zeros_and_cut():
    tf.random.set_seed(1)
    matrices, holes = (t.numpy() for t in ideas._moved_and_cut(64, 16))
    ramp = np.arange(1, 17.0)
    shifts = set()
    for matrix in matrices:
        moved = matrix @ ramp
        shift = next(s for s in range(-2, 3) if moved[8] == ramp[8 + s])
        shifts.add(shift)
        expected = [ramp[i + shift] if 0 <= i + shift < 16 else 0 for i in range(16)]
        np.testing.assert_array_equal(moved, expected)
    assert shifts == {-2, -1, 0, 1, 2}
    assert set(holes.sum(1)) <= set(range(4, 9))
    assert 8 in holes.sum(1)


def test_each_image_is_augmented_by_itself_and_can_be_learned_from():
    x = tf.Variable(tf.repeat(images(1, 16, 16, 3), 2, axis=0))
    with tf.GradientTape() as tape:
        y = ideas.augmented(x)
    assert y.shape == x.shape
    assert np.abs(y[0] - y[1]).max() > 0.05
    assert np.abs(tape.gradient(y, x)).max() > 0


def test_augmentation_is_for_training_only():
    ideas.augment()
    judge, x = gan()._discriminator("x"), images(1, 16, 16, 3)
    np.testing.assert_array_equal(judge(x, training=False), judge.judge(x))
    assert np.abs(judge(x, training=True) - judge.judge(x)).max() > 1e-4


def test_kernels_are_divided_by_their_largest_singular_value():
    ideas.spectral()
    judge, x = gan()._discriminator("y"), images(2, 16, 16, 3)
    for _ in range(100):
        judge(x, training=True)
    found = judge(x, training=False)
    for variable in judge.trainable_variables:
        if len(variable.shape) == 4:
            matrix = variable.numpy().reshape(-1, variable.shape[-1])
            variable.assign(variable / np.linalg.svd(matrix, compute_uv=False)[0])
    np.testing.assert_allclose(found, judge.judge(x), rtol=1e-3, atol=1e-4)


def test_both_scales_count_the_same():
    ideas.two_scales()
    judge, x = gan()._discriminator("x"), images(1, 16, 16, 3)
    half = tf.reduce_mean(tf.reshape(x, (1, 8, 2, 8, 2, 3)), axis=(2, 4))
    maps = [judge.judge(seen).numpy() for seen in (x, half)]
    assert [m.shape[1:3] for m in maps] == [(6, 6), (2, 2)]
    np.testing.assert_allclose(np.mean(judge(x)), (maps[0].mean() + maps[1].mean()) / 2, rtol=1e-5)


def test_r1_is_half_gamma_times_the_squared_gradient(monkeypatch):
    model, x = gan(), images(2, 16, 16, 3)
    weights = images(16, 16, 3, seed=5)

    def linear(self, domain):
        def judge(seen, training=False):
            return tf.reduce_sum(seen * weights, axis=(1, 2, 3), keepdims=True)

        return judge

    plain = {"discriminator_x": tf.constant(3.0)}
    monkeypatch.setattr(CycleGAN, "_discriminator_terms", lambda *given: (dict(plain), {}))
    ideas.r1()
    monkeypatch.setattr(CycleGAN, "_discriminator", linear)
    terms, _ = model._discriminator_terms(x, x, {"x": x}, True)
    np.testing.assert_allclose(
        terms["discriminator_x"], 3 + 5 * np.sum(np.square(weights)), rtol=1e-5
    )
    terms, _ = model._discriminator_terms(x, x, {"x": x}, False)
    assert float(terms["discriminator_x"]) == 3


@pytest.mark.slow
def test_all_ideas_at_once_train(tmp_path, capsys):
    for idea in ideas.IDEAS.values():
        idea()
    source, run = tiny.folder(tmp_path / "images"), tmp_path / "run"
    rates = []
    plain = training.Trainer._after_step

    def note(self, values):
        rates.append(
            [
                float(o.learning_rate)
                for o in (self.model.generator_optimizer, self.model.discriminator_optimizer)
            ]
        )
        plain(self, values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training.Trainer, "_after_step", note)
        assert ideas.train.main(tiny.words(source, run, "--training.max_steps=4")) == 0
    assert all(second == pytest.approx(2 * first) for first, second in rates)
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows if row["kind"] == "train"] == [2, 4]


def test_cycles_weigh_less_towards_the_end():
    ideas.cycle_decay()
    model = gan()
    model.loss_weights = {"cycle_x": 10.0, "adversarial_x": 1.0}
    terms = {"cycle_x": tf.constant(2.0), "adversarial_x": tf.constant(1.0)}
    assert float(model._total_loss(terms)) == 21

    with pytest.raises(AttributeError, match="experiment"):
        training.Trainer._set_rate(Halfway())  # goes on to the plain one
    assert float(model._total_loss(terms)) == pytest.approx(0.6 * 20 + 1)


def test_cycles_are_compared_by_what_the_judge_sees(monkeypatch):
    monkeypatch.setattr(training.Trainer, "_set_rate", lambda self: 0.0)
    model, x, y = gan(), images(1, 16, 16, 3), images(1, 16, 16, 3, seed=1)
    model.compile(*(keras.optimizers.Adam(beta_1=b) for b in (0.5, 0.5)))
    _, plain = model._generator_terms(x, y, True)
    ideas.feature_cycle()
    _, start = model._generator_terms(x, y, True)
    assert {name: float(term) for name, term in start.items()} == {
        name: float(term) for name, term in plain.items()
    }
    training.Trainer._set_rate(Halfway())
    _, half = model._generator_terms(x, y, True)
    judge, cycled = model.discriminator_x, model.generator_yx(model.generator_xy(x))
    verdict = judge.get_layer("verdict")
    seen = keras.Model(judge.inputs, judge.get_layer("conv2_leaky_relu").output)
    np.testing.assert_allclose(  # they are what the verdict is made of
        verdict(np.pad(seen(x), ((0, 0), (1, 1), (1, 1), (0, 0)))), judge(x), rtol=1e-4, atol=1e-6
    )
    features = np.abs(seen(cycled).numpy() - seen(x).numpy()).mean()
    np.testing.assert_allclose(
        half["cycle_x"], 0.55 * float(plain["cycle_x"]) + 0.45 * features, rtol=1e-5
    )
    assert float(half["identity_x"]) == float(plain["identity_x"])
    _, exam = model._generator_terms(x, y, False)
    assert float(exam["cycle_x"]) == float(plain["cycle_x"])


def test_an_unknown_idea_is_told():
    with pytest.raises(UserError, match="the first word must be an idea: augment, "):
        ideas.main(["none"])
