"""Files of networks from elsewhere: whole, and only if they give the same images."""

import keras
import numpy as np
import pytest

from cyclegan_tf.convert import saving
from cyclegan_tf.errors import UserError
from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.runs import checkpoints, state
from cyclegan_tf.runs.run_directory import RunDirectory


def small(seed=0, **options):
    return build_generator("resnet_6blocks", filters=2, blocks=1, seed=seed, **options)


def test_what_is_saved_answers_the_same(tmp_path):
    network = small()
    saving.save_checked(network, tmp_path / "deep" / "g.keras")
    loaded = keras.saving.load_model(tmp_path / "deep" / "g.keras")
    image = np.random.default_rng(1).uniform(-1, 1, (1, 12, 16, 3)).astype(np.float32)
    np.testing.assert_array_equal(loaded(image), network(image))
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["g.keras"]


def test_networks_of_one_size_are_compared_at_it(tmp_path):
    fixed = keras.Sequential([keras.Input((8, 12, 2)), keras.layers.Conv2D(3, 3, padding="same")])
    saving.save_checked(fixed, tmp_path / "g.keras")
    assert (tmp_path / "g.keras").exists()


@keras.saving.register_keras_serializable(package="tests")
class Forgetful(keras.layers.Layer):
    """Does not save its factor."""

    def __init__(self, factor=1.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def call(self, inputs):
        return self.factor * inputs

    def get_config(self):
        config = super().get_config()
        config.pop("factor", None)
        return config


@pytest.mark.parametrize("factor", [2.0, float("nan")])
def test_what_would_answer_differently_is_not_saved(tmp_path, factor):
    network = keras.Sequential([keras.Input((None, None, 3)), Forgetful(factor)])
    (tmp_path / "g.keras").write_bytes(b"before")
    with pytest.raises(
        UserError, match="was not written: read again, the network gives images that are"
    ):
        saving.save_checked(network, tmp_path / "g.keras")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [
        ("g.keras", b"before")
    ]


def test_a_run_at_step_0_is_a_checkpoint_and_two_files(tmp_path):
    generators = {"generator_xy": small(1), "generator_yx": small(2, dtype_policy="mixed_bfloat16")}
    named = {}
    for attribute, network in generators.items():
        named |= state.network_variables(network, attribute)
    saving.write_initial_checkpoint(RunDirectory(tmp_path), generators, named)
    arrays, scalars = checkpoints.read(tmp_path / "checkpoints" / "step_000000000.npz")
    assert (scalars["step"], scalars["seconds"]) == (0, 0.0)
    assert set(arrays) == set(named)
    for attribute, network in generators.items():
        loaded = keras.saving.load_model(tmp_path / f"{attribute}.keras")
        assert {layer.compute_dtype for layer in loaded.layers} == {"float32"}
        for mine, theirs in zip(loaded.get_weights(), network.get_weights(), strict=True):
            np.testing.assert_array_equal(mine, theirs)
