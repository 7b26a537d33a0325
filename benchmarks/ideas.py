"""`cyclegan_tf.train` with one idea from the literature laid over it: what the ablation tries and
the package lacks.

    python benchmarks/ideas.py augment --config modern --run_dir runs/tried --training.max_steps 600
    python benchmarks/ablation.py --set demo --seeds 0 --lanes 2 --only modern idea_augment
    idea_two_rates

An idea becomes an option of the package only when it wins; until then it lives here, a few lines
each. Ideas that are options already (batch size, rate, its course, n_layers of the judges,
averaging) are plain lines of the ablation.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any
from unittest import mock

import cyclegan_tf.cli  # isort: skip  # sets TensorFlow's environment

import keras
import tensorflow as tf

from cyclegan_tf.errors import UserError
from cyclegan_tf.model import gradients, losses
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.train import command as train
from cyclegan_tf.train import trainer as training

TWO_RATES = 2.0
R1_GAMMA = 10.0
MIN_CYCLE = 0.2
MAX_FEATURES = 0.9
POWER_STEPS = 1


class _Judge:
    """A discriminator that is called another way, and is itself in all else."""

    def __init__(self, judge: keras.Model, call: Callable[..., tf.Tensor]) -> None:
        self.judge, self._call = judge, call

    def __call__(self, images: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self._call(self.judge, images, training)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.judge, name)


def _judges_called(call: Callable[..., tf.Tensor]) -> None:
    plain = CycleGAN._discriminator

    def discriminator(self: CycleGAN, domain: str) -> Any:
        judge = plain(self, domain)
        return None if judge is None else _Judge(judge, call)

    CycleGAN._discriminator = discriminator  # type: ignore[method-assign]


def augment() -> None:
    """The judges see everything under random color, shift and a hole (Zhao et al. 2020,
    "DiffAugment")."""

    def call(judge: keras.Model, images: tf.Tensor, training: bool) -> tf.Tensor:
        return judge(augmented(images) if training else images, training=training)

    _judges_called(call)


def augmented(images: tf.Tensor) -> tf.Tensor:
    """Each image by itself: brightness, saturation, contrast, a shift of an eighth at most, a hole
    of half a side.

    Args:
      images: float (N, H, W, C) in [-1, 1].

    Returns:
      The same shape and dtype; differentiable in the images.
    """
    count, height, width, _ = images.shape
    count = tf.shape(images)[0] if count is None else count

    def drawn(low: float, high: float) -> tf.Tensor:
        return tf.cast(tf.random.uniform((count, 1, 1, 1), low, high), images.dtype)

    x = images + drawn(-0.5, 0.5)
    gray = tf.reduce_mean(x, axis=3, keepdims=True)
    x = (x - gray) * drawn(0.0, 2.0) + gray
    mean = tf.reduce_mean(x, axis=(1, 2, 3), keepdims=True)
    x = (x - mean) * drawn(0.5, 1.5) + mean
    rows, row_hole = _moved_and_cut(count, height)
    columns, column_hole = _moved_and_cut(count, width)
    x = tf.einsum("nij,njwc->niwc", tf.cast(rows, x.dtype), x)
    x = tf.einsum("nij,nhjc->nhic", tf.cast(columns, x.dtype), x)
    hole = row_hole[:, :, tf.newaxis, tf.newaxis] * column_hole[:, tf.newaxis, :, tf.newaxis]
    return x * tf.cast(1.0 - hole, x.dtype)


def _moved_and_cut(count: int | tf.Tensor, side: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Along one axis: matrices (N, side, side) that shift and fill with 0, and masks (N, side), 1
    where the hole is."""
    place = tf.range(side)
    shift = tf.random.uniform((count, 1), -(side // 8), side // 8 + 1, tf.int32)
    matrices = tf.one_hot(place[tf.newaxis] + shift, side)  # of places outside a row of zeros
    start = tf.random.uniform((count, 1), -(side // 4), side - side // 4 + 1, tf.int32)
    hole = (place[tf.newaxis] >= start) & (place[tf.newaxis] < start + side // 2)
    return matrices, tf.cast(hole, tf.float32)


def two_rates() -> None:
    """The judges learn at twice the generators' rate (Heusel et al. 2017)."""
    plain = training.Trainer._set_rate

    def set_rate(self: training.Trainer) -> float:
        rate = plain(self)
        self.model.discriminator_optimizer.learning_rate = TWO_RATES * rate
        return rate

    training.Trainer._set_rate = set_rate  # type: ignore[method-assign]


def r1() -> None:
    """The judges' gradient on real images is kept small (Mescheder et al. 2018, eq. 9)."""
    plain = CycleGAN._discriminator_terms

    def terms(
        self: CycleGAN, real_x: tf.Tensor, real_y: tf.Tensor, shown: Any, training: bool
    ) -> Any:
        verdicts, accuracies = plain(self, real_x, real_y, shown, training)
        for domain in shown if training else ():
            real = {"x": real_x, "y": real_y}[domain]
            with tf.GradientTape() as tape:
                tape.watch(real)
                verdict = tf.reduce_sum(
                    tf.reduce_mean(self._discriminator(domain)(real, training=False), (1, 2, 3))
                )
            squares = tf.reduce_sum(tf.square(tape.gradient(verdict, real)), axis=(1, 2, 3))
            verdicts[f"discriminator_{domain}"] += 0.5 * R1_GAMMA * tf.reduce_mean(squares)
        return verdicts, accuracies

    CycleGAN._discriminator_terms = terms  # type: ignore[method-assign]


def spectral() -> None:
    """The judges' kernels are divided by their largest singular value (Miyato et al. 2018, eq.
    8)."""
    directions: dict[str, tf.Variable] = {}

    def call(judge: keras.Model, images: tf.Tensor, training: bool) -> tf.Tensor:
        variables = judge.trainable_variables
        tensors = [tf.convert_to_tensor(variable) for variable in variables]
        scaled = [
            _divided(
                tensor, _direction(directions, f"{judge.name}/{variable.path}", tensor), training
            )
            if len(tensor.shape) == 4
            else tensor
            for variable, tensor in zip(variables, tensors, strict=True)
        ]
        with gradients.reading(variables, scaled):
            return judge(images, training=training)

    _judges_called(call)


def _direction(known: dict[str, tf.Variable], name: str, kernel: tf.Tensor) -> tf.Variable:
    if name not in known:
        with tf.init_scope():
            known[name] = tf.Variable(
                tf.random.stateless_normal((kernel.shape[-1], 1), (3, len(known)))
            )
    return known[name]


def _divided(kernel: tf.Tensor, direction: tf.Variable, training: bool) -> tf.Tensor:
    matrix = tf.cast(tf.reshape(kernel, (-1, kernel.shape[-1])), tf.float32)
    still, u = tf.stop_gradient(matrix), direction.value()
    for _ in range(POWER_STEPS):
        v = tf.math.l2_normalize(still @ u)
        u = tf.math.l2_normalize(tf.transpose(still) @ v)
    if training:
        direction.assign(u)
    largest = tf.reduce_sum(v * (matrix @ u))
    return kernel / tf.cast(largest, kernel.dtype)


def two_scales() -> None:
    """Each judge also sees the image at half its size, by the same weights (after Wang et al. 2018,
    sec. 3.2)."""

    def call(judge: keras.Model, images: tf.Tensor, training: bool) -> tf.Tensor:
        maps = [
            judge(seen, training=training)
            for seen in (images, tf.nn.avg_pool2d(images, 2, 2, "VALID"))
        ]
        # the mean of both maps' means is what the losses shall take, so the smaller is repeated
        repeats = maps[0].shape[1] * maps[0].shape[2] // (maps[1].shape[1] * maps[1].shape[2])
        flat = [tf.reshape(m, (tf.shape(m)[0], -1, 1, 1)) for m in maps]
        return tf.concat([flat[0], tf.tile(flat[1], (1, max(repeats, 1), 1, 1))], axis=1)

    _judges_called(call)


def _following(course: Callable[[float], float]) -> tf.Variable:
    """A number that is set anew before each step from the share of the budget that is used."""
    number, set_rate = tf.Variable(course(0.0), trainable=False), training.Trainer._set_rate

    def follow(self: training.Trainer) -> float:
        number.assign(course(self.budget.fraction(self.step, self.seconds)))
        return set_rate(self)

    training.Trainer._set_rate = follow  # type: ignore[method-assign]
    return number


def cycle_decay() -> None:
    """The cycles' weight falls in a straight line to a fifth (Wang and Lin 2018, "CycleGAN with
    better cycles")."""
    factor = _following(lambda done: 1.0 - (1.0 - MIN_CYCLE) * done)
    weighted = CycleGAN._total_loss

    def lighter(self: CycleGAN, terms: dict[str, tf.Tensor]) -> tf.Tensor:
        return weighted(
            self,
            {
                name: factor * term if name.startswith("cycle") else term
                for name, term in terms.items()
            },
        )

    CycleGAN._total_loss = lighter  # type: ignore[method-assign]


def feature_cycle() -> None:
    """Cycles are compared by what the judge sees in them, in the end to nine tenths (Wang and Lin
    2018)."""
    share = _following(lambda done: MAX_FEATURES * done)
    plain, l1 = CycleGAN._generator_terms, losses.l1

    def terms(self: CycleGAN, real_x: tf.Tensor, real_y: tf.Tensor, training: bool) -> Any:
        compared: dict[int, tuple[tf.Tensor, tf.Tensor]] = {}

        def noted(found: tf.Tensor, wanted: tf.Tensor) -> tf.Tensor:
            distance = l1(found, wanted)
            compared[id(distance)] = found, wanted
            return distance

        with mock.patch.object(losses, "l1", noted):
            fakes, found = plain(self, real_x, real_y, training)
        for domain in self.adversarial_domains if training else ():
            if (name := f"cycle_{domain}") in found:
                features = before_the_verdict(self._discriminator(domain))
                cycled, real = (features(seen, training=True) for seen in compared[id(found[name])])
                found[name] = (1.0 - share) * found[name] + share * l1(cycled, real)
        return fakes, found

    CycleGAN._generator_terms = terms  # type: ignore[method-assign]


def before_the_verdict(judge: keras.Model) -> keras.Model:
    """The same layers up to the last activation within: images -> float (N, H', W', C)."""
    last = [layer for layer in judge.layers if isinstance(layer, keras.layers.LeakyReLU)][-1]
    return keras.Model(judge.inputs, last.output)


IDEAS = {
    idea.__name__: idea for idea in (augment, two_rates, r1, spectral, two_scales, cycle_decay,
    feature_cycle)
}  # fmt: skip


def main(argv: list[str]) -> int:
    """Lays the idea over the training and trains.

    Raises:
      UserError: no such idea.
    """
    if not argv or argv[0] not in IDEAS:
        raise UserError(f"the first word must be an idea: {', '.join(IDEAS)}.")
    tf.random.set_seed(0)
    IDEAS[argv[0]]()
    return train.main(argv[1:])


if __name__ == "__main__":
    cyclegan_tf.cli.run(main, sys.argv[1:])
