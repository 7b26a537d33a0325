"""Everything a training must remember, by stable names."""

import numpy as np
import pytest

from cyclegan_tf import assembly
from cyclegan_tf.runs import state
from cyclegan_tf.train.plan import plan_training
from tests.helpers import tiny
from tests.helpers.errors import refused


@pytest.fixture(scope="module")
def model():
    experiment = plan_training(
        [*tiny.WORDS, "--data.source", "x", "--generator.dropout=true"]
    ).experiment
    return assembly.build_model(experiment)


def test_everything_is_there_once(model):
    named = state.variables(model)
    assert len({id(variable) for variable in named.values()}) == len(named)
    kinds = {name.split("/")[0] for name in named}
    assert kinds == {
        *state.NETWORKS,
        "generator_optimizer",
        "discriminator_optimizer",
        "pool_x",
        "pool_y",
        "tracker",
        "penalty_seed",
    }
    weights = sum(len(getattr(model, name).weights) for name in state.NETWORKS)
    assert (
        len([name for name in named if name.split("/")[0] in state.NETWORKS]) > weights
    )  # dropout's random states
    moments = [name for name in named if name.startswith("generator_optimizer/")]
    assert len(moments) == 2 * len(model.generator_variables) + 2  # Adam's two, iterations and rate
    assert any("seed_generator_state" in name for name in named if name.startswith("generator_xy/"))


def test_names_are_the_same_for_a_model_made_again(model):
    experiment = plan_training(
        [*tiny.WORDS, "--data.source", "x", "--generator.dropout=true"]
    ).experiment
    assert list(state.variables(assembly.build_model(experiment))) == list(state.variables(model))


def test_snapshot_and_restore(model):
    named = state.variables(model)
    before = state.snapshot(named)
    for variable in named.values():
        variable.assign(np.ones(variable.shape))
    state.restore(named, before, "here")
    for name, variable in named.items():
        np.testing.assert_array_equal(variable.numpy(), before[name])


def test_nothing_is_assigned_unless_all_fits(model):
    named = state.variables(model)
    arrays = state.snapshot(named)
    changed = {name: array + 1 for name, array in arrays.items()}
    last = list(changed)[-1]
    with refused(
        "mismatch", "there.npz", match=f"there.npz does not fit this experiment: it holds no {last}"
    ) as missing:
        state.restore(named, {name: a for name, a in changed.items() if name != last}, "there.npz")
    first = next(iter(changed))
    with refused("mismatch", "there.npz", match=r"has the shape \(3,\) there") as shape:
        state.restore(named, changed | {first: np.zeros(3)}, "there.npz")
    for caught in (missing, shape):
        assert (caught.value.code, caught.value.field) == ("mismatch", "there.npz")
    for name, variable in named.items():
        np.testing.assert_array_equal(variable.numpy(), arrays[name])
