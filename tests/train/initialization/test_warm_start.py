"""Starting from another run's weights: all of a network's or none, and in words what was taken."""

import re

import numpy as np
import pytest

from cyclegan_tf import assembly
from cyclegan_tf.runs import checkpoints, state
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.initialization.warm_start import initialize
from cyclegan_tf.train.plan import plan_training
from tests.helpers import tiny
from tests.helpers.errors import refused


def experiment(*words):
    return plan_training([*tiny.WORDS, "--data.source", "x", *words]).experiment


def networks_of(*words):
    e = experiment(*words)
    networks = {f"generator_{way}": assembly.build_generator(e, way) for way in ("xy", "yx")}
    for domain, weight in (("x", e.loss.adversarial_x), ("y", e.loss.adversarial_y)):
        if weight:
            networks[f"discriminator_{domain}"] = assembly.build_discriminator(e, domain)
    return networks


def write_run(path, *words, whole=(10, 20), best=None):
    """A run in which every number of a checkpoint is its step; the best one's is the step too."""
    run = RunDirectory(path)
    run.create(experiment(*words), {})
    values = {}
    for name, network in networks_of(*words).items():
        values |= state.snapshot(state.network_variables(network, name))
    # more that a whole checkpoint holds, with names that begin alike
    others = dict.fromkeys(("generator_optimizer/0000_iteration",
        "discriminator_optimizer/0000_iteration",
                            "average/generator_xy/first/kernel"), np.zeros(3))  # fmt: skip
    for step in whole:
        arrays = {n: np.full_like(a, step) for n, a in (values | others).items()}
        checkpoints.write(run.checkpoints, step, arrays, {"step": step}, None)
    if best is not None:
        arrays = {
            n: np.full_like(a, best)
            for n, a in values.items()
            if n.split("/")[0] in state.GENERATORS
        }
        state_of_best = {
            "step": best,
            "score": 2.0,
            "higher_is_better": True,
            "best_by": "psnr",
            "weights": "averaged",
        }
        checkpoints.write_best(run.checkpoints, best, arrays, state_of_best)
    return run


def numbers(network):
    return {float(number) for array in network.get_weights() for number in np.unique(array)}


@pytest.mark.parametrize(
    ("checkpoint", "generators", "discriminators"),
    [("best", 12, 10), ("last", 20, 20), ("10", 10, 10)],
)
def test_the_checkpoint_that_was_asked_for_and_the_nearest_discriminators(
    tmp_path, checkpoint, generators, discriminators
):
    run = write_run(tmp_path / "run", best=12)
    networks = networks_of()
    record = initialize(networks, run.path, checkpoint)
    assert [numbers(networks[name]) for name in state.NETWORKS] == [{generators}] * 2 + [
        {discriminators}
    ] * 2
    assert record["generators"]["step"] == generators
    assert record["discriminators"]["discriminator_x"] == {
        "file": f"checkpoints/step_{discriminators:09d}.npz", "step": discriminators,
    }  # fmt: skip
    assert record["path"] == str(run.path.resolve())
    if checkpoint == "best":
        assert record["generators"] == {
            "file": "checkpoints/best/step_000000012.npz", "step": 12, "weights": "averaged",
        }  # fmt: skip
        assert "averaged weights, best psnr: 2" in record["messages"][0]
        assert "step 10, the whole checkpoint nearest to step 12" in record["messages"][1]


def test_of_two_as_near_the_later_and_a_damaged_one_is_passed_over(tmp_path):
    run = write_run(tmp_path / "run", whole=(10, 20, 30), best=25)
    networks = networks_of()
    initialize(networks, run.path)
    assert numbers(networks["discriminator_x"]) == {30}
    newest = checkpoints.list_checkpoints(run.checkpoints)[0]
    newest.write_bytes(newest.read_bytes()[:500])
    initialize(networks, run.path)
    assert numbers(networks["discriminator_x"]) == {20}


def test_random_states_of_dropout_are_no_weights(tmp_path):
    run = write_run(tmp_path / "run")  # without dropout
    networks = networks_of("--generator.dropout=true")
    states = [
        v for v in networks["generator_xy"].variables if v.path.endswith("seed_generator_state")
    ]
    before = [state.numpy() for state in states]
    assert len(before) == 1
    initialize(networks, run.path)
    assert numbers(networks["generator_xy"]) == {20}
    np.testing.assert_array_equal([state.numpy() for state in states], before)


def test_colors_led_around_come_with_the_weights(tmp_path):
    run = write_run(tmp_path / "run", "--generator.color_skip=auto")
    networks = networks_of("--generator.color_skip=auto")
    initialize(networks, run.path)
    skip = networks["generator_yx"].get_layer("colour_skip")
    assert float(skip.pace.value) == 20
    assert {float(number) for number in np.unique(skip.kernel_start)} == {20}


class TestMisfits:
    @pytest.mark.parametrize(
        ("there", "here", "message"),
        [
            (
                [],
                ["--generator.filters=3"],
                r"generator_xy/first/kernel is \(7, 7, 3, 2\) there, \(7, 7, 3, 3\) here",
            ),
            ([], ["--generator.blocks=2"], "generator_xy/block2_conv1/kernel is missing there"),
            (["--generator.blocks=2"], [], "generator_xy/block2_conv1/kernel is there only"),
            (
                [],
                ["--generator.norm_affine=true"],
                "generator_xy/first_norm/gamma is missing there",
            ),
            ([], ["--generator.color_skip=auto"], "colour_skip/kernel_start is missing there"),
            (
                ["--data.channels_y=1", "--loss.identity=0"],
                [],
                r"last/kernel is \(7, 7, 2, 1\) there, \(7, 7, 2, 3\)",
            ),
        ],
    )
    def test_of_a_generator_are_named_and_nothing_is_taken(self, tmp_path, there, here, message):
        run = write_run(tmp_path / "run", *there)
        networks = networks_of(*here)
        before = {name: network.get_weights() for name, network in networks.items()}
        with refused("mismatch", "--init_from", match=message) as caught:
            initialize(networks, run.path)
        assert "step_000000020.npz does not fit this experiment, and nothing was taken" in str(
            caught.value
        )
        for name, network in networks.items():
            for a, b in zip(network.get_weights(), before[name], strict=True):
                np.testing.assert_array_equal(a, b)

    def test_at_most_three_are_named_and_the_others_counted(self, tmp_path):
        run = write_run(tmp_path / "run")
        with refused("mismatch", "--init_from"):
            initialize(networks_of("--generator.filters=3"), run.path)

    @pytest.mark.parametrize(
        ("there", "here", "message"),
        [
            (
                [],
                ["--discriminator.filters=3"],
                r"discriminator_x starts anew: discriminator_x/conv1/kernel is \(4",
            ),
            (
                [],
                ["--discriminator.n_layers=2"],
                "discriminator_x starts anew: .*conv3/kernel is missing there",
            ),
            (
                ["--loss.adversarial_x=0"],
                [],
                "discriminator_x starts anew: discriminator_x/conv1/kernel is missing",
            ),
        ],
    )
    def test_of_a_discriminator_leave_it_as_it_is(self, tmp_path, there, here, message):
        run = write_run(tmp_path / "run", *there)
        networks = networks_of(*here)
        before = networks["discriminator_x"].get_weights()
        record = initialize(networks, run.path)
        for a, b in zip(networks["discriminator_x"].get_weights(), before, strict=True):
            np.testing.assert_array_equal(a, b)
        assert numbers(networks["generator_xy"]) == {20}
        assert record["discriminators"]["discriminator_x"] is None
        assert any(re.match(message, line) for line in record["messages"]), record["messages"]
        if there:  # the other discriminator has been trained
            assert numbers(networks["discriminator_y"]) == {20}

    def test_without_a_whole_checkpoint_there_are_no_discriminators(self, tmp_path):
        run = write_run(tmp_path / "run", whole=(), best=5)
        networks = networks_of()
        record = initialize(networks, run.path)
        assert record["discriminators"] == {"discriminator_x": None, "discriminator_y": None}
        assert "discriminator_y starts anew: there is no whole checkpoint" in record["messages"]
        assert numbers(networks["generator_yx"]) == {5}


def test_what_is_not_there(tmp_path):
    with refused("missing", match="is not a run directory"):
        initialize({}, tmp_path)
    run = write_run(tmp_path / "run", whole=())
    with refused("missing", "--init_from", match=r"--init_from .* has no checkpoint yet"):
        initialize(networks_of(), run.path)
    run = write_run(tmp_path / "other")
    with refused(
        "missing",
        "--init_checkpoint",
        match=r"--init_checkpoint is '11'; take best, last, .*: 10, 20\.",
    ):
        initialize(networks_of(), run.path, "11")
