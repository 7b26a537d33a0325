"""Steps on each device, here of one processor in two ways."""

import pytest
import tensorflow as tf

from cyclegan_tf.devices import hardware
from cyclegan_tf.doctor import step_test
from cyclegan_tf.doctor.step_test import Way


def test_ways_are_each_taken_once(monkeypatch):
    monkeypatch.setattr(hardware, "cpu_flags", set)
    assert step_test.ways() == [Way("CPU", "float32", False)]
    monkeypatch.setattr(hardware, "cpu_flags", lambda: {"amx_bf16"})
    assert step_test.ways() == [Way("CPU", "float32", False), Way("CPU", "mixed_bfloat16", False)]
    monkeypatch.setattr(hardware, "has_gpu", lambda: True)
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["gpu"])
    details = {"compute_capability": (9, 0)}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda _: details)
    assert step_test.ways() == [
        Way("CPU", "float32", False),
        Way("GPU", "float32", True),
        Way("GPU", "mixed_bfloat16", True),
    ]


@pytest.mark.usefixtures("step_by_step")
def test_real_steps_are_timed_and_compared(monkeypatch):
    networks = {name: dict(fields) for name, fields in step_test._NETWORKS.items()}
    networks["generator"] |= {"blocks": 1, "filters": 2}
    networks["discriminator"] |= {"filters": 2, "n_layers": 1}
    monkeypatch.setattr(step_test, "_NETWORKS", networks)
    monkeypatch.setattr(step_test, "COMPARED_STEPS", 2)
    wanted = [Way("CPU", "float32", False), Way("CPU", "mixed_bfloat16", False)]
    monkeypatch.setattr(step_test, "ways", lambda: wanted)
    said = []
    rows = step_test.run(0.1, said.append)
    assert said == rows
    assert [row["precision"] for row in rows] == ["float32", "mixed_bfloat16"]
    assert rows[0]["apart"] is None
    assert 0 < rows[1]["apart"] < 0.1
    assert all(row["first_s"] > 0 and row["step_s"] > 0 for row in rows)


def test_a_device_that_fails_is_a_row(monkeypatch):
    def fail(way, seconds):
        raise tf.errors.InternalError(None, None, f"no kernel\nfor {way.device}")

    monkeypatch.setattr(step_test, "_try", fail)
    monkeypatch.setattr(step_test, "ways", lambda: [Way("GPU", "float32", True)])
    (row,) = step_test.run(1.0, lambda row: None)
    assert row["error"] == "no kernel for GPU"
