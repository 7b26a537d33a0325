"""The arithmetic of the scaling estimate; the measurement itself is run by hand."""

import json

import numpy as np
import pytest

from benchmarks import scaling

FACTS = {
    "seconds_alone": 0.5, "seconds_of_two": 0.6, "weights": 25_000_000, "batch": 1,
    "image_bytes": 1000,
    "loopback_bytes_per_step": 2e8,
}  # fmt: skip


def test_one_replica_sends_nothing_and_many_send_at_most_twice_their_weights():
    assert scaling.step_bytes(100, 1, 8, 50) == 0
    # two replicas: each sends half its numbers to be added up, then the half that it added
    assert scaling.step_bytes(100, 2, 0, 50) == 400
    assert scaling.step_bytes(100, 2, 4, 50) == 400 + 2 * 50
    assert scaling.step_bytes(100, 10**6, 0, 0) == pytest.approx(800, rel=1e-5)


def test_efficiency_is_the_share_that_computes():
    assert scaling.efficiency(1.0, 0.0, 1.0, 0.0) == 1
    assert scaling.efficiency(1.0, 50.0, 100.0, 0.5) == 0.5


def test_more_machines_and_slower_links_cost():
    table = [
        [scaling.estimate(FACTS, n, speed) for n in (1, 2, 8, 64)] for speed in (1e8, 1e9, 1e10)
    ]
    assert [row[0] for row in table] == [1, 1, 1]
    for row in table:
        assert row == sorted(row, reverse=True)
    assert [row[3] for row in table] == sorted(row[3] for row in table)
    assert "83%" in scaling.report(FACTS)


def test_speeds_and_weights_are_read_from_a_run(tmp_path):
    rows = [
        {"kind": "train", "step": n, "steps_per_second": 0.1 if n <= scaling.WARM_STEPS else 2.0}
        for n in range(9)
    ]
    (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert scaling.seconds_per_step(tmp_path) == 0.5
    (tmp_path / "checkpoints").mkdir()
    arrays = {
        "g/0001_a_momentum": np.zeros((3, 2)),
        "g/0002_a_velocity": np.zeros((3, 2)),
        "a": np.zeros(9),
    }
    np.savez(tmp_path / "checkpoints" / "step_000000008.npz", **arrays)
    assert scaling.count_weights(tmp_path) == 6
