"""From a teacher to a student: what lies in the folder, and that others take it."""

import json

import keras
import numpy as np
import pytest

from cyclegan_tf.distill import session
from cyclegan_tf.distill.session import DistillJob, describe_macs, distill
from cyclegan_tf.distill.settings import Settings
from cyclegan_tf.evaluate import command as evaluate
from cyclegan_tf.export.trained import open_trained
from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.runs.generators import training_scale
from tests.helpers import quicker

SETTINGS = Settings(filters=1, blocks=1, max_steps=2)


@pytest.fixture(scope="module")
def out(tiny_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("distilled")
    with quicker.step_by_step():
        assert distill(DistillJob(tiny_run, folder, ["xy"], SETTINGS, quiet=True)) == 0
    return folder


def test_what_lies_there(out):
    assert sorted(path.name for path in out.iterdir()) == [
        "distill.json", "student_xy.keras", "xy",
    ]  # fmt: skip
    assert sorted(path.name for path in (out / "xy").iterdir()) == [
        "checkpoints", "metrics.jsonl", "parity.json", "parity.png", "samples",
    ]  # fmt: skip


def test_parity_is_to_the_teacher(out, tiny_run):
    row = json.loads((out / "xy" / "parity.json").read_text())["variants"][0]
    assert (row["variant"], row["images"]) == ("student_xy", 2)
    teacher = open_trained(tiny_run, "xy")
    images = session.calibration_images(teacher.test_images(), 16, 16)
    student = keras.saving.load_model(out / "student_xy.keras")
    apart = np.abs(student(images) - teacher.network(images))
    assert row["mean_abs"] == pytest.approx(float(apart.mean()), rel=1e-3)
    assert row["size_bytes"] == (out / "student_xy.keras").stat().st_size


def test_it_keeps_the_scale_of_training(out, tiny_run):
    scales = [training_scale(path, "xy") for path in (out / "student_xy.keras", tiny_run)]
    assert scales[0] == scales[1]


def test_a_finished_one_stays_as_it_is(out, tiny_run, caplog, step_by_step):
    before = (out / "student_xy.keras").stat()
    with caplog.at_level("INFO"):
        assert distill(DistillJob(tiny_run, out, ["xy"], SETTINGS, quiet=True)) == 0
    assert "student_xy.keras is finished" in caplog.text
    assert (out / "student_xy.keras").stat() == before


def test_it_is_scored_as_any(out, tiny_run, tmp_path):
    words = [str(out / "student_xy.keras"), "--data.source", str(tiny_run.parent / "images")]
    assert evaluate.main([*words, "--json", str(tmp_path / "e.json"), "--quiet"]) == 0


def test_a_student_of_a_student_on_a_folder(out, tiny_run, tmp_path, step_by_step):
    settings = Settings(
        "fast_style", 1, 1, str(tiny_run.parent / "images" / "testA"), 16, "none", max_steps=1
    )
    job = DistillJob(out / "student_xy.keras", tmp_path, ["xy"], settings, quiet=True)
    assert distill(job) == 0
    assert (tmp_path / "student_xy.keras").exists()


def test_macs_in_words():
    teacher = build_generator("resnet_6blocks", filters=8, blocks=1, seed=0)
    student = build_generator("mobile", filters=1, blocks=1, seed=0)
    words = describe_macs(teacher, student, 16)
    assert words.startswith(f"{student.count_params()} parameters; 0 of 1 million multiply-")
    assert "at 16 px, 1/" in words
