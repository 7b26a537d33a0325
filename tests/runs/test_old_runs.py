"""A run directory of commit f0b353a, whose config keys and scores had other names, opens today."""

import json
import shutil
from pathlib import Path

import pytest
from PIL import Image

from cyclegan_tf.evaluate import command as evaluate
from cyclegan_tf.export import command as export
from cyclegan_tf.inspect import command as inspect
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.metrics_log import rows, scores_at
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import command as train
from cyclegan_tf.translate import command as translate

FIXTURE = Path(__file__).parents[1] / "fixtures" / "run_f0b353a"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A copy, in the working directory that the paths in its config are relative to."""
    monkeypatch.chdir(shutil.copytree(FIXTURE, tmp_path / "old"))
    return RunDirectory(Path("run"))


def test_its_experiment_has_the_names_of_today(run):
    e = run.experiment()
    assert (e.generator.color_skip, e.generator.long_skips, e.loss.gan_mode) == (
        "auto",
        "on",
        "lsgan",
    )
    training = e.training
    assert (training.ema_half_life_images, training.early_stopping_patience) == (8.0, 5)
    assert (training.best_metric, training.gradient_checkpointing) == ("color_swd", True)
    assert (e.logging.sample_images, e.logging.test_images, e.logging.score_images) == (1, 2, 2)


def test_its_scores_have_the_names_of_today(run):
    best = checkpoints.read_state(run.checkpoints / "best" / "step_000000004.npz")
    assert best["best_by"] == "color_swd"
    scores = scores_at(run.metrics_path, best["step"], best["weights"])
    assert (scores["color_swd_xy"] + scores["color_swd_yx"]) / 2 == pytest.approx(best["score"])
    assert "best color_swd: " in checkpoints.select(run.checkpoints, "best").origin


def test_it_goes_on_as_it_would_have(run, capsys):
    # the option of that time; .keras files are written at the end
    assert train.main(["--run_dir=run", "--training.recompute=false", "--resume=required"]) == 0
    assert "resumed from run/checkpoints/step_000000006.npz, step 6" in capsys.readouterr().out
    then = [json.loads(line) for line in (FIXTURE / "train_rows.jsonl").read_text().splitlines()]
    now = [row for row in rows(run.metrics_path) if row["kind"] == "train"]
    assert [row["step"] for row in now] == [2, 4, 6, 8, 10, 12]
    for old, new in zip(then, now, strict=True):
        assert set(old) == set(new)
        names = set(old) - {"kind", "steps_per_second", "images_per_second"}
        assert {n: new[n] for n in names} == pytest.approx({n: old[n] for n in names}, rel=1e-3)
    assert (run.path / "generator_yx.keras").is_file()


@pytest.mark.parametrize("name", ["run", "run/generator_xy.keras"])
def test_it_translates_and_evaluates(run, name, capsys):
    assert translate.main([name, "images/testA", "out"]) == 0
    with Image.open("out/0.png") as image:
        assert image.size == (18, 18)
    more = [] if name == "run" else ["--data.source=images", "--direction=xy"]
    assert evaluate.main([name, *more, "--json=e.json", "--html=e.html"]) == 0
    assert "color_swd" in Path("e.json").read_text()


def test_it_exports_and_is_inspected(run, capsys):
    assert export.main(["run", "out", "--format=saved_model", "--direction=xy"]) == 0
    assert list(Path("out/saved_model").glob("*/1/saved_model.pb"))
    capsys.readouterr()
    assert inspect.main(["run", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["best"]["best_by"] == "color_swd"
