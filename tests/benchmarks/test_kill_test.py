"""The kill test, in small: what it compares, when it kills, and a kill of a real training."""

import sys

import pytest

from benchmarks.quality.kill_test import Moment, differences, outcome
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.run_directory import RunDirectory
from tests.helpers.preloaded import Process


def test_an_outcome_equals_that_of_a_copy_and_each_change_is_named(tiny_run, tiny_run_copy):
    wanted = outcome(tiny_run)
    assert wanted["finished"] == 3
    assert {"rows", "points", "files", "last checkpoint: state"} <= set(wanted)
    assert sum(name.startswith("generator_xy.keras: ") for name in wanted) > 10
    assert differences(wanted, outcome(tiny_run_copy)) == []
    run = RunDirectory(tiny_run_copy)
    (sample, *_) = sorted(run.samples.iterdir())
    sample.write_bytes(b"other")
    run.metrics_path.write_text(run.metrics_path.read_text() * 2)
    (path,) = checkpoints.list_checkpoints(run.checkpoints)
    arrays, state = checkpoints.read(path)
    arrays["penalty_seed"] = arrays["penalty_seed"] + 1
    checkpoints.write(path.parent, 3, arrays, state, keep=None)
    (run.path / "generator_yx.keras").unlink()
    found = differences(wanted, outcome(run.path))
    assert {"files", "last checkpoint: penalty_seed", "rows", f"samples/{sample.name}"} < set(found)
    assert all(name.startswith("generator_yx.keras: ") for name in found[1:-4])


@pytest.mark.parametrize(
    ("kind", "hits"),
    [("start", ["data.json"]), ("checkpoint", ["checkpoints/a"]), ("best", ["checkpoints/best/a"])],
)
def test_a_moment_comes_before_an_operation_of_its_kind(tmp_path, monkeypatch, kind, hits):
    kills = []
    monkeypatch.setattr(Moment, "_kill", lambda self: kills.append(1))
    (tmp_path / "checkpoints" / "best").mkdir(parents=True)
    moment, found = Moment(tmp_path, kind, 1, last=3), []
    for name in ("data.json", "checkpoints/a", "checkpoints/best/a"):
        if kind != "start" and name == "checkpoints/a":
            (tmp_path / "config.yaml").touch()
        moment._look("os.rename", (str(tmp_path / name), "other"))
        found += [name] * len(kills)
        kills.clear()
    assert found == hits if kind != "start" else found[:1] == hits
    moment._look("open", (3,))
    moment._look("os.rename", (str(tmp_path.parent / "elsewhere"), "other"))
    moment._look("socket.connect", (str(tmp_path / "data.json"),))
    assert kills == []


def test_the_end_begins_with_the_last_checkpoint(tmp_path, monkeypatch):
    kills = []
    monkeypatch.setattr(Moment, "_kill", lambda self: kills.append(1))
    (tmp_path / "checkpoints").mkdir()
    moment = Moment(tmp_path, "end", 2, last=3)
    for name in ("a", "checkpoints/step_000000003.npz", "b", "c"):
        moment._look("open", (str(tmp_path / name), "w"))
        if name.endswith("npz"):
            (tmp_path / name).touch()
    assert kills == [1]


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_a_kill_of_a_real_training(tiny_run, tmp_path):
    log = tmp_path / "log"
    # of this seed the first moment is the end, whose repetition is short
    with log.open("w") as file:
        words = ["--kills", 1, "--like", tiny_run, "--out", tmp_path / "out", "--seed", 98]
        process = Process("benchmarks.quality.kill_test", words, file.fileno())
    status = process.wait(240)
    assert status == 0, log.read_text() + "".join(p.read_text() for p in tmp_path.glob("out/*.log"))
    assert "1 kills (0 step, 0 start, 0 checkpoint, 0 best, 1 end) of 1" in log.read_text()
    assert "unequal afterwards: 0" in log.read_text()
    assert list((tmp_path / "out").iterdir()) == []
