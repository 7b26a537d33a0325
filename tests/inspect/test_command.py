"""The command: table or JSON, and one sentence for every mistake."""

import json
import subprocess
import sys

import pytest

from cyclegan_tf.inspect import command as inspect
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.plan import plan_training
from tests.helpers import tiny
from tests.helpers.errors import refused


@pytest.fixture
def run(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.create(
        plan_training([*tiny.WORDS, "--data.source", "x"]).experiment,
        {"train_x": ["a"], "train_y": ["b"], "test_x": [], "test_y": []},
    )
    return run.path


def test_the_options_are_frozen():
    assert sorted(inspect.build_parser().option_names()) == ["--json", "--norm", "--size_px"]


def test_a_table_for_people(run, capsys):
    assert inspect.main([str(run), "--size_px", "16"]) == 0
    report = capsys.readouterr().out
    assert report.startswith(f"{run}: run directory\n")
    row = next(line for line in report.splitlines() if line.startswith("  generator_xy"))
    assert "residual generator, 1 blocks, 2 filters, instance norm" in row
    assert "there is no checkpoint yet" in report
    assert "tensorflow 2." in report


def test_json_for_machines(run, capsys):
    assert inspect.main([str(run), "--size=20", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["kind"] == "run directory"
    assert {row["macs_at_px"] for row in report["networks"]} == {20}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["no/where"], "no/where does not exist"),
        ([".", "--size_px", "0"], "--size_px must be 1 or more, and is 0"),
        ([".", "--sizepx", "3"], "unknown option --sizepx; did you mean --size_px"),
        ([__file__], "cannot be inspected; give a run directory"),
    ],
)
def test_mistakes_are_one_sentence(words, message):
    with refused(["invalid", "missing", "unknown", "unsupported"], match=message) as caught:
        inspect.main(words)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_as_a_process_it_says_nothing_but_its_report(run):
    command = [sys.executable, "-m", "cyclegan_tf.inspect"]
    good = subprocess.run(
        [*command, str(run), "--size_px", "16"], capture_output=True, text=True, check=False
    )
    assert (good.returncode, good.stderr) == (0, "")
