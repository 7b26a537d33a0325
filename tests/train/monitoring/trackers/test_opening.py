"""Trainings that go to a tracker, which is a fake; the real ones are asked beside this."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import command
from cyclegan_tf.train.monitoring.trackers.opening import open_trackers
from tests import helpers
from tests.helpers import tiny, watched
from tests.helpers.errors import refused


@pytest.fixture
def wandb(monkeypatch):
    monkeypatch.syspath_prepend(Path(helpers.__file__).parent / "fake_trackers")
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    fake = importlib.import_module("wandb")
    yield fake
    del sys.modules["wandb"]


@pytest.mark.usefixtures("step_by_step")
def test_a_stopped_and_resumed_training_is_one_run_without_repetition(
    tmp_path, monkeypatch, wandb, capsys
):
    watched.pixelwise(monkeypatch, 0.5)
    source = watched.folder(tmp_path / "images", watched.smooth, watched.smooth)
    more = "--logging.to=wandb --training.max_steps=6 --logging.sample_every_steps=2".split()
    rows = ["--logging.log_every_steps=2", f"--data.source={source}"]
    words = [*watched.WORDS, *rows, *more, f"--run_dir={tmp_path / 'mine'}"]
    assert tiny.interrupted(monkeypatch, words, 3) == 143
    assert "wandb     https://wandb.test/run0" in capsys.readouterr().out
    (run,) = wandb.RUNS.values()
    sent = len(run.history)
    assert command.main(words) == 0
    assert [*wandb.RUNS] == ["run0"]
    assert run.exits == [1, 0]
    assert run.given["name"] == "mine"
    assert run.given["config"]["discriminator.filters"] == 4
    steps = {}
    for entry in run.history:
        for name in entry.keys() - {"step"}:
            steps.setdefault(name, []).append(entry["step"])
    assert all(each == sorted(set(each)) for each in steps.values()), steps
    assert steps["train/loss/cycle_x"] == [2, 4, 6]
    assert steps["test/score/color_swd_xy"][-1] == steps["samples_yx"][-1] == 6
    assert len(run.history) > sent > 0
    kept = json.loads((tmp_path / "mine" / "trackers" / "wandb.json").read_text())
    assert (kept["id"], kept["sent"]["train/loss/cycle_x"]) == ("run0", 6)
    assert not (tmp_path / "mine" / "logs").exists()  # nobody asked for TensorBoard


def test_a_tracker_that_is_new_to_the_run_and_does_not_answer_refuses_the_start(
    tiny_run_copy, wandb, monkeypatch
):
    monkeypatch.setattr(wandb, "BROKEN", [ConnectionError("no key\nis configured.")])
    with refused(
        "unwritable",
        "logging.to",
        match="^--logging.to wandb: no run can be begun there .no key is configured.; see to it",
    ):
        open_trackers(["tensorboard", "wandb"], RunDirectory(tiny_run_copy))


def test_a_tracker_that_knows_the_run_and_does_not_answer_is_done_without(
    tiny_run_copy, wandb, monkeypatch, caplog
):
    run = RunDirectory(tiny_run_copy)
    (opened,) = open_trackers(["wandb"], run)
    opened.close(finished=False)
    monkeypatch.setattr(wandb, "BROKEN", [ConnectionError("no route to host")])
    assert open_trackers(["wandb"], run) == []
    assert caplog.messages == [
        "wandb does not answer (no route to host); this training goes on without it"
    ]
