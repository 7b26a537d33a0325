"""The command on this machine: text, JSON, exit status."""

import json

import pytest

from cyclegan_tf.doctor import command as doctor
from cyclegan_tf.doctor import step_test
from cyclegan_tf.doctor.findings import Finding
from tests.helpers.errors import refused

ROWS = [
    {"device": "CPU", "precision": "float32", "jit": False, "first_s": 2.0, "step_s": 0.05,
     "apart": None},
    {"device": "GPU", "precision": "mixed_bfloat16", "jit": True, "first_s": 20.0,
     "step_s": 0.002, "apart": 0.004},
    {"device": "GPU", "precision": "float32", "jit": True, "error": "no kernel image"},
]  # fmt: skip


@pytest.fixture
def steps(monkeypatch):
    """Three rows, in place of real steps; returns the list of seconds that were asked for."""
    asked = []

    def run(seconds, say):
        asked.append(seconds)
        for row in ROWS:
            say(row)
        return ROWS

    monkeypatch.setattr(step_test, "run", run)
    return asked


def test_the_options_are_frozen():
    assert sorted(doctor.build_parser().option_names()) == ["--json", "--seconds"]


def test_a_report_for_people(steps, capsys):
    assert doctor.main([]) == 2
    assert steps == [30.0]
    said = capsys.readouterr().out
    labels = [line.split()[0] for line in said.splitlines() if line and line[0] != " "]
    assert labels[:4] == ["versions", "processor", "GPU", "CUDA"]
    assert "precision   " in said
    assert "CPU float32, XLA off: 50.0 ms, the first 2.0 s\n" in said
    assert "losses within 0.004 of the processor's in float32" in " ".join(said.split())
    assert "A training step failed (GPU, float32, XLA on): no kernel image" in said
    assert said.endswith("Trainings would fail or be wrong here; see the errors.\n")


def test_json_without_steps(steps, capsys):
    status = doctor.main(["--json", "--seconds=0"])
    assert steps == []
    report = json.loads(capsys.readouterr().out)
    assert list(report) == [
        "versions", "processor", "gpus", "cuda", "chosen", "steps", "findings", "status",
    ]  # fmt: skip
    assert (report["steps"], report["status"]) == ([], status)
    assert report["processor"]["cores"] >= 1
    assert report["versions"]["tensorflow"].startswith("2.")
    assert set(report["chosen"]) == {"precision", "XLA"}


def test_gpus_and_findings_have_lines_of_their_own():
    report = {
        "versions": {"tensorflow": "2.21.0", "keras": None},
        "processor": {"name": "Some CPU", "cores": 8, "features": [], "memory_gib": None},
        "gpus": {
            "driver_knows": [{"name": "H100", "driver": "570.1", "memory_gib": 79.6}],
            "seen": [{"name": "H100", "compute_capability": "9.0"}],
        },
        "cuda": {"built_for": "CUDA 12.5.1, cuDNN 9", "installed": {"cudnn": "9.3"}},
        "chosen": {"precision": "mixed_bfloat16 (the GPU has bfloat16 tensor cores)"},
    }
    assert doctor._lines_of_facts(report) == [
        "versions    tensorflow 2.21.0",
        "processor   Some CPU, 8 cores (no AVX2), memory unknown",
        "GPU         H100, 79.6 GiB, driver 570.1",
        "GPU         TensorFlow sees H100, compute capability 9.0",
        "CUDA        TensorFlow is built for CUDA 12.5.1, cuDNN 9; here: cudnn 9.3",
        "precision   mixed_bfloat16 (the GPU has bfloat16 tensor cores)",
    ]
    lines = doctor._lines_of_findings([Finding("warning", "Slow.")], 1)
    assert lines[0] == "\nwarning:    Slow."
    assert lines[-1].startswith("Trainings run, but slower")


def test_no_time_is_less_than_none():
    with refused("invalid", "--seconds"):
        doctor.main(["--seconds=-1"])
