"""One training from start to exit, in the order that its function lists."""

import dataclasses
import json
import os
import shutil
import signal
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tifffile
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cyclegan_tf.errors import UserError
from cyclegan_tf.images.ranges import RangePair, ValueRange
from cyclegan_tf.runs import checkpoints, targets
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import command as train
from cyclegan_tf.train import session, trainer
from cyclegan_tf.train.monitoring.monitor import TrainingMonitor
from cyclegan_tf.train.plan import plan_training
from tests.helpers import tiny
from tests.helpers.errors import refused


def test_the_order_of_events(tiny_run, tmp_path, monkeypatch, capsys):
    events = []

    def noted(owner, name, label):
        plain = getattr(owner, name)

        def call(*args, **kwargs):
            events.append(label)
            return plain(*args, **kwargs)

        monkeypatch.setattr(owner, name, call)

    noted(session.training_data, "open_training_data", "open data")
    noted(session, "resolve_auto_fields", "resolve auto fields")
    noted(session.assembly, "build_model", "build model")
    noted(session, "load_initial_weights", "initialize weights")
    monkeypatch.setattr(session.Trainer, "train", lambda self: events.append("train") or 0)
    noted(session, "Trainer", "trainer")
    noted(session, "initialize_from_data", "initialize from data")
    planned = plan_training(tiny.words(tiny_run.parent / "images", tmp_path / "run"))
    assert session.train(planned) == 0
    assert events == [
        "open data",
        "resolve auto fields",
        "build model",
        "initialize weights",
        "trainer",
        "initialize from data",
        "train",
    ]
    assert planned.run.exists()


def test_a_start_that_fails_leaves_no_run(tmp_path):
    planned = plan_training(tiny.words(tmp_path / "nowhere", tmp_path / "run"))
    with pytest.raises(UserError) as caught:
        session.train(planned)
    assert caught.value.code == "missing"
    assert not planned.run.exists()


def test_a_finished_run_is_not_trained_again(tiny_run_copy, monkeypatch):
    monkeypatch.setattr(session.Trainer, "train", lambda self: pytest.fail("trained"))
    assert session.train(plan_training(["--run_dir", str(tiny_run_copy)])) == 0


def test_ranges_are_measured_once_and_go_with_the_run(tmp_path, monkeypatch, step_by_step):
    source = tiny.scans(tmp_path / "images")
    ranges = ("--data.range_x=auto", "--data.range_y=[0, 2]", "--training.checkpoint_every_steps=1")
    words = tiny.words(source, tmp_path / "run", "--training.max_steps=2", *ranges, "--quiet")
    assert train.main(words) == 0
    run = RunDirectory(tmp_path / "run")
    data = run.experiment().data
    assert (data.channels_x, data.channels_y, data.range_y) == (1, 1, (0, 2))
    low, high = data.range_x
    assert -1000 <= low < high <= 400
    pair = RangePair(ValueRange(low, high, "int16"), ValueRange(0, 2, "float32"))
    for path in (run.path, run.path / "generator_xy.keras"):
        assert targets.ranges(path, "xy") == pair
    assert targets.ranges(run.path, "yx") == RangePair(pair.target, pair.source)

    cut = tiny.rewound(run.path, tmp_path / "cut", 1)
    brighter = np.full((20, 20), 9000, np.int16)  # would give another range
    tifffile.imwrite(source / "trainA/0.tif", brighter)
    trainer = tiny.started(monkeypatch, [f"--run_dir={cut}", "--data.range_x=auto"])
    assert trainer.experiment.data.range_x == (low, high)
    assert trainer.data.source.train_x.value_range == pair.source
    with refused("mismatch", "data.range_y"):
        train.main([f"--run_dir={cut}", "--data.range_y=[0, 3]"])


def outcome(run):
    """What a run has come to; of files that hold times, their weights."""
    saved = {path.name: keras.saving.load_model(path).get_weights() for path in run.glob("*.keras")}
    best, _ = checkpoints.read(checkpoints.best_file(run / "checkpoints"))
    samples = {path.name: path.read_bytes() for path in (run / "samples").iterdir()}
    return saved, best, samples


def assert_finished_like(run, other):
    tiny.assert_same_outcome(run, other)
    (saved, best, samples), (saved_2, best_2, samples_2) = outcome(run), outcome(other)
    assert (set(saved), set(best), samples) == (set(saved_2), set(best_2), samples_2)
    for name in saved:
        for a, b in zip(saved[name], saved_2[name], strict=True):
            np.testing.assert_array_equal(a, b)
    for name, array in best.items():
        np.testing.assert_array_equal(array, best_2[name])
    state, state_2 = (
        checkpoints.read_state(checkpoints.list_checkpoints(each / "checkpoints")[0])
        for each in (run, other)
    )
    assert {**state, "seconds": 0} == {**state_2, "seconds": 0}
    assert RunDirectory(run).finished_step() == RunDirectory(other).finished_step() == 3


def as_before_the_end(run):
    """The state of a last checkpoint that was saved when the last step was done."""
    (path, *_) = checkpoints.list_checkpoints(run / "checkpoints")
    arrays, state = checkpoints.read(path)
    state |= {"best": {"score": None, "step": 0, "stale": 0}, "scored_at": None, "tested_at": None}
    checkpoints.write(path.parent, 3, arrays, state, keep=None)


@pytest.mark.parametrize("killed_in", ["samples", "scores", "generators"])
def test_an_end_that_was_killed_is_repeated(tiny_run, tiny_run_copy, killed_in, capsys):
    run = RunDirectory(tiny_run_copy)
    run.finished_path.unlink()
    lines = run.metrics_path.read_text().splitlines(keepends=True)
    (run.path / "generator_yx.keras").unlink()
    if killed_in in ("samples", "scores"):
        as_before_the_end(run.path)
        (run.path / "generator_xy.keras").unlink()
    if killed_in == "samples":
        shutil.rmtree(run.samples)
        lines = [line for line in lines if '"train"' in line]
        shutil.rmtree(run.checkpoints / "best")
    run.metrics_path.write_text("".join(lines))
    assert train.main(["--run_dir", str(run.path)]) == 0
    assert_finished_like(run.path, tiny_run)
    capsys.readouterr()
    assert train.main(["--run_dir", str(run.path)]) == 0
    assert "this run is finished" in capsys.readouterr().out


def test_a_signal_in_the_end_saves_and_the_rest_is_done_later(
    tiny_run, tiny_run_copy, monkeypatch, capsys
):
    run, plain = RunDirectory(tiny_run_copy), TrainingMonitor.evaluate_test_losses
    run.finished_path.unlink()
    as_before_the_end(run.path)
    for path in run.path.glob("*.keras"):
        path.unlink()

    def stopped(self, *args):
        plain(self, *args)
        os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched:
        patched.setattr(TrainingMonitor, "evaluate_test_losses", stopped)
        assert train.main(["--run_dir", str(run.path)]) == 143
    assert "go on with" in capsys.readouterr().out
    assert (run.finished_step(), list(run.path.glob("*.keras"))) == (None, [])
    assert train.main(["--run_dir", str(run.path)]) == 0
    assert_finished_like(run.path, tiny_run)


def test_from_the_first_step_again_no_row_and_no_point_is_doubled(tiny_run, tiny_run_copy):
    """Ended before the first checkpoint."""
    shutil.rmtree(tiny_run_copy / "checkpoints")
    (tiny_run_copy / "finished.json").unlink()
    assert train.main(["--run_dir", str(tiny_run_copy)]) == 0
    assert_finished_like(tiny_run_copy, tiny_run)
    for kind in ("train", "test"):
        points = EventAccumulator(str(tiny_run_copy / "logs" / kind), {"tensors": 0})
        points.Reload()
        for tag in points.Tags()["tensors"]:
            if not tag.startswith("warning/"):
                steps = [event.step for event in points.Tensors(tag)]
                assert steps == sorted(set(steps)), tag


def test_a_replaced_image_is_noted(tiny_run_copy, capsys):
    run = RunDirectory(tiny_run_copy)
    record = json.loads(run.data_path.read_text())
    record["sums"]["train_x"][2] = f"{record['sums']['train_x'][2].split()[0]} 0123456789abcdef"
    run.data_path.write_text(json.dumps(record))
    assert train.main(["--run_dir", str(run.path)]) == 0
    assert "images were replaced since this run began (trainA/2.png)" in capsys.readouterr().out


def test_resume_required_needs_a_checkpoint(tiny_run_copy):
    for path in (tiny_run_copy / "checkpoints").glob("step_*.npz"):
        path.unlink()
    planned = plan_training(["--run_dir", str(tiny_run_copy), "--resume", "required"])
    with pytest.raises(UserError) as caught:
        session.train(dataclasses.replace(planned))
    assert (caught.value.code, caught.value.field) == ("missing", "--resume")


@pytest.fixture
def minute_steps(monkeypatch):
    """A clock by which every step takes a minute."""
    now, plain = [0.0], trainer.Trainer._set_learning_rate

    def step(self):
        now[0] += 60
        return plain(self)

    monkeypatch.setattr(trainer, "time", SimpleNamespace(monotonic=lambda: now[0]))
    monkeypatch.setattr(trainer.Trainer, "_set_learning_rate", step)


@pytest.mark.usefixtures("step_by_step")
def test_a_finished_run_goes_on_for_more_minutes_and_a_stop_in_them_changes_nothing(
    tiny_run_copy, tmp_path, minute_steps, capsys
):
    """Of a run of 3 steps, by steps; killed after the sixth, the option is given no more."""
    words = ["--training.checkpoint_every_steps=1", "--training.keep_checkpoints=9",
             "--logging.log_every_steps=1"]  # fmt: skip
    begun = ["--run_dir", str(tiny_run_copy), *words]
    assert train.main([*begun, "--training.more_minutes=5"]) == 0
    assert "5 more minutes, to minute" in capsys.readouterr().out
    run = RunDirectory(tiny_run_copy)
    assert run.finished_step() == 8
    rates = [row["learning_rate"] for row in tiny.outcome(run.path)[2] if row["kind"] == "train"]
    assert len(rates) == 2 + 5  # every two before
    assert rates[2:] == sorted(rates[2:], reverse=True)
    assert run.experiment().training.more_minutes is None
    killed = tiny.rewound(run.path, tmp_path / "killed", 6)
    (killed / "finished.json").unlink()
    assert train.main(["--run_dir", str(killed), *words]) == 0
    tiny.assert_same_outcome(run.path, killed)
    capsys.readouterr()
    assert train.main(["--run_dir", str(killed)]) == 0
    assert "this run is finished (step 8); --training.more_minutes" in capsys.readouterr().out


def test_killed_before_the_first_step_of_more_minutes_it_goes_on_all_the_same(
    tiny_run_copy, monkeypatch
):
    def killed(self):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(trainer.Trainer, "_loop", killed)
        with pytest.raises(KeyboardInterrupt):
            train.main(["--run_dir", str(tiny_run_copy), "--training.more_minutes=5"])
    resumed = tiny.started(monkeypatch, ["--run_dir", str(tiny_run_copy)])
    assert not resumed.finished
    assert resumed.budget.seconds == pytest.approx(resumed.seconds + 300)


def test_patience_begins_anew_with_more_minutes(tiny_run_copy, monkeypatch):
    run = RunDirectory(tiny_run_copy)
    (path, *_) = checkpoints.list_checkpoints(run.checkpoints)
    arrays, state = checkpoints.read(path)
    state["best"]["stale"] = 2
    checkpoints.write(path.parent, 3, arrays, state, keep=None)
    text = run.config_path.read_text().split("\n", 1)[1]
    run.config_path.write_text(text.replace("patience: null", "patience: 2"))
    begun = ["--run_dir", str(run.path)]
    assert tiny.started(monkeypatch, [*begun, "--training.more_minutes=5"]).finished is False


@pytest.mark.parametrize(
    ("step", "minutes", "said"), [(1, 0.2, "only 1 step was"), (20, 0.2, ""), (3, None, "")]
)
def test_minutes_that_bought_nothing_are_a_warning(step, minutes, said, caplog):
    training = SimpleNamespace(max_minutes=minutes)
    trainer = SimpleNamespace(
        step=step,
        budget=SimpleNamespace(steps=1000),
        experiment=SimpleNamespace(training=training),
    )
    session._warn_of_few_steps(trainer)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * bool(said)
    assert said in caplog.text


def test_a_planned_number_of_steps_is_enough(caplog):
    training = SimpleNamespace(max_minutes=60.0)
    trainer = SimpleNamespace(
        step=3, budget=SimpleNamespace(steps=3), experiment=SimpleNamespace(training=training)
    )
    session._warn_of_few_steps(trainer)
    assert caplog.text == ""
