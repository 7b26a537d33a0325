"""One training from start to exit, in the order that its function lists."""

import dataclasses

import pytest

from cyclegan_tf.errors import UserError
from cyclegan_tf.train import session
from cyclegan_tf.train.plan import plan_training
from tests.helpers import tiny


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


def test_resume_required_needs_a_checkpoint(tiny_run_copy):
    for path in (tiny_run_copy / "checkpoints").glob("step_*.npz"):
        path.unlink()
    planned = plan_training(["--run_dir", str(tiny_run_copy), "--resume", "required"])
    with pytest.raises(UserError) as caught:
        session.train(dataclasses.replace(planned))
    assert (caught.value.code, caught.value.field) == ("missing", "--resume")
