"""`cyclegan_tf.train` and what a run can do."""

import pytest

import cyclegan_tf
import cyclegan_tf.train.command  # whoever imports the folder has not hidden the function
from tests.helpers import tiny
from tests.helpers.errors import refused


@pytest.fixture
def options():
    """The tiny experiment, as a program gives it."""
    return dict(word.removeprefix("--").split("=") for word in tiny.WORDS)


@pytest.fixture
def images(tmp_path):
    return tiny.folder(tmp_path / "images", (5, 4, 0, 0))


@pytest.mark.usefixtures("step_by_step")
def test_it_trains_what_the_command_trains_and_goes_on(images, options, tmp_path):
    run = cyclegan_tf.train(images, tmp_path / "run", steps=2, options=options, quiet=True)
    assert tiny.train.main(tiny.words(images, tmp_path / "b", "--training.max_steps=2")) == 0
    tiny.assert_same_outcome(run.path, tmp_path / "b")
    again = cyclegan_tf.train(run_dir=run.path, quiet=True)
    assert (again.path, again.directions) == (run.path, ("xy", "yx"))


def test_a_signal_is_an_exception(images, options, tmp_path, monkeypatch):
    for status, error in ((130, KeyboardInterrupt), (143, ValueError)):
        monkeypatch.setattr("cyclegan_tf.train.command.train", lambda _, status=status: status)
        with pytest.raises(error):
            cyclegan_tf.train(images, tmp_path / "run", options=options)


def test_more_minutes_are_those_of_the_command(tiny_run, monkeypatch):
    plans = []
    monkeypatch.setattr("cyclegan_tf.train.command.train", lambda plan: plans.append(plan) or 0)
    cyclegan_tf.train(run_dir=tiny_run, more_minutes=5)
    assert plans[0].more_minutes == 5


def test_a_wrong_option_is_named(images, tmp_path):
    with refused("unknown", "--data.crop_size"):
        cyclegan_tf.train(images, tmp_path / "run", options={"data.crop_size": 16})
    assert not (tmp_path / "run").exists()


def test_evaluate_and_export(tiny_run, tmp_path):
    run = cyclegan_tf.load(tiny_run)
    found = run.evaluate(directions=["xy"], max_images=2)
    assert [each.direction for each in found.directions] == ["xy"]
    assert not (tiny_run / "evaluation.json").exists()
    refused_files = run.export(
        tmp_path / "out", ["litert"], directions=["xy"], variants=["float32"], allow_lossy=True
    )
    assert refused_files == 0
    assert list((tmp_path / "out/litert").rglob("float32.tflite"))
