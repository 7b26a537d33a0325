"""Trained generators out of run directories and `.keras` files."""

import json
import shutil

import numpy as np
import pytest

from cyclegan_tf import assembly
from cyclegan_tf.images.ranges import FULL_RANGES, RangePair, ValueRange
from cyclegan_tf.images.training_scale import TrainingScale
from cyclegan_tf.runs import checkpoints, generators, state, targets
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.plan import plan_training
from cyclegan_tf.volumes.slices import AXIAL, Cutting
from tests.helpers import tiny
from tests.helpers.errors import refused


def experiment():
    return plan_training([*tiny.WORDS, "--data.source", "x"]).experiment


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Checkpoints whose weights name their step: all values of the network are its number."""
    run = RunDirectory(tmp_path_factory.mktemp("runs") / "run")
    e = experiment()
    run.create(e, {})
    model = assembly.build_model(e)
    for step in (10, 20):
        arrays = {
            n: np.full_like(a, step) for n, a in state.snapshot(state.variables(model)).items()
        }
        checkpoints.write(run.checkpoints, step, arrays, {"step": step}, 3)
    best = {
        n: np.full_like(a, 15) for n, a in state.snapshot(state.generator_variables(model)).items()
    }
    told = {
        "step": 15,
        "score": 2.0,
        "higher_is_better": True,
        "best_by": "psnr",
        "weights": "averaged",
    }
    checkpoints.write_best(run.checkpoints, 15, best, told)
    return run


class TestLoadGenerator:
    @pytest.mark.parametrize(
        ("checkpoint", "step", "told"),
        [
            ("best", 15, "best/step_000000015.npz (step 15, averaged weights, best psnr: 2)"),
            ("last", 20, "step_000000020.npz (step 20, raw weights, newest)"),
            ("10", 10, "step_000000010.npz (step 10, raw weights, as asked)"),
            ("15", 15, "best/step_000000015.npz (step 15, averaged weights, best psnr: 2)"),
        ],
    )
    def test_of_a_run(self, run, checkpoint, step, told):
        network, origin = generators.load_generator(run.path, "yx", checkpoint=checkpoint)
        assert {float(weights.max()) for weights in network.get_weights()} == {step}
        assert origin == f"{run.checkpoints}/{told}"

    def test_the_best_is_the_default(self, run):
        assert (
            generators.load_generator(run.path, "xy")[1]
            == generators.load_generator(run.path, "xy", None, "best")[1]
        )

    def test_a_run_without_scores_gives_its_newest_and_says_so(self, run, tmp_path):
        shutil.copytree(run.path, tmp_path / "run")
        shutil.rmtree(tmp_path / "run" / "checkpoints" / "best")
        network, origin = generators.load_generator(tmp_path / "run", "xy")
        assert {float(weights.max()) for weights in network.get_weights()} == {20}
        assert origin.endswith("(step 20, raw weights, newest; no scores have chosen a best one)")

    def test_what_is_not_there(self, run, tmp_path):
        RunDirectory(tmp_path / "new").create(experiment(), {})
        (tmp_path / "weights.h5").touch()
        file = tmp_path / "network.keras"
        file.touch()
        cases = [
            (run.path, "11", ("missing", "--checkpoint")),
            (tmp_path, "best", ("missing", str(tmp_path))),
            (tmp_path / "new", "best", ("missing", str(tmp_path / "new"))),
            (tmp_path / "new", "last", ("missing", str(tmp_path / "new"))),
            (tmp_path / "nowhere", "best", ("missing", str(tmp_path / "nowhere"))),
            (tmp_path / "weights.h5", "best", ("unsupported", str(tmp_path / "weights.h5"))),
            (file, "last", ("invalid", "--checkpoint")),
            (file, "best", ("unreadable", str(file))),
        ]
        for target, checkpoint, expected in cases:
            with refused(["invalid", "missing", "unreadable", "unsupported"]) as caught:
                generators.load_generator(target, "xy", checkpoint=checkpoint)
            assert (caught.value.code, caught.value.field) == expected

    def test_of_a_file(self, run, tmp_path):
        network, _ = generators.load_generator(run.path, "xy", "mixed_bfloat16")
        network.save(tmp_path / "network.keras")
        kept, origin = generators.load_generator(tmp_path / "network.keras", "xy")
        plain, _ = generators.load_generator(tmp_path / "network.keras", "xy", "float32")
        assert origin == str(tmp_path / "network.keras")
        policies = [n.get_layer("first").dtype_policy.name for n in (kept, plain)]
        assert policies == ["mixed_bfloat16", "float32"]
        for weights in (kept.get_weights(), plain.get_weights()):
            assert {float(w.max()) for w in weights} == {15}


def test_a_generator_of_an_open_checkpoint(run):
    chosen = generators.open_checkpoint(run, "10")
    assert (chosen.step, chosen.weights) == (10, "raw")
    network = generators.generator_of_run(run, chosen, "yx", "float32")
    assert network.name == "generator_yx"
    assert {float(weights.max()) for weights in network.get_weights()} == {10}


@pytest.mark.parametrize("scale", [TrainingScale("area", 64), TrainingScale("full"), None])
def test_a_file_keeps_the_scale_of_its_training(scale, tmp_path):
    network = assembly.build_generator(experiment(), "xy", "float32")
    generators.save_generator(network, tmp_path / "g.keras", scale)
    assert generators.training_scale(tmp_path / "g.keras", "xy") == scale


def test_a_file_keeps_the_ranges_and_the_cutting_of_its_training(tmp_path):
    network = assembly.build_generator(experiment(), "xy", "float32")
    generators.save_generator(network, tmp_path / "plain.keras", None)
    assert targets.ranges(tmp_path / "plain.keras", "xy") == FULL_RANGES
    assert targets.cutting(tmp_path / "plain.keras") == AXIAL
    pair = RangePair(None, ValueRange(-1000, 3000, "int16"))
    cutting = Cutting("sagittal", 1)
    generators.save_generator(network, tmp_path / "g.keras", TrainingScale("full"), pair, cutting)
    assert targets.ranges(tmp_path / "g.keras", "xy") == pair
    assert targets.cutting(tmp_path / "g.keras") == cutting
    assert generators.training_scale(tmp_path / "g.keras", "xy") == TrainingScale("full")


def test_a_run_and_its_files_say_the_same(tiny_run):
    said = TrainingScale("area", 16)
    assert generators.training_scale(tiny_run, "yx") == said
    assert generators.training_scale(tiny_run / "generator_yx.keras", "yx") == said


def test_a_run_knows_the_shape_of_its_images_by_domain(tiny_run_copy):
    run = RunDirectory(tiny_run_copy)
    record = json.loads(run.data_path.read_text())
    assert record["aspects"] == {"x": 1.0, "y": 1.0}
    run.data_path.write_text(json.dumps({**record, "aspects": {"x": 1.5, "y": 0.75}}))
    for direction, aspect in (("xy", 1.5), ("yx", 0.75)):
        scale = generators.training_scale(tiny_run_copy, direction)
        assert scale == TrainingScale("area", 16, aspect)
    run.data_path.write_text(json.dumps({**record, "aspects": {"x": "wide"}}))
    with refused("unreadable", str(run.data_path)):
        generators.training_scale(tiny_run_copy, "xy")


def test_a_direction_has_the_domains_names_where_a_run_knows_them(tiny_run, monkeypatch):
    assert generators.direction_name(tiny_run, "xy") == "xy"
    assert generators.direction_name(tiny_run / "generator_yx.keras", "yx") == "yx"
    named = plan_training([*tiny.WORDS, "--data.source", "horse2zebra"]).experiment
    monkeypatch.setattr(RunDirectory, "experiment", lambda run: named)
    assert generators.direction_name(tiny_run, "yx") == "yx (zebra to horse)"
