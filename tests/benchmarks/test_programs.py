"""Every program of benchmarks/ can be imported, and those of the Makefile run to their end."""

import importlib
import importlib.util
import json
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import benchmarks
from benchmarks.speed import agreement, bench, measure, rates, worker

ROOT = Path(__file__).parents[2]
MODULES = [module.name for module in pkgutil.walk_packages(benchmarks.__path__, "benchmarks.")]


@pytest.mark.parametrize("name", MODULES)
def test_module_can_be_imported(name):
    if "torch" in name or name == "benchmarks.deploy.phone":
        pytest.importorskip("torch")
    importlib.import_module(name)


def test_the_makefile_names_programs_that_are_there():
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = re.findall(r"python -m (benchmarks[\w.]+)", text)
    assert {"benchmarks.speed.bench", "benchmarks.deploy.phone"} <= set(named)
    for name in named:
        spec = importlib.util.find_spec(name)
        assert spec is not None, name
        assert '__name__ == "__main__"' in Path(spec.origin).read_text(encoding="utf-8"), name


def test_a_program_starts_from_the_root_of_a_clone():
    """Without TensorFlow, so that it takes no time: help needs neither it nor PyTorch."""
    words = [sys.executable, "-c", "import runpy, sys; sys.argv[1:] = ['--help']\n"]
    words[2] += "try: runpy.run_module('benchmarks.speed.bench', run_name='__main__')\n"
    words[2] += "finally: print('tensorflow' in sys.modules, 'torch' in sys.modules)"
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--quick" in done.stdout
    assert done.stdout.endswith("False False\n")


class InProcess:
    """A worker that does its job here: another process would import TensorFlow once more."""

    def __init__(self, job, log):
        self.job, self.started = job, 0.0
        self._turn = worker.JOBS[job.kind](job)

    def ask(self, count=1):
        return {**self._turn(count), "peak_rss_bytes": 1}

    def close(self):
        pass


@pytest.mark.usefixtures("one_thread")
def test_bench_runs_to_its_end(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(measure, "Worker", InProcess)
    monkeypatch.setattr(measure, "PATIENCE_S", 0)
    # The agreement has tests of its own, a rate is the same for fewer repetitions, and the whole
    # command of a folder is `cyclegan_tf.translate`.
    peers = {"worst_loss_difference": 0.0, "worst_step_difference": 0.0}
    found = {"parameters": {"generator": 1, "discriminator": 1}}
    found |= dict.fromkeys(("torch nchw", "torch nhwc", "keras"), peers)
    monkeypatch.setattr(agreement, "check", lambda job: found)
    monkeypatch.setattr(rates, "MIN_SECONDS", 0.0)
    monkeypatch.setattr(rates, "REPEATS", 1)
    monkeypatch.setattr(bench, "_command_seconds", lambda job: 1.0)
    words = ["--quick", "--rounds", "1", "--out", str(tmp_path)]
    words += ["--cases", "step-128-1,translation-256,folder,pipeline-cache"]
    assert bench.main([*words, "--contenders", "ours-auto,torch-float32-nchw"]) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results["cases"]) == {"step-128-1", "translation-256", "folder", "pipeline-cache"}
    for name, case in results["cases"].items():
        assert [row.get("error") for row in case["rows"]] == [None, None], name
    assert "Numbers to reach" in capsys.readouterr().out


def test_phone_runs_to_its_end(monkeypatch, tmp_path, capsys):
    pytest.importorskip("torch")
    from benchmarks.deploy import phone

    tiny = {"filters": 2, "blocks": 1}
    monkeypatch.setattr(phone, "PAPER", tiny)
    monkeypatch.setattr(phone, "ARCHITECTURES", {"resnet_6blocks, tiny": tiny})
    monkeypatch.setattr(phone, "VARIANTS", ("int8",))  # float32 is what the ways are written in
    assert phone.main(["--size_px", "32", "--rounds", "1", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "phone.json").read_text())
    assert set(phone.WAYS) < set(found["ways"])
    assert all(row["ms"] > 0 for row in found["ways"].values())
    assert "resnet_6blocks, tiny" in capsys.readouterr().out
