"""Run directories: how far, how good, on what, with what."""

import json

import numpy as np
import pytest

from cyclegan_tf.inspect.training_run import inspect_run
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.plan import plan_training
from tests.helpers import tiny
from tests.helpers.errors import refused

IMAGES = {"train_x": ["a", "b", "c"], "train_y": ["d"] * 5, "test_x": ["e"], "test_y": ["f"]}


def begun(path, *words, images=IMAGES, origin=None):
    run = RunDirectory(path)
    run.create(
        plan_training([*tiny.WORDS, "--data.source", "somewhere", *words]).experiment,
        images,
        origin,
    )
    return run


@pytest.fixture
def run(tmp_path):
    """Two epochs of five steps asked for, 6 steps and 90 seconds done, scored at step 5."""
    run = begun(
        tmp_path / "run", "--loss.cycle_x=7", "--loss.adversarial_x=0", "--generator.filters=3"
    )
    for step, seconds in ((3, 40.0), (6, 90.0)):
        arrays = {"generator_xy/first/kernel": np.zeros(3)}
        checkpoints.write(run.checkpoints, step, arrays, {"step": step, "seconds": seconds}, None)
    report = {
        "step": 5,
        "score": 1.5,
        "higher_is_better": False,
        "best_by": "swd",
        "weights": "averaged",
    }
    checkpoints.write_best(run.checkpoints, 5, {}, report)
    rows = [
        {"kind": "score", "step": 5, "epoch": 0, "weights": "raw", "swd_xy": 9.0},
        {
            "kind": "score",
            "step": 5,
            "epoch": 0,
            "weights": "averaged",
            "swd_xy": 1.0,
            "swd_yx": 2.0,
        },
    ]
    run.metrics_path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return run


def test_how_far_it_came(run):
    assert inspect_run(run.path, 16)["training"] == {
        "step": 6, "minutes": 1.5, "checkpoint": "checkpoints/step_000000006.npz", "of_steps": 10,
        "epochs_done": 1.2,
        "steps_per_epoch": 5, "share_of_budget": 0.6,
    }  # fmt: skip


def test_the_best_and_its_scores(run):
    report = inspect_run(run.path, 16)
    assert report["best"] == {"best_by": "swd", "score": 1.5, "step": 5, "weights": "averaged"}
    assert (report["scores"]["swd_xy"], report["scores"]["swd_yx"]) == (1.0, 2.0)


def test_networks_that_play(run):
    rows = inspect_run(run.path, 16)["networks"]
    assert [row["name"] for row in rows] == ["generator_xy", "generator_yx", "discriminator_y"]
    assert rows[0]["architecture"] == "residual generator, 1 blocks, 3 filters, instance norm"
    # by hand: two 7x7 ends of 3 x 3; 3x3 kernels 3-6-12, two of 12-12, 12-6-3; biases
    by_hand = 2 * 49 * 9 + 9 * (18 + 72 + 2 * 144 + 72 + 18) + (3 + 6 + 12 + 2 * 12 + 6 + 3 + 3)
    assert rows[0]["parameters"] == by_hand


def test_what_was_asked_where_it_is_not_the_papers_recipe(run):
    report = inspect_run(run.path, 16)["experiment"]
    assert report["data"] == "somewhere"
    assert (report["loss.cycle_x"], report["data.crop_size_px"], report["generator.filters"]) == (
        7.0,
        16,
        3,
    )
    assert "loss.cycle_y" not in report


def test_images_and_what_it_was_made_with(run):
    report = inspect_run(run.path, 16)
    assert report["images"] == {"train_x": 3, "train_y": 5, "test_x": 1, "test_y": 1}
    assert report["made_with"]["versions"]["tensorflow"].startswith("2.")
    assert {"git_commit", "platform", "command"} <= set(report["made_with"])
    assert report["started_from"] is None
    assert json.loads(json.dumps(report)) == report


def test_a_damaged_checkpoint_is_noted_and_the_one_before_taken(run):
    newest = checkpoints.list_checkpoints(run.checkpoints)[0]
    newest.write_bytes(newest.read_bytes()[:100])
    report = inspect_run(run.path, 16)
    assert report["training"]["step"] == 3
    assert "step_000000006.npz is damaged" in report["notes"][0]


def test_a_run_that_has_only_begun_or_knows_no_images(tmp_path):
    origin = {"run": "runs/a", "messages": ["generators of a"]}
    report = inspect_run(begun(tmp_path / "new", origin=origin).path, 16)
    assert (report["training"], report["best"], report["scores"]) == (None, None, {})
    assert report["notes"] == ["there is no checkpoint yet"]
    assert report["started_from"] == origin
    run = begun(tmp_path / "converted", images={})
    checkpoints.write(run.checkpoints, 0, {}, {"step": 0, "seconds": 0.0}, None)
    assert inspect_run(run.path, 16)["training"] == {
        "step": 0, "minutes": 0.0, "checkpoint": "checkpoints/step_000000000.npz",
    }  # fmt: skip


def test_damaged_records(run):
    (run.path / "environment.json").write_text("[]")
    with refused("unreadable", run.path / "environment.json"):
        inspect_run(run.path, 16)
    (run.path / "environment.json").unlink()
    assert inspect_run(run.path, 16)["made_with"] is None


def test_a_run_that_was_made_longer_has_minutes_to_its_end(run):
    state = {"step": 8, "seconds": 120.0, "end_seconds": 480.0}
    checkpoints.write(run.checkpoints, 8, {}, state, None)
    training = inspect_run(run.path, 16)["training"]
    assert (training["of_minutes"], training["share_of_budget"]) == (8.0, 0.25)
    assert "of_steps" not in training
