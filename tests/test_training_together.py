"""Several devices and several processes: the numbers of one device, refusals, and what a killed machine leaves."""

import re
import signal
import time

import joint
import numpy as np
import pytest
import tiny

from cyclegan_tf import assembly, checkpoints
from cyclegan_tf.runs import RunDirectory

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return tiny.folder(tmp_path_factory.mktemp("pictures"), (9, 7, 2, 2))


@pytest.fixture(scope="module")
def alone(source, tmp_path_factory):
    """20 steps of global batches of 4 on one device."""
    run = tmp_path_factory.mktemp("runs") / "alone"
    process = joint.start(1, joint.words(source, run), run.parent / "log")
    assert joint.wait([process], 175) == [0], (run.parent / "log").read_text()
    return run


def assert_equal_within(a, b, bound=1e-5):
    """Losses of every step, and every variable at the end."""
    (arrays_a, step_a, rows_a), (arrays_b, step_b, rows_b) = tiny.outcome(a), tiny.outcome(b)
    assert step_a == step_b == 20
    assert set(arrays_a) == set(arrays_b)
    rows_a, rows_b = ([row for row in rows if row["kind"] == "train"] for rows in (rows_a, rows_b))
    assert len(rows_a) == len(rows_b) == 20
    for row, other in zip(rows_a, rows_b, strict=True):
        for name in set(row) - {"kind"}:
            scale = max(1.0, abs(row[name])) if name.startswith("gradient_norm") else 1.0
            assert abs(row[name] - other[name]) <= bound * scale, (row["step"], name)
    for name, array in arrays_a.items():
        # Adam's moments are of gradients, whose norm is tens; weights and pools are of order one.
        scale = max(1.0, float(np.abs(array).max(initial=0))) if "optimizer" in name else 1.0
        np.testing.assert_allclose(array, arrays_b[name], rtol=0, atol=bound * scale, err_msg=name)


def test_training_moves_weights_by_far_more_than_the_bound(alone):
    start = assembly.build_generator(RunDirectory(alone).experiment(), "xy")
    end = tiny.outcome(alone)[0]
    moved = [np.abs(end[f"generator_xy/{v.path}"] - v.numpy()).max() for v in start.trainable_variables]
    assert max(moved) > 1e-4


def test_two_devices_equal_one(alone, source, tmp_path):
    words = joint.words(source, tmp_path / "run", "--training.strategy=mirrored")
    assert joint.wait([joint.start(2, words, tmp_path / "log")], 175) == [0], (tmp_path / "log").read_text()
    assert "mirrored, 2 replicas" in (tmp_path / "log").read_text()
    assert_equal_within(alone, tmp_path / "run")


@pytest.mark.parametrize("devices", [1, 2], ids=["two processes", "two processes of two devices"])
def test_two_processes_equal_one(alone, source, tmp_path, devices):
    cluster = joint.addresses(2)
    logs = [tmp_path / f"log{number}" for number in (0, 1)]
    words = joint.words(source, tmp_path / "run")
    processes = [joint.start(devices, words, log, cluster, number) for number, log in enumerate(logs)]
    assert joint.wait(processes, 175) == [0, 0], [log.read_text() for log in logs]
    assert f"multi_worker, {2 * devices} replicas, machine 0 of 2" in logs[0].read_text()
    assert_equal_within(alone, tmp_path / "run")


def test_a_machine_with_another_config_is_refused_by_name_of_the_field(source, tmp_path):
    cluster = joint.addresses(2)
    logs = [tmp_path / f"log{number}" for number in (0, 1)]
    more = ([], ["--loss.cycle_x=9"])
    processes = [
        joint.start(1, joint.words(source, tmp_path / "run", *more[number]), logs[number], cluster, number)
        for number in (0, 1)
    ]
    assert joint.wait(processes, 120) == [2, 2]
    for log in logs:
        assert "Machine 1 differs from machine 0, the chief: loss.cycle_x is 9.0 there, 10.0" in log.read_text()
    assert not (tmp_path / "run" / "config.yaml").exists()


def test_after_kill_9_the_other_ends_soon_and_a_restart_equals_an_undisturbed_run(alone, source, tmp_path):
    run = tmp_path / "run"
    words = joint.words(source, run, "--training.checkpoint_every_steps=3", "--training.keep_checkpoints=99")
    logs = [tmp_path / f"log{number}" for number in (0, 1)]
    slow = {"JOINT_PAUSE_SECONDS": "0.3"}
    cluster = joint.addresses(2)
    processes = [joint.start(1, words, log, cluster, number, **slow) for number, log in enumerate(logs)]
    try:
        _until(lambda: checkpoints.listed(run / "checkpoints"), 120)
        processes[1].send_signal(signal.SIGKILL)
        killed = time.monotonic()
        assert processes[0].wait(40) == 1, logs[0].read_text()
        assert time.monotonic() - killed < 35
    finally:
        joint.wait(processes, 1)
    assert re.search(r"error: Another of the 2 machines has ended .* after step \d+", logs[0].read_text())
    before = checkpoints.step_of(checkpoints.listed(run / "checkpoints")[0])
    assert 0 < before < 20
    cluster = joint.addresses(2)
    processes = [joint.start(1, words, log, cluster, number) for number, log in enumerate(logs)]
    assert joint.wait(processes, 175) == [0, 0], [log.read_text() for log in logs]
    assert f"step {before}" in logs[0].read_text()
    assert_equal_within(alone, run)


def _until(done, seconds):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "too slow"
        time.sleep(0.1)
