"""keras_contrib's normalization against its formula in NumPy; files that hold foreign layers."""

import keras
import numpy as np
import pytest

from cyclegan_tf.networks.addons import GroupNormalization
from cyclegan_tf.networks.contrib import ContribInstanceNormalization
from tests.helpers.preloaded import run_code


def noise(*shape):
    return np.random.default_rng(0).normal(2.0, 3.0, shape).astype(np.float32)


def normalized(x, axis, epsilon, gamma, beta):
    axes = tuple(other for other in range(1, x.ndim) if axis is None or other != axis % x.ndim)
    x = x.astype(np.float64)
    unit = (x - x.mean(axes, keepdims=True)) / (x.std(axes, keepdims=True) + epsilon)
    shape = [-1 if axis is not None and other == axis % x.ndim else 1 for other in range(x.ndim)]
    return unit * gamma.reshape(shape) + beta.reshape(shape)


@pytest.mark.parametrize(
    ("shape", "axis"), [((2, 5, 4, 3), -1), ((2, 5, 4, 3), None), ((2, 3, 5, 4), 1), ((2, 7, 3), 2)]
)
def test_the_formula(shape, axis):
    x = noise(*shape)
    layer = ContribInstanceNormalization(axis, epsilon=0.3)
    layer.build(x.shape)
    gamma, beta = (noise(*weight.shape) for weight in layer.weights)
    layer.set_weights([gamma, beta])
    truth = normalized(x, axis, 0.3, gamma, beta)
    np.testing.assert_allclose(layer(x), truth, atol=1e-5 * np.abs(truth).max())


def test_settings_survive_and_unwanted_weights_are_not_made():
    layer = ContribInstanceNormalization(-1, 0.1, center=False, gamma_constraint="non_neg")
    again = ContribInstanceNormalization.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    again.build((1, 2, 2, 5))
    assert [(weight.name, weight.shape) for weight in again.weights] == [("gamma", (5,))]
    assert isinstance(again.gamma.constraint, keras.constraints.NonNeg)


def test_half_precision_has_statistics_in_float32():
    x = 1000 + noise(1, 8, 8, 2)
    layer = ContribInstanceNormalization(-1, dtype="mixed_bfloat16")
    assert np.abs(np.asarray(layer(x), np.float32)).max() < 5


def test_axis_of_images_is_refused():
    with pytest.raises(ValueError, match="axis is 0"):
        ContribInstanceNormalization(0)
    with pytest.raises(ValueError, match="needs a known size of axis -1"):
        ContribInstanceNormalization(-1).build((None, 4, 4, None))


def test_whoever_opens_a_file_knows_the_layers_of_converted_networks(tmp_path):
    """A command that opens networks imports nothing of convert, which once held these layers."""
    inputs = keras.Input((None, None, 4))
    outputs = ContribInstanceNormalization(-1)(GroupNormalization(2)(inputs))
    keras.Model(inputs, outputs).save(tmp_path / "n.keras")
    code = (
        "import sys, pathlib\n"
        "from cyclegan_tf.networks.files import open_network\n"
        f"print(open_network(pathlib.Path({str(tmp_path / 'n.keras')!r})).output_shape)\n"
        "assert not [name for name in sys.modules if 'cyclegan_tf.convert' in name]"
    )
    status, output = run_code(code, tmp_path)
    assert (status, output.splitlines()[-1]) == (0, "(None, None, None, 4)"), output
