"""Layers as Keras 2 wrote them, made anew: settings taken over, renamed, refused."""

import keras
import numpy as np
import pytest

from cyclegan_tf.convert.keras2.layers import (
    NO_CONFIG,
    from_json,
    is_known,
    make_layer,
    make_operation,
    runs_code,
)
from cyclegan_tf.errors import UserError
from cyclegan_tf.networks import addons, layers
from tests.helpers.keras2 import conv_entry, entry, norm_entry


def contrib_entry(**config):
    """A layer as keras_contrib wrote it: as tensorflow-addons, but for the groups."""
    made = norm_entry("n", "a", 3, "InstanceNormalization", **config)
    del made["config"]["groups"]
    return made


def images(*shape):
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


def made(one, rank=4, kernel_after=None, notes=None):
    return make_layer(
        one["class_name"],
        "new",
        from_json(one["config"]),
        rank,
        kernel_after,
        [] if notes is None else notes,
    )


def test_values_that_json_spells_out():
    stored = {
        "a": {"class_name": "__tuple__", "items": [1, {"class_name": "__tuple__", "items": [2]}]},
        "b": {"class_name": "TensorShape", "items": [None, 3]},
        "c": {"class_name": "__numpy__", "config": {"value": 0.5, "dtype": "float32"}},
        "d": {
            "module": "builtins",
            "class_name": "function",
            "config": "relu",
            "registered_name": "function",
        },
        "e": [{"class_name": "Zeros", "config": {}}, None, "same"],
    }
    assert from_json(stored) == {
        "a": (1, (2,)),
        "b": (None, 3),
        "c": 0.5,
        "d": "relu",
        "e": [{"class_name": "Zeros", "config": {}}, None, "same"],
    }


@pytest.mark.parametrize(
    ("kind", "config", "runs"),
    [
        ("Lambda", {"function": ["4wEAAA==", None, None]}, True),
        ("keras.layers>Lambda", {}, True),
        ("TFSMLayer", {"filepath": "somewhere"}, True),
        ("TimeDistributed", {"layer": {"class_name": "Lambda", "config": {}}}, True),
        (
            "Activation",
            {"activation": {"class_name": "__lambda__", "config": {"value": "4wEAAA=="}}},
            True,
        ),
        ("Conv2D", conv_entry("a", "b", (3, 3, 2, 2))["config"], False),
        ("Activation", {"activation": "relu"}, False),
    ],
)
def test_code_is_seen(kind, config, runs):
    assert runs_code(kind, config) is runs


@pytest.mark.parametrize(
    ("kind", "config", "known"),
    [
        ("Conv2D", {}, True),
        ("BatchNormalizationV1", {}, True),
        ("Addons>InstanceNormalization", {"axis": -1, "groups": 4}, True),
        ("InstanceNormalization", {"name": "a", "epsilon": 1e-5}, True),
        ("InstanceNormalization", {"name": "a", NO_CONFIG: True}, True),
        ("InstanceNormalization", {"name": "a", "axis": None, "epsilon": 1e-3}, False),
        ("InstanceNormalization", norm_entry("n", "a", 4)["config"], False),  # has groups
        ("InstanceNormalization", contrib_entry()["config"], True),
        ("Custom>InstanceNormalization", contrib_entry()["config"], True),
        ("Custom>ReflectionPadding2D", {}, True),
        ("TFOpLambda", {}, True),
        ("Addons>SpectralNormalization", {}, False),
        ("MyLayer", {}, False),
        ("serialize", {}, False),
    ],
)
def test_what_is_known(kind, config, known):
    assert is_known(kind, config) is known


def test_a_convolution_keeps_its_settings():
    layer = made(
        conv_entry(
            "c", "a", (3, 5, 2, 4), strides=[2, 1], padding="same", use_bias=True, activation="tanh"
        )
    )
    assert isinstance(layer, keras.layers.Conv2D)
    assert (layer.name, layer.filters, layer.kernel_size, layer.strides) == (
        "new",
        4,
        (3, 5),
        (2, 1),
    )
    assert (layer.padding, layer.use_bias, layer.activation) == (
        "same",
        True,
        keras.activations.tanh,
    )
    assert layer.compute_dtype == "float32"


def test_a_transposed_convolution_loses_the_groups_it_never_had():
    assert made(conv_entry("c", "a", (3, 3, 2, 4), "Conv2DTranspose")).filters == 2
    with pytest.raises(
        UserError, match=r"the layer new \(Conv2DTranspose\) was saved with groups=2, which"
    ):
        made(conv_entry("c", "a", (3, 3, 2, 4), "Conv2DTranspose", groups=2))
    assert made(conv_entry("c", "a", (3, 3, 2, 4), groups=2)).groups == 2


def test_leaky_relu_takes_its_slope_over():
    layer = made(entry("LeakyReLU", "l", alpha=0.125))
    np.testing.assert_array_equal(layer(np.float32([-8.0, 8.0])), [-1.0, 8.0])


def test_relu_with_settings_written_as_arrays():
    zero = {"class_name": "__numpy__", "config": {"value": 0.0, "dtype": "float32"}}
    layer = made(entry("ReLU", "r", max_value=None, negative_slope=zero, threshold=zero))
    np.testing.assert_array_equal(layer(np.float32([-8.0, 8.0])), [0.0, 8.0])


def test_batch_normalization_takes_its_axis_out_of_the_list():
    one = entry(
        "BatchNormalizationV1", "b", axis=[3], momentum=0.9, epsilon=0.5, center=True, scale=False,
        fused=True,
        renorm=False, virtual_batch_size=None, adjustment=None,
        beta_initializer={"class_name": "Zeros", "config": {}},
    )  # fmt: skip
    layer = made(one)
    assert (layer.axis, layer.momentum, layer.epsilon, layer.scale) == (3, 0.9, 0.5, False)


def test_a_half_precision_layer_computes_in_float32():
    one = conv_entry(
        "c", "a", (3, 3, 2, 4), dtype={"class_name": "Policy", "config": {"name": "mixed_float16"}}
    )
    assert made(one).compute_dtype == "float32"


def test_instance_normalization_becomes_our_own_layer():
    layer = made(norm_entry("n", "a", 6, epsilon=0.01, scale=False))
    assert type(layer) is layers.InstanceNormalization
    assert (layer.epsilon, layer.center, layer.scale) == (0.01, True, False)
    assert type(made(norm_entry("n", "a", 6, axis=3))) is layers.InstanceNormalization


@pytest.mark.parametrize(
    ("rank", "config", "kind"),
    [
        (4, {"axis": 1}, addons.InstanceNormalization),
        (3, {}, addons.InstanceNormalization),
        (
            4,
            {"beta_regularizer": {"class_name": "L2", "config": {"l2": 0.5}}},
            addons.InstanceNormalization,
        ),
        (4, {"kind": "Addons>GroupNormalization", "groups": 3}, addons.GroupNormalization),
    ],
)
def test_what_our_layer_cannot_do_is_done_by_that_of_addons(rank, config, kind):
    layer = made(norm_entry("n", "a", 6, **config), rank)
    assert type(layer) is kind
    assert layer.groups == (3 if kind is addons.GroupNormalization else -1)
    assert layer.axis == config.get("axis", -1)
    assert bool(layer.beta_regularizer) is ("beta_regularizer" in config)


def test_the_pix2pix_tutorials_norm():
    notes = []
    layer = made(entry("InstanceNormalization", "n", epsilon=0.5), notes=notes)
    x = images(2, 5, 4, 3)
    layer.build(x.shape)
    layer.set_weights([np.float32([1, 2, 3]), np.float32([4, 5, 6])])
    unit = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 0.5)
    np.testing.assert_allclose(layer(x), unit * [1, 2, 3] + [4, 5, 6], atol=1e-5)
    assert "pix2pix" in notes[0]
    assert made(entry("InstanceNormalization", "n", **{NO_CONFIG: True})).epsilon == 1e-5


@pytest.mark.parametrize("axis", [-1, 3, None])
def test_keras_contribs_norm(axis):
    notes = []
    layer = made(contrib_entry(axis=axis, epsilon=0.5, beta_constraint=None), notes=notes)
    x = images(2, 5, 4, 3)
    layer.build(x.shape)
    gamma, beta = ([1, 2, 3], [4, 5, 6]) if axis else ([2], [5])
    layer.set_weights([np.float32(gamma), np.float32(beta)])
    axes = (1, 2) if axis else (1, 2, 3)
    unit = (x - x.mean(axes, keepdims=True)) / (x.std(axes, keepdims=True) + 0.5)
    np.testing.assert_allclose(layer(x), unit * gamma + beta, atol=1e-5)
    assert "read as keras_contrib's" in notes[0]


@pytest.mark.parametrize(
    ("config", "kernel_after", "height", "width", "noted"),
    [
        ({"padding": 2}, None, 2, 2, ""),
        ({"padding": [2, 2]}, None, 2, 2, ""),
        ({"padding": {"class_name": "__tuple__", "items": [1, 3]}}, None, 3, 1, "(width, height)"),
        ({}, (7, 5), 3, 2, "taken as half the kernel of the convolution behind, (2, 3)"),
        ({NO_CONFIG: True}, (3, 3), 1, 1, "not in the file"),
    ],
)
def test_reflection_padding(config, kernel_after, height, width, noted):
    notes = []
    layer = made(entry("ReflectionPadding2D", "p", **config), 4, kernel_after, notes)
    x = images(1, 6, 7, 2)
    np.testing.assert_array_equal(
        layer(x), np.pad(x, ((0, 0), (height,) * 2, (width,) * 2, (0, 0)), mode="reflect")
    )
    assert len(notes) == bool(noted)
    assert noted in "".join(notes)


@pytest.mark.parametrize(
    ("one", "message"),
    [
        (entry("ReflectionPadding2D", "p"), "was saved without its padding"),
        (entry("ReflectionPadding2D", "p", padding=[[1, 1], [1, 2]]), "has padding"),
        (entry("Conv2D", "c", filters=2), "cannot be made anew: Conv2D.__init__() missing"),
        (entry("Activation", "c", activation="mine"), "cannot be made anew"),
        (entry("Dropout", "c", rate=0.5, color="red"), "was saved with color='red'"),
    ],
)
def test_mistakes_name_the_layer(one, message):
    with pytest.raises(UserError, match="the layer new ") as caught:
        made(one)
    assert message in str(caught.value)


def applied(function, first, **options):
    """Runs the operation on numbers: symbols stand for tensors, as while a network is built."""
    given = [item for item in (first, *options.values()) if isinstance(item, np.ndarray)]
    given += (
        [item for item in first if isinstance(item, np.ndarray)] if isinstance(first, list) else []
    )
    symbols = {id(item): keras.Input(item.shape[1:]) for item in given}

    def symbol(item):
        if isinstance(item, list) and any(isinstance(one, np.ndarray) for one in item):
            return [symbol(one) for one in item]
        return symbols.get(id(item), item)

    layer, on = make_operation(
        function, "op", symbol(first), {key: symbol(item) for key, item in options.items()}
    )
    return keras.Model(list(symbols.values()), layer(on))(given).numpy()


A, B = images(2, 4, 5, 3), images(2, 4, 5, 3) + 1


@pytest.mark.parametrize(
    ("function", "first", "options", "truth"),
    [
        ("__operators__.add", A, {"y": B}, A + B),
        ("math.add", A, {"y": 2.0}, A + 2),
        ("math.add", 2.0, {"y": A}, A + 2),
        ("math.subtract", A, {"y": B}, A - B),
        ("math.subtract", A, {"y": 2.0}, A - 2),
        ("math.subtract", 2.0, {"y": A}, 2 - A),
        ("math.multiply", A, {"y": B}, A * B),
        ("math.multiply", A, {"y": 0.5}, A * 0.5),
        ("math.multiply", 0.5, {"y": A}, A * 0.5),
        ("math.truediv", A, {"y": 4}, A / 4),
        ("concat", [A, B], {"axis": -1}, np.concatenate([A, B], axis=-1)),
        ("concat", [A, B], {"axis": 1}, np.concatenate([A, B], axis=1)),
        ("nn.relu", A, {}, np.maximum(A, 0)),
        ("nn.leaky_relu", A, {"alpha": 0.25}, np.where(A > 0, A, A / 4)),
        ("nn.leaky_relu", A, {}, np.where(A > 0, A, A / 5)),
        ("math.tanh", A, {}, np.tanh(A)),
        (
            "compat.v1.pad",
            A,
            {"paddings": [[0, 0], [2, 2], [1, 1], [0, 0]], "mode": "REFLECT"},
            np.pad(A, ((0, 0), (2, 2), (1, 1), (0, 0)), mode="reflect"),
        ),
        (
            "pad",
            A,
            {"paddings": [[0, 0], [2, 1], [1, 3], [0, 0]]},
            np.pad(A, ((0, 0), (2, 1), (1, 3), (0, 0))),
        ),
    ],
)
def test_functions_become_layers(function, first, options, truth):
    np.testing.assert_allclose(applied(function, first, **options), truth, atol=1e-6)


@pytest.mark.parametrize(
    ("function", "first", "options", "message"),
    [
        ("math.floor", A, {}, "tf.math.floor"),
        ("math.truediv", A, {"y": B}, "tf.truediv"),
        ("math.truediv", 1.0, {"y": A}, "tf.truediv"),
        (
            "pad",
            A,
            {"paddings": [[0, 0], [1, 1], [1, 1], [0, 0]], "mode": "SYMMETRIC"},
            "mode SYMMETRIC",
        ),
        (
            "pad",
            A,
            {"paddings": [[0, 0], [2, 1], [1, 1], [0, 0]], "mode": "REFLECT"},
            "mode REFLECT",
        ),
        ("pad", A, {"paddings": [[0, 0], [1, 1], [1, 1], [0, 2]]}, "mode CONSTANT"),
    ],
)
def test_other_functions_are_refused(function, first, options, message):
    with pytest.raises(UserError, match="the layer op is the TensorFlow function") as caught:
        applied(function, first, **options)
    assert message in str(caught.value)
