"""The comparison on a GPU: its rows, its table, and in small on this processor."""

import json

import pytest

from benchmarks.speed import gpu, gpu_worker
from benchmarks.speed.gpu_worker import Row
from benchmarks.speed.jobs import Job

BASE = Job("step", size_px=256, device="cuda")
TINY = Job("step", size_px=32, filters=2, blocks=1)


def test_rows_are_each_measured_once_and_travel():
    found = gpu.rows(BASE, steps=30)
    assert len({(row.name, row.job.batch) for row in found}) == len(found) == 15
    assert {row.job.batch for row in found} == {1, 8}
    assert all(Row.from_json(row.to_json()) == row for row in found)
    assert {row.job.precision for row in found if row.job.framework == "ours"} == {
        "bfloat16", "float32", "float16",
    }  # fmt: skip
    assert [row.name for row in found[:3]] == [
        "ours-bfloat16, XLA on", "torch-bfloat16-nhwc", "torch-bfloat16-nhwc-compile",
    ]  # fmt: skip


def answers(words):
    """What the processes of a run say, without them."""
    if words[0] == "cyclegan_tf.doctor":
        return {"gpus": {"driver_knows": [{"name": "Some GPU"}]}}
    if words[1] == "--macs":
        return {
            "macs": {
                "generator": 100, "generator_first": 10,
                "discriminator": 50, "discriminator_first": 5,
            },
            "parameters": 100,
        }  # fmt: skip
    if words[1] == "--draw":
        return {"error": "no disk"}
    row = Row.from_json(words[1])
    if row.job.kind == "rate":
        return {"flops_per_second": 1e6, "bytes_per_second": 1e6}
    if row.job.compiled:
        return {"error": "RuntimeError: no compiler"}
    return {"s_per_step": 0.025, "s_first": 30.0, "peak_bytes": 3 << 30}


def test_a_run_is_a_table_and_errors_are_rows(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(gpu.Comparison, "_json", lambda self, *words: answers(words))
    fed = {"s_per_step": 0.03, "gpu_busy_percent": 93.0}
    monkeypatch.setattr(gpu.Comparison, "_from_jpeg", lambda self: fed)
    assert gpu.main(["--out", str(tmp_path)]) == 1
    table = (tmp_path / "gpu.md").read_text()
    assert table.startswith("Some GPU, 20")
    # 2 (2 3 100 + 4 (3 100 - 10) + 4 50 + 4 (3 50 - 5)) operations, and 2800 bytes of Adam
    least = (2 * (600 + 1160 + 200 + 580) + 2800) / 1e6
    over = f"{0.025 / least:.1f}"
    assert f"| ours-bfloat16, XLA on | 1 | 25.0 | {over} | 30.0 | 3.00 |" in table
    assert "| torch-bfloat16-nhwc-compile | 8 | RuntimeError: no compiler | | | |" in table
    assert table.endswith("From JPEG: 30.0 ms a step, GPU busy 93 %.\n")
    assert len(json.loads((tmp_path / "gpu.json").read_text())["rows"]) == 15
    assert "ours-float32, XLA off" in capsys.readouterr().out


def test_no_time_left_leaves_rows_out(tmp_path, monkeypatch):
    monkeypatch.setattr(gpu.Comparison, "_json", lambda self, *words: answers(words))
    comparison = gpu.Comparison(gpu.parse(["--out", str(tmp_path), "--minutes", "0"]))
    comparison.run()
    assert comparison.results["rows"] == []
    assert "from_jpeg" not in comparison.results


def test_a_machine_without_nvidia_smi_knows_no_use(monkeypatch):
    monkeypatch.setattr(gpu, "_SMI", ["no-such-program"])
    with gpu.Use() as use:
        assert use.busy() is None
    monkeypatch.setattr(gpu, "_SMI", ["sh", "-c", "echo 0; echo 80; echo 90; echo 94"])
    with gpu.Use() as use:
        for _ in range(200):
            if len(use._samples) == 4:
                break
            gpu.time.sleep(0.01)
    assert use.busy() == 92.0


@pytest.mark.usefixtures("step_by_step", "one_thread")
@pytest.mark.parametrize("framework", ["ours", "torch"])
def test_real_steps_in_small(framework, monkeypatch):
    monkeypatch.setattr(gpu_worker, "WARM_UP", 1)
    monkeypatch.setattr(gpu_worker, "TURNS", 1)
    job = Job("step", framework, "float32", size_px=32, filters=2, blocks=1)
    found = gpu_worker.measure(Row(job, steps=1))
    assert found["s_first"] > 0
    assert found["s_per_step"] > 0


def test_what_the_processor_can_do(monkeypatch):
    monkeypatch.setattr(gpu_worker, "SIDES", {"cpu": 64})
    found = gpu_worker.rate(Row(Job("rate")))
    assert found["flops_per_second"] > 0
    assert found["bytes_per_second"] > 0
