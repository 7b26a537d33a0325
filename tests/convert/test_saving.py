"""Files of networks from elsewhere: whole, and only if they give the same images."""

import math
from pathlib import Path

import keras
import numpy as np
import pytest

from cyclegan_tf.convert import saving
from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.runs import checkpoints, state
from cyclegan_tf.runs.run_directory import RunDirectory
from tests.helpers.errors import refused


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


def test_a_network_that_cannot_be_run_is_not_written(tmp_path):
    """A number in its description that no layer minds before it is called."""
    huge = keras.layers.Conv2D(2, 3, padding="same", dilation_rate=2**40)
    network = keras.Sequential([keras.Input((None, None, 3)), huge])
    with refused("unreadable", tmp_path / "g.keras", match="cannot be run on an image"):
        saving.save_checked(network, tmp_path / "g.keras")
    assert list(tmp_path.iterdir()) == []


def dense(*shapes):
    """From vectors to whatever these shapes are."""
    inputs = keras.Input((10,))
    outputs = [
        keras.layers.Reshape(shape)(keras.layers.Dense(math.prod(shape))(inputs))
        for shape in shapes
    ]
    return keras.Model(inputs, outputs if len(outputs) > 1 else outputs[0])


@pytest.mark.parametrize(
    ("network", "words"),
    [
        (dense((28, 28, 1)), r"takes \(N, 10\) and gives \(N, 28, 28, 1\); a network"),
        (dense((2,), (4,)), r"gives \(N, 2\) and \(N, 4\); a network"),
        (
            keras.Sequential([keras.Input((None, None, 3)), keras.layers.GlobalAveragePooling2D()]),
            r"takes \(N, any, any, 3\) and gives \(N, 3\); a network",
        ),
    ],
    ids=["noise to image", "two outputs", "classifier"],
)
def test_what_is_not_from_images_to_images_is_refused(network, words):
    with refused("unsupported", "a.h5", match=rf"a\.h5 .*{words}"):
        saving.require_images(network, Path("a.h5"))


def test_networks_that_translate_keep_any_size():
    saving.require_images(small(), Path("a.h5"))
    assert saving.why_not_translated(small()) is None
    halving = keras.Sequential([keras.Input((None, None, 3)), keras.layers.Conv2D(1, 4, 2)])
    assert saving.why_not_translated(halving) == "of an image of 8 x 8 px it makes 3 x 3"
    fixed = keras.Sequential([keras.Input((8, 12, 2)), keras.layers.Reshape((8, 12, 2))])
    assert saving.why_not_translated(fixed) == "it takes images of 8 x 12 px only"


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
    with refused(
        "unwritable", match="was not written: read again, the network gives images that are"
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
