"""Networks for phones: the same numbers, a fixed size, no operation that splits the graph."""

import keras
import numpy as np
import pytest

from cyclegan_tf.export.litert.mobile_network import mobile_network
from cyclegan_tf.networks.builders import build_generator


def shaken(architecture, **options):
    """Weights drawn large enough to matter, biases and factors away from 0 and 1."""
    network = build_generator(architecture, **{"filters": 4, "seed": 2, **options})
    rng = np.random.default_rng(3)
    for variable in network.trainable_variables:
        scale = 6.0 if variable.name == "kernel" else 1.0
        variable.assign(
            variable.numpy() * scale
            + (variable.name != "kernel") * rng.uniform(-0.5, 0.5, variable.shape)
        )
    return network


CASES = [
    ("resnet_9blocks", {"blocks": 2}, 32),
    ("resnet_6blocks", {"blocks": 1, "upsampling": "resize"}, 20),
    ("resnet_6blocks", {"blocks": 1, "upsampling": "antialiased"}, 20),
    ("resnet_6blocks", {"blocks": 1, "norm_affine": True, "dropout": True}, 16),
    ("fast_style", {"blocks": 1, "input_channels": 1, "output_channels": 2}, 32),
    ("resnet_6blocks", {"blocks": 1, "input_channels": 6, "output_channels": 5}, 16),
    ("unet_128", {}, 128),
]


@pytest.mark.parametrize(("architecture", "options", "size_px"), CASES)
def test_the_same_numbers(architecture, options, size_px):
    network = shaken(architecture, **options)
    mobile = mobile_network(network, size_px)
    shape = (1, size_px, size_px, options.get("input_channels", 3))
    assert mobile.input_shape == shape
    image = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    wanted = network(image).numpy()
    assert wanted.std() > 0.1
    np.testing.assert_allclose(mobile(image), wanted, atol=2e-5)


def test_a_mobile_network_is_a_copy():
    network = shaken("resnet_6blocks", blocks=1)
    mobile = mobile_network(network, 16)
    before = network.get_weights()[0].copy()
    mobile.set_weights([weight + 1 for weight in mobile.get_weights()])
    np.testing.assert_array_equal(network.get_weights()[0], before)
    assert len(mobile.get_weights()) == len(network.get_weights())


@pytest.mark.parametrize("padding", [1, 2, 3, 4, 5])
def test_padding_out_of_slices(padding):
    from cyclegan_tf.networks.layers import ReflectionPadding2D

    inputs = keras.Input((None, None, 2))
    network = keras.Model(inputs, ReflectionPadding2D((padding, padding - 1))(inputs))
    image = np.random.default_rng(0).normal(size=(1, 7, 7, 2)).astype(np.float32)
    np.testing.assert_array_equal(mobile_network(network, 7)(image), network(image))
