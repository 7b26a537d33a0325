"""Scores, averages, the best checkpoint and patience, in whole trainings of tiny generators."""

import json
import os

import keras
import numpy as np
import pytest

from cyclegan_tf.runs import checkpoints, generators
from cyclegan_tf.train import command as train
from cyclegan_tf.train import trainer as training
from tests.helpers import tiny, watched
from tests.helpers.errors import refused

pytestmark = pytest.mark.usefixtures("plain_graphs")

LEARNING = (
    "--optimizer.learning_rate=2e-2 --training.ema_half_life_images=60 "
    "--logging.score_every_epochs=1 --logging.log_every_steps=3 --training.max_steps=16"
).split()


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return watched.folder(
        tmp_path_factory.mktemp("images"), watched.smooth, lambda rng: watched.smooth(rng, 100, 200)
    )


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    watched.pixelwise(monkeypatch, 0.5)


def words(source, run, *more):
    return [*watched.WORDS, f"--data.source={source}", f"--run_dir={run}", *more]


def rows(run, kind="score"):
    every = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [row for row in every if row["kind"] == kind]


@pytest.fixture(scope="module")
def finished(source, tmp_path_factory):
    """Eight epochs of two steps of four images, scored after each; a checkpoint of every step."""
    run = tmp_path_factory.mktemp("runs") / "whole"
    kept = ["--training.checkpoint_every_steps=1", "--training.keep_checkpoints=20"]
    with pytest.MonkeyPatch.context() as patched:
        watched.pixelwise(patched, 0.5)
        assert train.main(words(source, run, *LEARNING, *kept)) == 0
    return run


def test_raw_and_averaged_weights_are_rows_and_curves(finished):
    found = rows(finished)
    assert [(row["step"], row["weights"]) for row in found] == [
        (step, weights) for step in range(2, 17, 2) for weights in ("raw", "averaged")
    ]
    assert {
        "swd_xy",
        "swd_yx",
        "cycle_error_xy",
        "identity_distance_yx",
        "change_xy",
        "variety_yx",
    } <= set(found[0])
    assert found[-2]["cycle_error_xy"] != found[-1]["cycle_error_xy"]
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for folder in ("test", "averaged"):
        curves = EventAccumulator(str(finished / "logs" / folder), size_guidance={"tensors": 0})
        curves.Reload()
        assert [event.step for event in curves.Tensors("score/swd_xy")] == list(range(2, 17, 2))


def test_the_best_checkpoint_is_the_best_of_all_rows(finished):
    totals = {
        (r["step"], r["weights"]): (r["color_swd_xy"] + r["color_swd_yx"]) / 2
        for r in rows(finished)
    }
    (path,) = (finished / "checkpoints" / "best").iterdir()
    arrays, state = checkpoints.read(path)
    assert (state["step"], state["weights"]) == min(totals, key=totals.get)
    assert state["score"] == pytest.approx(min(totals.values()))
    assert state["scores"]["swd_xy"] == next(
        r["swd_xy"]
        for r in rows(finished)
        if (r["step"], r["weights"]) == (state["step"], state["weights"])
    )
    assert set(arrays) == {
        f"generator_{d}/paint/{name}" for d in ("xy", "yx") for name in ("kernel", "bias")
    }
    newest = checkpoints.read(checkpoints.list_checkpoints(finished / "checkpoints")[0])
    assert newest[1]["step"] == 16
    assert newest[1]["best"]["step"] == state["step"]


def test_what_is_loaded_and_saved_is_the_best_unless_asked_otherwise(finished):
    (path,) = (finished / "checkpoints" / "best").iterdir()
    arrays, state = checkpoints.read(path)
    for direction in ("xy", "yx"):
        network, description = generators.load_generator(finished, direction)
        saved = keras.saving.load_model(finished / f"generator_{direction}.keras", compile=False)
        for variable in network.variables:
            wanted = arrays[f"generator_{direction}/{variable.path}"]
            np.testing.assert_array_equal(variable.numpy(), wanted)
            np.testing.assert_array_equal(
                saved.get_layer("paint").get_weights()[variable.ndim == 1], wanted
            )
        assert f"(step {state['step']}, {state['weights']} weights, best color_swd: " in description
    last, description = generators.load_generator(finished, "xy", checkpoint="last")
    newest = checkpoints.read(checkpoints.list_checkpoints(finished / "checkpoints")[0])[0]
    np.testing.assert_array_equal(last.variables[0].numpy(), newest["generator_xy/paint/kernel"])
    assert description.endswith("step_000000016.npz (step 16, raw weights, newest)")


def test_the_average_in_the_checkpoint_is_that_of_the_weights(finished):
    kept = [
        checkpoints.read(path)[0]
        for path in reversed(checkpoints.list_checkpoints(finished / "checkpoints"))
    ]
    average, images = 0.0, 0
    for arrays in kept:
        images += 4
        decay = 0.5 ** (4 / min(60, 0.05 * images))
        average = decay * average + (1 - decay) * arrays["generator_yx/paint/kernel"].astype(
            np.float64
        )
        assert arrays["average/images"] == images
    # the initial weights count 0.5 ** (20 (1 + 1/2 + ... + 1/16)) in it
    np.testing.assert_allclose(kept[-1]["average/generator_yx/paint/kernel"], average, rtol=1e-5)


def interrupted(words, step):
    """Ends a training after a step as SIGTERM does."""
    plain = training.Trainer._after_step

    def after_step(self, rate):
        plain(self, rate)
        if self.step == step:
            os.kill(os.getpid(), 15)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(training.Trainer, "_after_step", after_step)
        return train.main(words)


def test_resumed_equals_never_stopped_scores_averages_and_best_included(finished, source, tmp_path):
    """Killed after a better score, before a checkpoint; then stopped."""
    run = tmp_path / "run"
    assert (
        interrupted(words(source, run, *LEARNING, "--training.checkpoint_every_steps=3"), 7) == 143
    )
    for path in checkpoints.list_checkpoints(run / "checkpoints")[:2]:
        path.unlink()  # step 3 is left, scored were 2, 4 and 6
    assert interrupted(["--run_dir", str(run), "--resume", "required"], 13) == 143
    kept = checkpoints.list_checkpoints(run / "checkpoints")
    assert [checkpoints.step_of(path) for path in kept] == [13, 12, 9]
    assert train.main(["--run_dir", str(run), "--resume", "required"]) == 0
    tiny.assert_same_outcome(finished, run)
    (ours,), (theirs,) = ((r / "checkpoints" / "best").iterdir() for r in (finished, run))
    assert ours.name == theirs.name
    (a, state_a), (b, state_b) = checkpoints.read(ours), checkpoints.read(theirs)
    assert state_a == state_b
    for name, array in a.items():
        np.testing.assert_array_equal(array, b[name])


def test_scoring_and_averaging_do_not_disturb_the_training(finished, source, tmp_path):
    more = ["--logging.score_every_epochs=0", "--training.ema_half_life_images=null"]
    assert train.main(words(source, tmp_path / "run", *LEARNING, *more)) == 0
    assert rows(tmp_path / "run") == []
    assert not (tmp_path / "run" / "checkpoints" / "best").exists()
    assert tiny.outcome(tmp_path / "run")[0].keys() == {
        n for n in tiny.outcome(finished)[0] if "average" not in n
    }
    for name, array in tiny.outcome(tmp_path / "run")[0].items():
        np.testing.assert_array_equal(array, tiny.outcome(finished)[0][name], err_msg=name)
    assert [r for r in tiny.outcome(finished)[2] if r["kind"] != "score"] == tiny.outcome(
        tmp_path / "run"
    )[2]
    _, description = generators.load_generator(tmp_path / "run", "xy")
    assert description.endswith("(step 16, raw weights, newest; no scores have chosen a best one)")


@pytest.mark.usefixtures("step_by_step")
def test_patience_ends_a_training_that_gets_no_better(source, tmp_path, capsys):
    # at this rate nothing moves: the first scoring stays the best
    more = [
        "--training.early_stopping_patience=2",
        "--logging.score_every_epochs=1",
        "--training.max_steps=100",
    ]
    assert (
        train.main(words(source, tmp_path / "run", "--optimizer.learning_rate=1e-30", *more)) == 0
    )
    assert (
        "stopped at step 6: 2 scorings in a row were no better than the best"
        in capsys.readouterr().out
    )
    assert [row["step"] for row in rows(tmp_path / "run")] == [2, 4, 6]
    assert (tmp_path / "run" / "generator_xy.keras").exists()
    assert train.main(["--run_dir", str(tmp_path / "run")]) == 0
    assert "this run is finished (step 6)" in capsys.readouterr().out


class TestScoresThatCannotBeHad:
    def test_unpaired(self, source, tmp_path):
        with refused("mismatch", "training.best_metric"):
            train.main(words(source, tmp_path / "run", "--training.best_metric=psnr"))
        assert not (tmp_path / "run").exists()

    @pytest.mark.usefixtures("step_by_step")
    def test_no_test_split(self, tmp_path, capsys):
        source = watched.folder(tmp_path / "images", watched.smooth, watched.smooth, (8, 8, 0, 0))
        with refused(
            "missing",
            "training.early_stopping_patience",
            match=r"training\.early_stopping_patience is 3, but there is no test split",
        ):
            train.main(words(source, tmp_path / "run", "--training.early_stopping_patience=3"))
        with refused("missing", "training.best_metric"):
            train.main(words(source, tmp_path / "run", "--training.best_metric=mae"))
        assert not (tmp_path / "run").exists()
        assert train.main(words(source, tmp_path / "run", "--training.max_steps=2")) == 0
        assert rows(tmp_path / "run") == []
        out = capsys.readouterr().out
        assert "there is no test split, so nothing is scored" in out
        assert "those of the last step" in out


@pytest.mark.usefixtures("step_by_step")
def test_a_paired_split_is_scored_against_its_truth(tmp_path):
    source = tiny.folder(tmp_path / "images", (8, 8, 3, 3))
    assert (
        train.main(
            words(source, tmp_path / "run", "--training.best_metric=psnr", "--training.max_steps=2")
        )
        == 0
    )
    (row,) = rows(tmp_path / "run")
    assert {"psnr_xy", "ssim_yx", "mae_xy"} <= set(row)
    (path,) = (tmp_path / "run" / "checkpoints" / "best").iterdir()
    assert checkpoints.read_state(path)["score"] == pytest.approx(
        (row["psnr_xy"] + row["psnr_yx"]) / 2
    )


@pytest.mark.usefixtures("step_by_step")
def test_only_generators_that_a_discriminator_trains_choose_the_best(source, tmp_path):
    more = [
        "--loss.adversarial_x=0",
        "--training.max_steps=2",
        "--training.best_metric=cycle_error",
    ]
    assert train.main(words(source, tmp_path / "run", *more)) == 0
    (path,) = (tmp_path / "run" / "checkpoints" / "best").iterdir()
    assert checkpoints.read_state(path)["score"] == rows(tmp_path / "run")[0]["cycle_error_xy"]
