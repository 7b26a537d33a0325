"""Several devices and processes: one device's numbers, refusals, what a killed one leaves."""

import re
import signal
import time

import numpy as np
import pytest

from cyclegan_tf import assembly
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import command as train
from tests.helpers import joint, tiny

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return tiny.folder(tmp_path_factory.mktemp("images"), (9, 7, 0, 0))


def _two_devices(source, folder, *more, **environment):
    words = joint.words(source, folder / "run", "--training.strategy=mirrored", *more)
    process = joint.start(2, words, folder / "log", **environment)
    assert joint.wait([process], 175) == [0], (folder / "log").read_text()
    assert "mirrored, 2 replicas" in (folder / "log").read_text()
    return folder / "run"


def _two_processes(source, folder, devices, *more, **environment):
    cluster = joint.addresses(2)
    logs = [folder / f"log{number}" for number in (0, 1)]
    words = joint.words(source, folder / "run", *more)
    processes = [
        joint.start(devices, words, log, cluster, number, **environment)
        for number, log in enumerate(logs)
    ]
    assert joint.wait(processes, 175) == [0, 0], [log.read_text() for log in logs]
    assert f"multi_worker, {2 * devices} replicas, machine 0 of 2" in logs[0].read_text()
    return folder / "run"


SMOOTH = {"JOINT_SMOOTH": "1"}
"""Without kinks, so that 20 steps stand out from rounding: see `joint.round_off_kinks`."""


@pytest.fixture(scope="module")
def alone(source, tmp_path_factory):
    """20 steps of global batches of 4 on one device."""
    with pytest.MonkeyPatch.context() as patched:
        joint.round_off_kinks(patched.setattr)
        run = tmp_path_factory.mktemp("runs") / "alone"
        assert train.main(joint.words(source, run, "--quiet")) == 0
    return run


@pytest.fixture(scope="module")
def together(source, tmp_path_factory):
    return _two_processes(source, tmp_path_factory.mktemp("together"), 1, **SMOOTH)


def assert_equal_within(a, b, steps=20, bound=1e-5, gradients=True):
    """Compares the losses of every step and every variable at the end.

    `gradients` includes norms of gradients and Adam's moments, which jump at kinks.
    """
    (arrays_a, step_a, rows_a), (arrays_b, step_b, rows_b) = tiny.outcome(a), tiny.outcome(b)
    assert step_a == step_b == steps
    assert set(arrays_a) == set(arrays_b)
    rows_a, rows_b = ([row for row in rows if row["kind"] == "train"] for rows in (rows_a, rows_b))
    assert len(rows_a) == len(rows_b) == steps
    for row, other in zip(rows_a, rows_b, strict=True):
        assert set(row) == set(other)
        for name in set(row) - {"kind"}:
            of_gradient = name.startswith("gradient_norm")
            if of_gradient and not gradients:
                continue
            scale = max(1.0, abs(row[name])) if of_gradient else 1.0
            assert abs(row[name] - other[name]) <= bound * scale, (row["step"], name)
    for name, array in arrays_a.items():
        # Adam's moments are of gradients, whose norm is tens; weights and pools are of order one.
        moment = "optimizer" in name
        if moment and not gradients:
            continue
        scale = max(1.0, float(np.abs(array).max(initial=0))) if moment else 1.0
        np.testing.assert_allclose(array, arrays_b[name], rtol=0, atol=bound * scale, err_msg=name)


def _furthest_moved(run):
    """By how much training has changed any weight of a generator."""
    start = assembly.build_generator(RunDirectory(run).experiment(), "xy")
    end = tiny.outcome(run)[0]
    return max(
        np.abs(end[f"generator_xy/{v.path}"] - v.numpy()).max() for v in start.trainable_variables
    )


def test_training_moves_weights_by_far_more_than_the_bound(alone):
    assert _furthest_moved(alone) > 1e-4


def test_two_devices_equal_one(alone, source, tmp_path):
    assert_equal_within(alone, _two_devices(source, tmp_path, **SMOOTH))


def test_two_processes_equal_one(alone, together):
    assert_equal_within(alone, together)


class TestNetworksAsTheyAre:
    """Kinks and all, 20 steps, losses and every variable.

    A gradient jumps where rounding takes a value across a kink, and the next step's weights with
    it. Slower training and a seed keep that below the bound: kernels disturbed by a factor
    1 + 1e-7 N(0, 1), which is as much as rounding, move losses by 2.4e-7 at most (4 draws). Some
    images are shown with their partner: not equally many on each device.
    """

    WORDS = (
        "--optimizer.learning_rate=5e-6", "--training.seed=2",
        "--data.pairs=4", "--data.pairs_share=0.4",
    )  # fmt: skip

    @pytest.fixture(scope="class")
    @classmethod
    def alone(cls, source, tmp_path_factory):
        folder = tmp_path_factory.mktemp("as_they_are")
        run, log = folder / "run", folder / "log"
        # with one thread, as the others: other sums would round otherwise, and kinks be crossed
        process = joint.start(1, joint.words(source, run, *cls.WORDS), log)
        assert joint.wait([process], 175) == [0], log.read_text()
        assert _furthest_moved(run) > 5e-5
        return run

    def test_on_two_devices(self, alone, source, tmp_path):
        assert_equal_within(alone, _two_devices(source, tmp_path, *self.WORDS), gradients=False)

    def test_in_two_processes_of_two_devices(self, alone, source, tmp_path):
        run = _two_processes(source, tmp_path, 2, *self.WORDS)
        assert_equal_within(alone, run, gradients=False)


def test_a_worker_with_another_config_is_refused_by_name_of_the_field(source, tmp_path):
    cluster = joint.addresses(2)
    logs = [tmp_path / f"log{number}" for number in (0, 1)]
    more = ([], ["--loss.cycle_x=9"])
    processes = [
        joint.start(
            1, joint.words(source, tmp_path / "run", *more[number]), logs[number], cluster, number
        )
        for number in (0, 1)
    ]
    assert joint.wait(processes, 120) == [2, 2]
    for log in logs:
        assert (
            "Machine 1 differs from machine 0, the chief: loss.cycle_x is 9.0 there, 10.0"
            in log.read_text()
        )
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_after_kill_9_the_other_ends_soon_and_a_restart_equals_an_undisturbed_run(
    together, source, tmp_path
):
    run = tmp_path / "run"
    words = joint.words(
        source, run, "--training.checkpoint_every_steps=3", "--training.keep_checkpoints=99"
    )
    logs = [tmp_path / f"log{number}" for number in (0, 1)]
    slow = {"JOINT_PAUSE_SECONDS": "0.3", "JOINT_HEARTBEAT_SECONDS": "5", **SMOOTH}
    cluster = joint.addresses(2)
    processes = [
        joint.start(1, words, log, cluster, number, **slow) for number, log in enumerate(logs)
    ]
    try:
        _until(lambda: checkpoints.list_checkpoints(run / "checkpoints"), 120)
        processes[1].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        assert processes[0].wait(30) == 1, logs[0].read_text()
        assert time.monotonic() - killed < 25
    finally:
        joint.wait(processes, 1)
    assert re.search(
        r"error: Another of the 2 machines has ended .* after step \d+", logs[0].read_text()
    )
    before = checkpoints.step_of(checkpoints.list_checkpoints(run / "checkpoints")[0])
    assert 0 < before < 20
    cluster = joint.addresses(2)
    processes = [
        joint.start(1, words, log, cluster, number, **SMOOTH) for number, log in enumerate(logs)
    ]
    assert joint.wait(processes, 175) == [0, 0], [log.read_text() for log in logs]
    assert f"step {before}" in logs[0].read_text()
    tiny.assert_same_outcome(together, run)


def _until(done, seconds):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "too slow"
        time.sleep(0.1)
