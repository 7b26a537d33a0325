"""The race for quality per minute: its clock, its trainers, its order, its figures."""

import dataclasses
import itertools
import json
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.peers import ours_training
from benchmarks.quality import quality_per_minute, race, race_chart
from benchmarks.quality.race import Clock, Entry
from cyclegan_tf import assembly
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.runs import generators
from cyclegan_tf.train import schedules
from tests.helpers.errors import refused
from tests.helpers.image_files import noise


@pytest.fixture
def entry(tmp_path):
    for name in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(3):
            Image.fromarray(noise(40, 40, seed=index)).save(
                tmp_path / "data" / name / f"{index}.png"
            )
    (tmp_path / "out").mkdir()
    return Entry(
        contender="ours", framework="ours", precision="float32", layout="nhwc", config=None, seed=3,
        data=str(tmp_path / "data"), target=str(tmp_path / "out"), minutes=0.02, every_minutes=0.01,
        size_px=32, load_px=36, filters=2, blocks=1,
    )  # fmt: skip


# The clock.


def test_marks_end_with_the_budget(entry):
    def marks(minutes, every):
        return dataclasses.replace(entry, minutes=minutes, every_minutes=every).marks

    assert marks(20, 1) == list(range(1, 21))
    assert marks(0.9, 0.3) == pytest.approx([0.3, 0.6, 0.9])
    assert marks(1, 0.4) == pytest.approx([0.4, 0.8, 1])
    assert marks(1, 5) == [1]


def test_saving_does_not_count_and_every_mark_is_kept(entry, monkeypatch):
    entry = dataclasses.replace(entry, minutes=3, every_minutes=1)
    now = [1000.0]
    monkeypatch.setattr(race.time, "time", lambda: now[0])
    saved = []

    def save(mark):
        saved.append(mark)
        now[0] += 500

    clock = Clock(entry, 990.0, save)
    assert clock.seconds == 10  # from before the process could have looked at its own clock
    assert clock.after_step(1) == 0
    now[0] += 55
    assert clock.after_step(2) == 500
    assert (clock.seconds, clock.fraction) == (65, pytest.approx(65 / 180))
    assert not entry.finished
    now[0] += 120
    assert clock.after_step(3) == 1000  # both marks that this step passed
    assert (clock.seconds, clock.fraction) == (185, 1)
    assert saved == entry.marks == [1, 2, 3]
    assert [(line["minute"], line["seconds"], line["step"]) for line in entry.kept()] == [
        (1, 65, 2),
        (2, 185, 3),
        (3, 185, 3),
    ]
    assert entry.finished
    assert clock.after_step(4) == 0


def test_a_trainer_that_ends_a_moment_early_leaves_the_last_mark(entry):
    saved = []
    clock = Clock(entry, time.time(), saved.append)
    clock.finish(5)
    assert saved == entry.marks
    assert entry.finished


def test_entry_survives_json(entry):
    assert Entry.from_json(entry.to_json()) == entry


# The trainers.


def test_both_learning_rate_schedules_are_one():
    torch_training = pytest.importorskip("benchmarks.peers.torch_training")
    for epoch in range(200):
        ours = schedules.learning_rate_factor("linear", epoch, 100, 100)
        assert torch_training.learning_rate_factor((epoch + 0.5) / 200) == pytest.approx(ours)
    assert torch_training.learning_rate_factor(1.0) == pytest.approx(1 / 101)


def test_ours_is_the_papers_recipe_at_the_entrys_sizes(entry):
    experiment = ours_training.experiment_of(entry, 1.5)
    assert (experiment.data.load_size_px, experiment.data.crop_size_px, experiment.data.flip) == (
        36,
        32,
        True,
    )
    assert (
        experiment.generator.filters,
        experiment.generator.blocks,
        experiment.discriminator.filters,
    ) == (2, 1, 2)
    assert (experiment.training.seed, experiment.training.max_minutes) == (3, 1.5)
    assert experiment.training.constant_epochs == experiment.training.decay_epochs
    assert (experiment.loss.cycle_x, experiment.loss.identity, experiment.loss.gan_mode) == (
        10,
        0.5,
        "lsgan",
    )
    assert experiment.training.pool_size_images == 50
    assert experiment.logging.score_every_epochs == 0
    assert experiment.training.ema_half_life_images is None
    assert (
        ours_training.experiment_of(
            dataclasses.replace(entry, ema=100.0), 1.5
        ).training.ema_half_life_images
        == 100
    )


def test_a_config_keeps_what_is_its_own(entry, tmp_path):
    (tmp_path / "modern.yaml").write_text(
        "training: {constant_epochs: 30, decay_epochs: 90, ema: 500, seed: 9}\n"
        "generator: {upsampling: resize, filters: 64}\nloss: {cycle_x: 5.0}\n"
    )
    experiment = ours_training.experiment_of(
        dataclasses.replace(entry, config=str(tmp_path / "modern.yaml")), 1.0
    )
    assert experiment.generator.upsampling == "resize"
    assert (experiment.loss.cycle_x, experiment.training.ema_half_life_images) == (5.0, 500)
    assert (experiment.generator.filters, experiment.training.seed) == (2, 3)
    assert 3 * experiment.training.constant_epochs == experiment.training.decay_epochs


def test_both_are_as_large(entry):
    torch_cyclegan = pytest.importorskip("benchmarks.peers.torch_cyclegan")
    model = assembly.build_model(ours_training.experiment_of(entry, 1.0))
    assert isinstance(model, CycleGAN)
    training = torch_cyclegan.Training(entry.job)
    ours = [model.generator_xy, model.generator_yx, model.discriminator_x, model.discriminator_y]
    # Where a norm follows, PyTorch keeps a bias that the norm takes away again.
    kernels = [
        sum(int(np.prod(w.shape)) for w in n.trainable_variables if len(w.shape) > 1) for n in ours
    ]
    assert kernels == [
        sum(p.numel() for p in n.parameters() if p.ndim > 1) for n in training.networks
    ]


@pytest.mark.usefixtures("step_by_step")
def test_ours_trains_and_keeps_raw_and_averaged_generators(entry, tmp_path):
    (tmp_path / "ema.yaml").write_text("training: {ema: 500}\n")
    started = time.time()
    steps = ours_training.train(
        dataclasses.replace(entry, config=str(tmp_path / "ema.yaml")), started
    )
    kept = entry.kept()
    assert [line["minute"] for line in kept] == entry.marks
    # race's clock and the trainer read the time one after the other: one more step may fit between
    assert kept[-1]["step"] in (steps - 1, steps)
    assert kept[-1]["step"] >= 1
    for mark, name in itertools.product(entry.marks, ("xy", "yx", "xy_averaged", "yx_averaged")):
        assert entry.generator(mark, name, ".keras").is_file()
    raw, averaged = (
        generators.load_generator(entry.generator(0.02, name, ".keras"), "xy", "float32")[0]
        for name in ("xy", "xy_averaged")
    )
    assert any(
        np.abs(a - b).max() > 0
        for a, b in zip(raw.get_weights(), averaged.get_weights(), strict=True)
    )
    assert quality_per_minute._kept_generators(entry, 0.02).keys() == {"", ", averaged"}


@pytest.mark.usefixtures("one_thread")
def test_torch_trains_and_its_generators_come_back(entry, monkeypatch):
    from benchmarks.peers import torch_cyclegan, torch_training

    made = []
    of_job = torch_cyclegan.Training

    def training(job):
        made.append(of_job(job))
        return made[0]

    monkeypatch.setattr(torch_cyclegan, "Training", training)
    entry = dataclasses.replace(entry, framework="torch", layout="nchw")
    steps = torch_training.train(entry, time.time(), workers=0)
    assert entry.finished
    assert entry.kept()[-1]["step"] == steps >= 1
    assert made[0].adam_generators.param_groups[0]["lr"] < 2e-4
    image = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
    for direction, network in zip(("xy", "yx"), made[0].networks, strict=False):
        wanted = (
            network(torch_training.torch.from_numpy(image.transpose(0, 3, 1, 2))).detach().numpy()
        )
        found = torch_training.load_generator(entry, 0.02, direction)(image)
        assert found == pytest.approx(wanted.transpose(0, 2, 3, 1), abs=1e-5)


def test_torch_images_have_the_entrys_size_and_range(entry):
    torch_training = pytest.importorskip("benchmarks.peers.torch_training")
    x, y = next(torch_training.batches(entry, workers=0))
    assert x.shape == y.shape == (1, 3, 32, 32)
    assert -1 <= float(x.min()) < -0.5
    assert 0.5 < float(x.max()) <= 1


# The program.


def planned(entry, *words):
    return quality_per_minute.planned(quality_per_minute.parse([entry.data, *words]))


def test_contenders_change_places_from_seed_to_seed(entry):
    found = [(e.contender, e.seed) for e in planned(entry, "--seeds", "11", "12")]
    torch = "torch-float32-nchw"
    assert found == [(torch, 11), ("ours", 11), ("ours", 12), (torch, 12)]
    first = planned(entry, "--size", "64", "--filters", "8", "--config", "demo")
    assert [e.contender for e in first][:3] == [torch, "ours", "ours, demo"]
    assert {(e.size_px, e.load_px, e.filters, e.minutes) for e in first} == {(64, 72, 8, 20)}
    assert len({e.target for e in first}) == len(first)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--minutes", "0"], "--minutes 0"),
        (["--load_size", "100"], "smaller than the crop"),
        (["--torch", "ours-float32"], "--torch ours-float32"),
        (["--config", "no_such"], "no such file"),
        (["--minutes", "2", "--score_at", "1", "1.5"], "--score_at 1.5 is no mark"),
    ],
)
def test_mistakes_are_refused(entry, words, message):
    with refused(["invalid", "missing", "unknown"], match=message):
        planned(entry, *words)


def test_the_demo_is_for_ours_alone():
    words = ["demo", "--config", "modern", "--seeds", "1"]
    found = quality_per_minute.planned(quality_per_minute.parse([*words, "--torch"]))
    assert [(e.contender, e.data) for e in found] == [("ours", "demo"), ("ours, modern", "demo")]
    with refused("unsupported", "--torch", match="add --torch"):
        quality_per_minute.parse(words)


def test_a_folder_without_images_is_refused(tmp_path):
    with refused("missing", match="has no folder trainA"):
        quality_per_minute.parse([str(tmp_path)])


def test_what_is_trained_is_not_trained_again_and_never_mixed(entry):
    assert not quality_per_minute.checked(entry)
    Clock(entry, time.time(), lambda mark: None).finish(1)
    (Path(entry.target) / "entry.json").write_text(entry.to_json())
    assert quality_per_minute.checked(entry)
    with refused("mismatch", "--out", match="other options"):
        quality_per_minute.checked(dataclasses.replace(entry, filters=4))


def test_a_trainer_that_fails_is_reported(entry, tmp_path, monkeypatch):
    (tmp_path / "trainer.py").write_text("raise SystemExit(4)")
    monkeypatch.setitem(quality_per_minute.TRAINERS, "ours", (str(tmp_path / "trainer.py"),))
    with refused("stopped", match="ended with status 4"):
        quality_per_minute.train(entry)


# Figures.


def result(contender, seed, minute, psnr, **more):
    return {
        "contender": contender,
        "seed": seed,
        "minute": minute,
        "xy": {"psnr": psnr, **more},
        "yx": {"psnr": psnr},
    }


@pytest.fixture
def results():
    return [
        {"contender": "baselines", "xy": {"constant": {"psnr": 15.0}}, "yx": {}},
        result("torch", 1, 2, 18.0, swd=90.0), result("torch", 1, 1, 16.0, swd=99.0),
        result("torch", 2, 2, 19.0),
        result("ours", 1, 1, 17.0, swd=80.0), result("ours", 1, 2, 20.0, swd=70.0),
    ]  # fmt: skip


def test_curves_and_table(results):
    assert race_chart.curves(results, "xy", "psnr") == {
        "torch": [(1, [16.0]), (2, [18.0, 19.0])],
        "ours": [(1, [17.0]), (2, [20.0])],
    }
    assert race_chart.panels(results, None) == [("xy", "psnr"), ("xy", "swd"), ("yx", "psnr")]
    text = race_chart.table(results)
    assert "| 2 | 18.5 (18 to 19) | 20 |" in text
    colored = [{**line, "yx": {**line["yx"], "color_swd": 9.0}} for line in results]
    assert race_chart.panels(colored, None)[2:] == [("yx", "psnr"), ("yx", "color_swd")]
    labeled = [{**line, "xy": {**line["xy"], "pixel_accuracy": 0.5}} for line in results]
    assert race_chart.panels(labeled, None)[0] == ("xy", "pixel_accuracy")


def test_every_contender_has_a_color_and_averages_that_of_their_weights():
    found = race_chart._colors(["torch", "ours", "ours, modern", "ours, modern, averaged"])
    assert found["ours, modern"] == found["ours, modern, averaged"]
    assert len(set(found.values())) == 3


def test_chart(results, tmp_path):
    pytest.importorskip("matplotlib")
    race_chart.draw(results, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size > 5000


@pytest.mark.slow
def test_a_whole_race(entry, tmp_path, capsys):
    pytest.importorskip("torch")
    pytest.importorskip("matplotlib")
    words = [entry.data, "--out", str(tmp_path / "race"), "--minutes", "0.02", "--every", "0.01"]
    words += "--seeds 1 --size 32 --filters 2 --blocks 1".split()
    assert quality_per_minute.main([*words, "--score_at", "0.02"]) == 0
    results = tmp_path / "race" / "results.jsonl"
    assert len(results.read_text().splitlines()) == 3
    capsys.readouterr()
    assert quality_per_minute.main(words) == 0
    assert "training" not in capsys.readouterr().out
    lines = [json.loads(text) for text in results.read_text().splitlines()]
    assert [(line["contender"], line.get("minute")) for line in lines] == [
        ("baselines", None), ("torch-float32-nchw", 0.02), ("ours", 0.02), ("torch-float32-nchw",
        0.01), ("ours", 0.01),
    ]  # fmt: skip
    assert all(5 < line[d]["psnr"] < 30 for line in lines[1:] for d in ("xy", "yx"))
