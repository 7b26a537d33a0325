"""Trained generators out of run directories and `.keras` files."""

import shutil

import numpy as np
import pytest

from cyclegan_tf import assembly
from cyclegan_tf.errors import UserError
from cyclegan_tf.runs import checkpoints, generators, state
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.plan import plan_training
from tests.helpers import tiny


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
        with pytest.raises(
            UserError, match=r"--checkpoint is '11'; take best, last, .*: 10, 15, 20\."
        ):
            generators.load_generator(run.path, "xy", checkpoint="11")
        with pytest.raises(UserError, match="not a run directory"):
            generators.load_generator(tmp_path, "xy")
        RunDirectory(tmp_path / "new").create(experiment(), {})
        for checkpoint in ("best", "last"):
            with pytest.raises(UserError, match="has no checkpoint yet; train it first"):
                generators.load_generator(tmp_path / "new", "xy", checkpoint=checkpoint)
