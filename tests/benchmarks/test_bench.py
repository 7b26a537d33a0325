"""The comparison with other frameworks: its counting, its report and its processes."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import machine
from benchmarks.peers import ours
from benchmarks.speed import agreement, bench, chart, floor, measure, rates, report, worker
from benchmarks.speed.jobs import (
    CASES,
    CONTENDERS,
    DEFAULT,
    REFERENCE,
    Case,
    Job,
    folder_command,
    jobs_of,
)

TINY = {"size_px": 32, "filters": 2, "blocks": 1}
CASE = Case("step", "a case, 128 px", 128, 1, 2, 1, 3, 60, tuple(CONTENDERS))


def row(contender, median, **more):
    return {
        "contender": contender, "first_s": 3.0, "peak_rss_bytes": 2**30, "seconds": [median] * 3,
        "median": median,
        "least": 0.9 * median, "most": 1.2 * median, **more,
    }  # fmt: skip


@pytest.fixture
def results():
    def case(name, *rows):
        return {"kind": CASES[name].kind, "title": CASES[name].title, "unit": CASES[name].unit,
        "groups": [[1]],
                "rows": list(rows)}  # fmt: skip

    return {
        "machine": machine.describe(),
        "default": "ours-bfloat16",
        "flops": {"step-128-1": 10**12},
        "rates": {"best": {"bfloat16": {"gflops": 2000.0, "by": "torch, matrix product"}}},
        "cases": {
            "step-128-1": case(
                "step-128-1",
                row(REFERENCE, 4.0, ratio=1.0),
                row("ours-float32", 2.0, ratio=2.0),
                row("ours-bfloat16", 0.9, ratio=4.5, peak_rss_bytes=2**31),
                row("torch-float32-nhwc", 2.2, ratio=1.8),
                row("torch-bfloat16-nchw", 1.2, ratio=3.3, alternated_with_reference=False),
                {
                    "contender": "torch-bfloat16-nhwc-compile",
                    "first_s": None,
                    "peak_rss_bytes": 0,
                    "error": "no gcc",
                },
            ),
            "pipeline-cache": case(
                "pipeline-cache", row(REFERENCE, 0.02), row("ours-bfloat16", 0.001)
            ),
        },
    }


# Counting.


def test_flops_of_a_step_by_hand():
    macs = floor.Macs(generator=100, generator_first=10, discriminator=40, discriminator_first=4)
    # 6 forwards, 6 weight gradients, 2 whole input gradients and 4 without their first layer
    generators = 6 * 100 + 6 * 100 + 2 * 100 + 4 * 90
    adversarial = 2 * 40 + 2 * 40
    discriminators = 4 * 40 + 4 * 40 + 4 * 36
    assert floor.step_flops(macs, batch=3) == 2 * 3 * (generators + adversarial + discriminators)
    assert floor.step_flops(macs, 1) - floor.step_flops(macs, 1, identity=False) == 2 * 2 * (
        100 + 100 + 90
    )


def test_macs_of_tiny_networks_by_hand():
    macs = ours.count_macs(Job("facts", **TINY))
    ends = 32**2 * 49 * (3 * 2 + 2 * 3)
    down = 16**2 * 9 * 2 * 4 + 8**2 * 9 * 4 * 8
    block = 2 * 8**2 * 9 * 8 * 8
    up = 8**2 * 9 * 8 * 4 + 16**2 * 9 * 4 * 2
    assert macs.generator == ends + down + block + up
    assert macs.generator_first == 32**2 * 49 * 3 * 2
    layers = [(16, 3, 2), (8, 2, 4), (4, 4, 8), (3, 8, 16), (2, 16, 1)]
    assert macs.discriminator == sum(side**2 * 16 * inner * outer for side, inner, outer in layers)
    assert macs.discriminator_first == 16**2 * 16 * 3 * 2


def test_best_rate_is_the_best_of_both_frameworks():
    found = rates.best({
        "torch": {"product": {"float32": 3.0, "bfloat16": 9.0}},
        "tensorflow": {"product": {"float32": 2.0}, "convolution": {"float32": 4.0,
        "bfloat16": 5.0}},
    })  # fmt: skip
    assert found["float32"] == {"gflops": 4.0, "by": "tensorflow, convolution"}
    assert found["bfloat16"] == {"gflops": 9.0, "by": "torch, product"}


# Who takes part.


def test_default_contender_is_measured_once():
    names = [job.name for job in jobs_of(CASES["step-256-4"], "ours-float32")]
    assert names == [REFERENCE, "ours-float32", "torch-bfloat16-nchw"]
    assert [job.name for job in jobs_of(CASES["folder"], "ours-bfloat16", only={DEFAULT})] == [
        "ours-bfloat16"
    ]


def test_all_contenders_where_they_can():
    assert {job.name for job in jobs_of(CASES["step-256-4"], "ours-float32", every=True)} == set(
        CONTENDERS
    )
    assert not any(
        job.framework == "keras"
        for job in jobs_of(CASES["translation-512"], "ours-float32", every=True)
    )


def test_job_survives_json_and_names_itself():
    for name, job in CONTENDERS.items():
        assert Job.from_json(job.to_json()) == job
        assert job.name == name


def test_folder_command_is_the_real_one():
    words = folder_command(Job("translated_folder", folder="in", target="out"))
    assert words[:2] == ["-m", "cyclegan_tf.translate"]
    assert words[2:5] == [str(Path("out/generator.keras")), "in", "out"]


# The report.


def test_targets(results):
    found = {line["what"]: line for line in report.targets(results)}
    step = "training step, 128 px batch 1"
    assert found[f"{step}, against PyTorch float32, its default"]["reached"] == pytest.approx(4.5)
    assert found[f"{step}, against PyTorch float32, its default"]["met"]
    assert found[f"{step}, against PyTorch bfloat16, eager"]["met"] is False
    compiled = found[f"{step}, against PyTorch bfloat16, channels last, torch.compile"]
    assert compiled["reached"] is None
    assert compiled["met"] is None
    best = found[f"{step}, float32 against PyTorch float32, its best layout"]
    assert best["against"] == "torch-float32-nhwc"
    assert found[f"{step}, over floor"]["reached"] == pytest.approx(0.9 / 0.5)
    assert found["input pipeline from cache"]["reached"] == pytest.approx(20)
    assert found["peak memory, training step, 128 px, batch 1"]["reached"] == pytest.approx(2.0)


def test_markdown_has_every_row_and_reason(results):
    text = report.markdown(results)
    for expected in (
        "ours-bfloat16 (default)",
        "no gcc",
        "not alternated",
        "Step over floor",
        "images/s",
        "1000.0",
    ):
        assert expected in text
    columns = {
        line.count("|") for line in text.split("### ")[1].splitlines() if line.startswith("|")
    }
    assert len(columns) == 1


def test_markdown_of_an_unfinished_run(results):
    results |= {"cases": {}, "interrupted": "stopped by Ctrl-C"}
    text = report.markdown(results)
    assert "Not complete: stopped by Ctrl-C." in text
    assert "not measured" in text


def test_table_mode_prints_an_earlier_report(results, tmp_path, capsys):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(results))
    assert bench.main(["--table", str(path)]) == 0
    assert capsys.readouterr().out == report.markdown(results)


def test_chart(results, tmp_path):
    pytest.importorskip("matplotlib")
    chart.draw(results, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size > 5000


def test_without_torch_one_sentence_and_2(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(bench.importlib.util, "find_spec", lambda name: None)
    assert bench.main(["--out", str(tmp_path)]) == 2
    assert (
        capsys.readouterr().err
        == 'error: PyTorch is not installed: pip install ".[bench]" (in the clone of cyclegan_tf)\n'
    )


# Processes.

PRETENDER = """
import json, sys
job = json.loads(sys.argv[1])
slow = {"torch": 0.2, "ours": 0.1}
for line in sys.stdin:
    if job["framework"] == "keras":
        print(json.dumps({"error": "MemoryError: too large"}), flush=True)
        break
    if job["compiled"]:
        sys.exit(3)
    count = json.loads(line)["count"]
    print(json.dumps({"seconds": [slow[job["framework"]]] * count, "peak_rss_bytes": 5 * 2**30}),
    flush=True)
"""


@pytest.fixture
def pretenders(tmp_path, monkeypatch):
    """Workers that only claim to have worked."""
    (tmp_path / "worker.py").write_text(PRETENDER)
    monkeypatch.setattr(measure, "WORKER", (str(tmp_path / "worker.py"),))
    return tmp_path / "log"


def measured(log, *names, memory=10**12, rounds=3, monkeypatch=None):
    monkeypatch.setattr(measure, "memory_bytes", lambda field: memory)
    found = measure.Measurement(
        CASE, [CONTENDERS[name] for name in names], log, lambda text: None, rounds
    ).run()
    return found, {row["contender"]: row for row in found["rows"]}


def test_failures_become_rows(pretenders, monkeypatch):
    names = (REFERENCE, "ours-float32", "torch-bfloat16-nhwc-compile", "keras-float32")
    found, rows = measured(pretenders, *names, monkeypatch=monkeypatch)
    assert rows["ours-float32"]["ratio"] == pytest.approx(2.0)
    assert len(rows["ours-float32"]["seconds"]) == 6
    assert rows["keras-float32"]["error"] == "MemoryError: too large"
    assert rows["torch-bfloat16-nhwc-compile"]["error"] == "ended with status 3"
    assert found["groups"] == [[REFERENCE, "ours-float32"]]


def test_groups_share_the_reference_where_memory_is_short(pretenders, monkeypatch):
    names = (REFERENCE, "ours-float32", "ours-bfloat16")
    # 5 GiB each, and a quarter more is expected of the next: two fit
    found, rows = measured(pretenders, *names, memory=13 * 2**30, monkeypatch=monkeypatch)
    assert found["groups"] == [[REFERENCE, "ours-float32"], [REFERENCE, "ours-bfloat16"]]
    assert rows["ours-bfloat16"]["alternated_with_reference"]
    assert len(rows[REFERENCE]["seconds"]) == 2 * len(rows["ours-bfloat16"]["seconds"])
    found, rows = measured(pretenders, *names, memory=8 * 2**30, monkeypatch=monkeypatch)
    assert found["groups"] == [[name] for name in names]
    assert rows["ours-bfloat16"]["ratio"] == pytest.approx(2.0)
    assert not rows["ours-bfloat16"]["alternated_with_reference"]


def test_real_worker_answers(tmp_path):
    process = measure.Worker(Job("facts", **TINY), tmp_path / "log")
    try:
        answer = process.ask()
    finally:
        process.close()
    assert answer["default"] in CONTENDERS
    assert floor.Macs(**answer["macs"]) == ours.count_macs(Job("facts", **TINY))
    assert answer["peak_rss_bytes"] > 10**8


def test_our_step_is_timed_and_its_losses_finite():
    turn = worker.timed(Job("step", **TINY), "training_step")
    answer = turn(2)
    assert len(answer["seconds"]) == 2
    assert set(agreement.TERMS) <= set(answer["values"])


def test_a_loss_that_is_not_finite_is_no_result(monkeypatch):
    monkeypatch.setattr(ours, "training_step", lambda job: lambda: {"cycle_x": float("nan")})
    with pytest.raises(ArithmeticError, match="cycle_x not finite"):
        worker.timed(Job("step"), "training_step")(1)


def test_our_input_pipeline_counts_both_domains(tmp_path):
    ours.draw_images(tmp_path / "drawn", 2, 32)
    turn = worker.timed(
        Job(
            "loader",
            folder=str(tmp_path / "drawn"),
            target=str(tmp_path / "run"),
            cache="memory",
            **TINY,
        ),
        "loader",
    )
    assert turn(1)["values"]["images"] == 4


# Agreement.


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread", "step_by_step")
def test_tiny_networks_agree():
    found = agreement.check(
        Job("agreement", **TINY), batches=[1]
    )  # `make bench` checks two as well
    for name in ("torch nchw", "torch nhwc", "keras"):
        assert found[name]["worst_loss_difference"] < agreement.LOSS_TOLERANCE
        assert found[name]["worst_step_difference"] < agreement.STEP_TOLERANCE


@pytest.mark.usefixtures("one_thread")
def test_a_wrong_weight_of_a_loss_is_noticed(monkeypatch):
    from benchmarks.peers import torch_cyclegan

    monkeypatch.setattr(torch_cyclegan, "IDENTITY_WEIGHT", 4.8)
    with pytest.raises(
        agreement.DisagreementError, match="weights of the loss terms disagree: identity"
    ):
        agreement.check(Job("agreement", **TINY))


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread", "step_by_step")
def test_wrong_gradients_behind_right_losses_are_noticed(monkeypatch):
    import torch

    from benchmarks.peers import torch_cyclegan

    class WrongGradient(torch.nn.InstanceNorm2d):
        def forward(self, x):
            normalized = super().forward(x)
            if normalized.requires_grad:
                normalized.register_hook(lambda gradient: gradient.flip(2))
            return normalized

    monkeypatch.setattr(torch_cyclegan, "FixedInstanceNorm", WrongGradient)
    with pytest.raises(agreement.DisagreementError, match="ours and torch nhwc at batch 1"):
        agreement.check(Job("agreement", **TINY))


def test_a_wrong_loss_is_noticed():
    with pytest.raises(
        agreement.DisagreementError,
        match=r"losses disagree: cycle_y is 0\.5 in one, 0\.4 in the other",
    ):
        agreement.compare_numbers(
            "losses", {"cycle_x": 1.0, "cycle_y": 0.5}, {"cycle_x": 1.0, "cycle_y": 0.4}, 1e-4
        )


def test_weights_that_step_elsewhere_are_noticed():
    start, step = np.zeros((3, 3, 1, 1)), np.ones((3, 3, 1, 1))
    assert agreement.compare_steps("same", [start], [step], [step]) == 0
    with pytest.raises(agreement.DisagreementError, match="after one Adam step"):
        agreement.compare_steps("different", [start], [step], [1.5 * step])
    with pytest.raises(agreement.DisagreementError):
        agreement.compare_steps("no step at all", [start], [start], [start])
