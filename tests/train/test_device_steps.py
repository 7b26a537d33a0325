"""Steps on the device: what leaves it and when, and the step at which a loss is lost."""

import json

import pytest
import tensorflow as tf

from cyclegan_tf.devices import hardware
from cyclegan_tf.devices.strategy import DistributionContext
from cyclegan_tf.errors import TrainingStoppedError
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.ema import ExponentialMovingAverage
from cyclegan_tf.model.optimizers import FusedAdam
from cyclegan_tf.networks.builders import build_discriminator, build_generator
from cyclegan_tf.train import command as train
from cyclegan_tf.train import trainer as training
from cyclegan_tf.train.device_steps import DeviceSteps
from tests.helpers import tiny, transfers
from tests.helpers.errors import refused


class Model:
    """Reports what it is shown; three of four values are losses."""

    jit_compile = False

    @staticmethod
    def metric_names():
        return ["gradient_norm_generators", "cycle_x", "cycle_y", "accuracy_fake_x"]

    @staticmethod
    def train_step(batch):
        norm, x, y, accuracy = tf.unstack(batch[0])
        names = {"cycle_x": x, "cycle_y": y, "accuracy_fake_x": accuracy}
        return {**names, "gradient_norm_generators": norm, "loss": x}


INF, NAN = float("inf"), float("nan")
GOOD, OVERFLOW, LOST = [1.0, 2.0, 3.0, 4.0], [INF, 2.0, 3.0, 4.0], [1.0, 2.0, NAN, INF]


@pytest.mark.parametrize("per_call", [1, 3])
def test_the_step_that_lost_a_loss_is_known_however_late_one_looks(per_call):
    steps = DeviceSteps(Model(), None, DistributionContext(), per_call)
    batches = iter([(tf.constant(row),) for row in (GOOD, OVERFLOW, LOST, GOOD, LOST, GOOD)])
    assert steps.first_not_finite() is None  # before the first
    for _ in range(2):
        steps.run(batches)
        assert steps.first_not_finite() is None  # norms of gradients may overflow
    for count in (3, 1) if per_call == 3 else (1, 1, 1, 1):
        steps.run(batches, count)
    lost = steps.first_not_finite()
    assert (lost.steps_ago, lost.names) == (3, ("cycle_y", "accuracy_fake_x"))
    assert list(steps.values()) == [
        "cycle_x", "cycle_y", "accuracy_fake_x", "gradient_norm_generators",
    ]  # fmt: skip
    assert steps.values()["cycle_y"] == 3.0


@pytest.mark.parametrize("recompute", [False, True])
def test_within_a_step_a_gpu_is_never_waited_for(monkeypatch, recompute):
    monkeypatch.setattr(hardware, "has_gpu", lambda: True)
    options = {"blocks": 1, "dtype_policy": "mixed_bfloat16"}
    nets = [build_generator("fast_style", filters=2, seed=n, **options) for n in (0, 1)]
    nets += [build_discriminator(filters=2, n_layers=1, seed=n) for n in (2, 3)]
    gan = CycleGAN(*nets, pool_size_images=2)
    gan.compile(FusedAdam(), FusedAdam(), gradient_checkpointing=recompute)
    averages = ExponentialMovingAverage({"xy": nets[0]}, 10, batch_size=2)
    steps = DeviceSteps(gan, averages, DistributionContext())
    spec = tf.TensorSpec((2, 16, 16, 3))
    graph = tf.function(steps._one_step, autograph=False).get_concrete_function((spec, spec)).graph
    assert list(transfers.fetches(graph)) == []


def test_what_a_gpu_would_be_waited_for_is_found():
    @tf.function(autograph=False)
    def waits(x):
        most = tf.reduce_max(x)
        x = tf.cond(most > 1.0, lambda: x * 2.0, lambda: x)
        return tf.tensor_scatter_nd_add(tf.cast(x, tf.bfloat16), [[0]], [tf.cast(most, "bfloat16")])

    graph = waits.get_concrete_function(tf.TensorSpec((3,))).graph
    assert {kind for kind, _ in transfers.fetches(graph)} == {"StatelessIf", "TensorScatterAdd"}


@pytest.fixture
def as_on_a_gpu(monkeypatch):
    """The loop takes the processor for a device to wait for."""
    monkeypatch.setattr(hardware, "has_accelerator", lambda: True)


@pytest.fixture
def read_at(monkeypatch):
    """The steps at which anything is read from the device, and what."""
    found, trainers = [], []
    plain = training.Trainer._start_clocks
    monkeypatch.setattr(
        training.Trainer, "_start_clocks", lambda self: (trainers.append(self), plain(self))
    )

    def noting(name, read):
        def noted(self):
            found.append((trainers[-1].step, name))
            return read(self)

        return noted

    for name in ("values", "first_not_finite"):
        monkeypatch.setattr(DeviceSteps, name, noting(name, getattr(DeviceSteps, name)))
    return found


WORDS = [
    "--training.max_steps=22", "--logging.log_every_steps=7", "--logging.score_every_epochs=0",
    "--logging.test_every_epochs=99", "--training.ema_half_life_images=8",
    "--optimizer.schedule=constant",
]  # fmt: skip


@pytest.mark.usefixtures("as_on_a_gpu", "plain_graphs")
def test_nothing_leaves_the_device_but_at_rows_and_nothing_depends_on_it(
    tmp_path, read_at, monkeypatch
):
    source = tiny.folder(tmp_path / "images", (11, 9, 1, 1))
    assert train.main(tiny.words(source, tmp_path / "one", *WORDS, "--quiet")) == 0
    # The forecast is of the first four; an epoch has 11 steps; samples are drawn at 20.
    rows = [7, 14, 21, 22]
    assert {step for step, name in read_at if name == "values"} == set(rows)
    assert {step for step, _ in read_at} == {1, 2, 3, 4, 11, 20, *rows}
    calls = []
    plain = DeviceSteps.run
    monkeypatch.setattr(
        DeviceSteps, "run", lambda self, batches, n: (calls.append(n), plain(self, batches, n))
    )
    more = [*WORDS, "--training.steps_per_call=5", "--quiet"]
    assert train.main(tiny.words(source, tmp_path / "several", *more)) == 0
    assert calls == [1, 1, 1, 1, 3, 4, 3, 5, 1, 1, 1]
    tiny.assert_same_outcome(tmp_path / "one", tmp_path / "several")


@pytest.mark.usefixtures("as_on_a_gpu", "step_by_step")
def test_a_loss_lost_between_two_rows_stops_there_and_leaves_no_trace(tmp_path, monkeypatch):
    source, run = tiny.folder(tmp_path / "images"), tmp_path / "run"
    plain, step = DeviceSteps._one_step, iter(range(1, 99))

    def spoiled(self, batch):
        if next(step) == 6:
            weight = self._model.discriminator_x.trainable_variables[0]
            weight.assign(tf.fill(weight.shape, NAN))
        return plain(self, batch)

    monkeypatch.setattr(DeviceSteps, "_one_step", spoiled)
    words = ["--training.max_steps=30", "--logging.log_every_steps=9", "--data.batch_size=1"]
    words += ["--logging.score_every_epochs=0", "--logging.test_every_epochs=99"]
    with refused("stopped", "adversarial_x", kind=TrainingStoppedError) as caught:
        train.main(tiny.words(source, run, *words, "--training.checkpoint_every_steps=4"))
    assert str(caught.value).startswith("At step 6 the loss adversarial_x is not finite")
    assert (run / "not_finite_step_000000006.png").is_file()
    assert [path.name for path in (run / "checkpoints").glob("*.npz")] == ["step_000000004.npz"]
    assert not (run / "metrics.jsonl").exists() or not [
        row for row in map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
        if row["kind"] == "train"
    ]  # fmt: skip
