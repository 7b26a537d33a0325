"""Networks recognized by shapes, against the tutorials' networks computed in NumPy."""

import keras
import numpy as np
import pytest

from cyclegan_tf.convert.keras2.tutorials import MismatchError, recognize_tutorial
from cyclegan_tf.convert.keras2.weights import Stored
from tests.helpers.keras2 import resnet_arrays, run_resnet, run_unet, unet_arrays


def stored(arrays):
    return [Stored(name.split("/")[-1].split(":")[0], array) for name, array in arrays]


def images(height, width, channels=3):
    return np.random.default_rng(7).uniform(-1, 1, (2, height, width, channels)).astype(np.float32)


@pytest.mark.parametrize(
    ("filters", "downs", "blocks", "channels", "out"),
    [(2, 1, 1, 3, 3), (2, 2, 2, 3, 3), (3, 2, 1, 1, 4)],
)
def test_the_residual_generator(filters, downs, blocks, channels, out):
    arrays = resnet_arrays(filters, downs, blocks, channels, out)
    found = recognize_tutorial(stored(arrays))
    x = images(16, 12, channels)
    np.testing.assert_allclose(found.network(x), run_resnet(arrays, x, downs, blocks), atol=1e-5)
    assert f"filters {filters}, blocks {blocks}" in found.description
    assert "epsilon 0.001" in found.description


@pytest.mark.parametrize(
    ("names", "epsilon"),
    [(("scale", "offset"), 1e-5), (("gamma", "beta"), 1e-3)],
    ids=["pix2pix", "addons"],
)
@pytest.mark.parametrize(("depth", "channels", "out"), [(2, 3, 3), (4, 1, 2)])
def test_the_u_net(depth, channels, out, names, epsilon):
    arrays = unet_arrays(2, depth, channels, out, names=names)
    x = images(32, 48, channels)
    found = recognize_tutorial(stored(arrays))
    np.testing.assert_allclose(found.network(x), run_unet(arrays, x, depth, epsilon), atol=1e-5)
    assert f"filters 2, depth {depth}" in found.description
    assert f"epsilon {epsilon:g}" in found.description


@pytest.mark.parametrize(
    ("arrays", "run", "epsilon", "other"),
    [
        (unet_arrays(2, 3), lambda arrays, x: run_unet(arrays, x, 3, 1e-5), "1e-05", "0.001"),
        (resnet_arrays(), lambda arrays, x: run_resnet(arrays, x, epsilon=1e-3), "0.001", "1e-05"),
    ],
    ids=["unet", "resnet"],
)
def test_without_names_the_tutorials_own_norm_is_taken_and_noted_as_a_guess(
    arrays, run, epsilon, other
):
    found = recognize_tutorial([Stored("", array) for _, array in arrays])
    x = images(16, 24)
    np.testing.assert_allclose(found.network(x), run(arrays, x), atol=1e-5)
    assert (
        f"epsilon {epsilon} (a guess, as the file holds no names: it may be {other})"
        in found.description
    )


def test_dropout_works_in_training_only():
    network = recognize_tutorial(stored(unet_arrays(2, 5))).network
    assert sum(isinstance(layer, keras.layers.Dropout) for layer in network.layers) == 3
    x = images(32, 32)
    np.testing.assert_array_equal(network(x), network(x, training=False))
    assert np.abs(network(x, training=True) - network(x)).max() > 1e-3


def without(arrays, *places):
    return [array for place, array in enumerate(arrays) if place not in places]


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ([], "holds no weights"),
        (
            [("a/kernel:0", np.zeros((4, 5), np.float32))],
            r"array 1, kernel of shape \(4, 5\), fits none",
        ),
        (resnet_arrays()[1:], r"array 1, gamma of shape \(2,\), fits none"),
        (resnet_arrays()[:-1], r"array 16, kernel of shape \(7, 7, 2, 3\), fits none"),
        (without(resnet_arrays(), 2), r"array 1, kernel of shape \(7, 7, 3, 2\), fits none"),
        # one of the two convolutions of the block is missing
        (
            without(resnet_arrays(), 9, 10, 11),
            r"array 10, kernel of shape \(3, 3, 2, 4\), fits none",
        ),
        (without(unet_arrays(), 5), r"array 5, kernel of shape \(4, 4, 4, 8\), fits none"),
        (
            resnet_arrays() + resnet_arrays()[-2:],
            r"array 16, kernel of shape \(7, 7, 2, 3\), fits none",
        ),
    ],
    ids=[
        "nothing",
        "dense",
        "no kernel first",
        "no bias",
        "no beta",
        "half a block",
        "half a norm",
        "two ends",
    ],
)
def test_others_are_refused_by_the_first_array_that_does_not_fit(arrays, message):
    with pytest.raises(MismatchError, match=message):
        recognize_tutorial(stored(arrays))
