"""Our networks of Keras's own layers: the same numbers, in processes without this package, too."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from cyclegan_tf.networks import addons, files
from cyclegan_tf.networks.builders import build_discriminator, build_generator
from cyclegan_tf.networks.color_skip import ColorSkip
from cyclegan_tf.networks.contrib import ContribInstanceNormalization
from cyclegan_tf.networks.keras_only import keras_only, with_own_layers
from cyclegan_tf.networks.layers import InstanceNormalization, ReflectionPadding2D
from tests.helpers.errors import refused
from tests.helpers.preloaded import run_code

# Every architecture, and every value of every option.
CHOICES = {
    "resnet_9blocks": {"blocks": None},
    "resnet_6blocks": {"norm_affine": True, "dropout": True},
    "fast_style": {"upsampling": "resize", "color_skip": True, "long_skips": True},
    "antialiased": {"architecture": "resnet_6blocks", "upsampling": "antialiased"},
    "batch": {"architecture": "resnet_6blocks", "norm": "batch", "color_skip": True},
    "channels": {"architecture": "fast_style", "input_channels": 2, "output_channels": 5},
    "unet_256": {"blocks": None, "dropout": True},
    "unet_128": {"blocks": None, "upsampling": "resize", "norm_affine": True, "color_skip": True},
    "unet_batch": {"architecture": "unet_128", "blocks": None, "norm": "batch"},
}


def made(name):
    """A small network whose weights are far from those of a start, as after training."""
    options = {"architecture": name, "blocks": 1, "filters": 2, "seed": 5, **CHOICES[name]}
    network = build_generator(options.pop("architecture"), **options)
    rng = np.random.default_rng(3)
    for variable in network.trainable_variables:
        variable.assign(variable + rng.normal(0, 0.1, variable.shape))
    for layer in network.layers:
        if isinstance(layer, ColorSkip):
            layer.initialize(np.diag([1.2, 0.8, 0.9]), [0.1, -0.1, 0.2])
    return network


def images(network, side):
    shape = (2, side, side, network.input_shape[-1])
    return np.random.default_rng(4).uniform(-1, 1, shape).astype(np.float32)


def far(one, other, given):
    """Largest difference of the results, in steps of 8 bits."""
    results = [np.asarray(network(given, training=False)) for network in (one, other)]
    assert np.std(results[0]) > 0.05  # not all alike
    return 127.5 * np.abs(results[0] - results[1]).max()


@pytest.mark.parametrize("name", CHOICES)
def test_there_and_back_the_numbers_are_the_same(name):
    network = made(name)
    plain = keras_only(network)
    back = with_own_layers(plain)
    for side in (256, 512) if name == "unet_256" else (128, 256) if "unet" in name else (32, 64):
        given = images(network, side)
        assert far(network, plain, given) < 0.05
        assert far(network, back, given) < 0.05
    ours = (InstanceNormalization, ReflectionPadding2D)
    there, again = (
        [layer.name for layer in one.layers if isinstance(layer, ours)] for one in (network, back)
    )
    assert there == again
    assert plain.input_shape == network.input_shape
    assert [one.shape for one in plain.trainable_variables if "colour_skip" not in one.path] == [
        one.shape for one in network.trainable_variables if "colour_skip" not in one.path
    ]


BY_KERAS_ALONE = """
import os, sys
sys.modules["cyclegan_tf"] = None  # an import of it fails
import keras, numpy as np
assert keras.backend.backend() == BACKEND
folder = FOLDER
for name in NAMES:
    network = keras.saving.load_model(os.path.join(folder, name + ".keras"), compile=False)
    given = np.load(os.path.join(folder, name + ".npy"))
    made = keras.ops.convert_to_numpy(network(given, training=False))
    np.save(os.path.join(folder, f"{name}_{BACKEND}.npy"), made)
print("fine")
"""


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder of files, images and what the networks make of them."""
    folder = tmp_path_factory.mktemp("keras_only")
    for name in CHOICES:
        network = made(name)
        given = images(network, 256 if "256" in name else 128 if "unet" in name else 48)
        keras_only(network).save(folder / f"{name}.keras")
        np.save(folder / f"{name}.npy", given)
        np.save(folder / f"{name}_ours.npy", network(given, training=False))
    return folder


def code(backend, folder):
    values = {"BACKEND": backend, "FOLDER": str(folder), "NAMES": list(CHOICES)}
    return "".join(f"{name} = {value!r}\n" for name, value in values.items()) + BY_KERAS_ALONE


def check(folder, backend):
    for name in CHOICES:
        ours, theirs = (np.load(folder / f"{name}_{kind}.npy") for kind in ("ours", backend))
        assert 127.5 * np.abs(ours - theirs).max() < 0.1, name
        assert files.classes_by_package(folder / f"{name}.keras") == {}


def test_keras_alone_opens_them_on_tensorflow(saved, tmp_path):
    status, output = run_code(code("tensorflow", saved), tmp_path)
    assert (status, output) == (0, "fine\n")
    check(saved, "tensorflow")


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["torch", "jax"])
def test_keras_alone_opens_them_on_other_backends(saved, backend):
    pytest.importorskip(backend)
    done = subprocess.run(
        [sys.executable, "-I", "-c", code(backend, saved)],
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "fine\n", done.stderr
    check(saved, backend)


def test_precision_holds_on_almost_flat_images():
    """Where a mean is far above the deviation, E[x^2] - E[x]^2 has no digits left."""
    network = build_generator("resnet_6blocks", blocks=1, filters=4, seed=1)
    given = np.full((1, 32, 32, 3), 0.97, np.float32)
    given += np.random.default_rng(0).normal(0, 1e-3, given.shape).astype(np.float32)
    results = [np.asarray(one(given)) for one in (network, keras_only(network))]
    assert 127.5 * np.abs(results[0] - results[1]).max() < 0.1


def test_a_discriminator_has_its_copy_too():
    network = build_discriminator(filters=2, n_layers=2, seed=1)
    given = images(network, 32)
    np.testing.assert_allclose(keras_only(network)(given), network(given), atol=1e-5)


def test_models_within_models_and_layers_called_twice():
    padding = ReflectionPadding2D((1, 2), name="pad")
    inner = keras.Sequential([keras.Input((None, None, 3)), padding, InstanceNormalization()])
    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, padding(inner(inputs)))
    plain = keras_only(network)
    given = images(network, 16)
    np.testing.assert_allclose(plain(given), network(given), atol=1e-5)
    assert plain(given).shape == (2, 20, 24, 3)


def test_group_normalization_of_tensorflow_addons():
    inputs = keras.Input((None, None, 4))
    network = keras.Model(inputs, addons.GroupNormalization(groups=2)(inputs))
    given = images(network, 16)
    np.testing.assert_allclose(keras_only(network)(given), network(given), atol=1e-5)
    assert with_own_layers(keras_only(network)).layers[1].groups == 2


@pytest.mark.parametrize(
    "options", [{}, {"axis": -1}, {"axis": 3, "scale": False}, {"center": False, "scale": False}]
)
def test_instance_normalization_of_keras_contrib(options):
    inputs = keras.Input((None, None, 3))
    layer = ContribInstanceNormalization(name="norm", **options)
    network = keras.Model(inputs, layer(inputs))
    for variable in network.variables:
        variable.assign(np.random.default_rng(1).normal(0.5, 0.3, variable.shape))
    given = images(network, 16)
    np.testing.assert_allclose(keras_only(network)(given), network(given), atol=1e-5)


def test_a_layer_without_a_counterpart_is_named():
    inputs = keras.Input((8, 8, 3))
    network = keras.Model(inputs, ContribInstanceNormalization(axis=1, name="odd")(inputs))
    with refused("unsupported", match=r"the layer odd \(ContribInstanceNormalization\) is none"):
        keras_only(network)


def test_a_network_that_holds_none_of_them_is_returned_itself():
    inputs = keras.Input((None, None, 3))
    network = keras.Model(inputs, keras.layers.ReLU()(inputs))
    assert with_own_layers(network) is network
