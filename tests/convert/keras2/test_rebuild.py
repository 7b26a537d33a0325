"""Networks rebuilt from Keras 2's graphs: shared layers, models within models, functions."""

import keras
import numpy as np
import pytest

from cyclegan_tf.convert.keras2.graph import parse_model
from cyclegan_tf.convert.keras2.rebuild import rebuild_network
from cyclegan_tf.errors import UserError
from tests.helpers.errors import refused
from tests.helpers.keras2 import conv, conv_entry, entry, functional, image_input, norm_entry, relu

KERNEL = np.random.default_rng(0).normal(0, 0.5, (3, 3, 2, 2)).astype(np.float32)
OTHER = np.random.default_rng(1).normal(0, 0.5, (3, 3, 2, 2)).astype(np.float32)


def images(*shape):
    return np.random.default_rng(3).normal(size=shape).astype(np.float32)


def same(name, after=(), **config):
    return conv_entry(name, after, KERNEL.shape, padding="same", **config)


def built(stored, notes=None):
    model = parse_model(stored)
    return model, rebuild_network(model, [] if notes is None else notes)


def node(*references):
    return [
        list(reference) if len(reference) == 4 else [*reference, {}] for reference in references
    ]


def test_branches_that_meet():
    stored = functional(
        "net",
        image_input(channels=2),
        same("a", "input_1"),
        same("b", "input_1"),
        entry("Add", "sum", ["a", "b"]),
    )
    model, network = built(stored)
    network.set_weights([KERNEL, OTHER])
    x = images(2, 5, 6, 2)
    np.testing.assert_allclose(
        network(x), conv(x, KERNEL, padding="same") + conv(x, OTHER, padding="same"), atol=1e-5
    )
    assert network.name == "net"
    assert [part.name for part in model.own_parts] == ["input_1", "a", "b", "sum"]


def test_a_layer_that_is_called_twice_and_listed_before_what_it_needs():
    shared = same("shared")
    shared["inbound_nodes"] = [node(("input_1", 0, 0)), node(("act", 0, 0))]
    act = entry("Activation", "act", "shared", activation="relu")
    stored = functional("net", image_input(channels=2), shared, act, outputs=[["shared", 1, 0]])
    _, network = built(stored)
    network.set_weights([KERNEL])
    x = images(1, 5, 6, 2)
    once = relu(conv(x, KERNEL, padding="same"))
    np.testing.assert_allclose(network(x), conv(once, KERNEL, padding="same"), atol=1e-5)


def chain(name, *entries, after, with_input=True):
    start = [image_input(f"{name}_input", channels=2)] if with_input else []
    return {
        "class_name": "Sequential",
        "name": name,
        "config": {
            "name": name,
            "layers": [*start, *({**one, "inbound_nodes": []} for one in entries)],
        },
        "inbound_nodes": [node((after, 0, 0))],
    }


@pytest.mark.parametrize("with_input", [True, False])
def test_a_chain_within_a_network_is_dissolved(with_input):
    inner = chain("block", same("c"), entry("ReLU", "r"), after="input_1", with_input=with_input)
    last = same("c2")
    last["inbound_nodes"] = [node(("block", int(with_input), 0))]
    model, network = built(functional("net", image_input(channels=2), inner, last))
    assert [type(layer).__name__ for layer in network.layers] == [
        "InputLayer",
        "Conv2D",
        "ReLU",
        "Conv2D",
    ]
    network.set_weights([KERNEL, OTHER])
    x = images(1, 5, 6, 2)
    once = relu(conv(x, KERNEL, padding="same"))
    np.testing.assert_allclose(network(x), conv(once, OTHER, padding="same"), atol=1e-5)
    assert [part.name for part in model.parts[1].own_parts] == ["c", "r"]


def test_a_network_within_a_network_called_twice_with_a_name_that_is_taken():
    inner = functional(
        "inner", image_input("in", channels=2), same("c", "in"), entry("ReLU", "r", "c")
    )
    inner = {**inner, "name": "inner", "inbound_nodes": [node(("c", 0, 0)), node(("inner", 1, 0))]}
    stored = functional(
        "net", image_input(channels=2), same("c", "input_1"), inner, outputs=[["inner", 2, 0]]
    )
    model, network = built(stored)
    assert [layer.name for layer in network.layers if layer.weights] == ["c", "inner_c"]
    network.set_weights([KERNEL, OTHER])
    x = images(1, 5, 6, 2)
    y = conv(x, KERNEL, padding="same")
    for _ in range(2):
        y = relu(conv(y, OTHER, padding="same"))
    np.testing.assert_allclose(network(x), y, atol=1e-5)
    assert [variable.path for variable in model.parts[2].variables()] == ["inner_c/kernel"]


def function(name, symbol, *call):
    return {
        "class_name": "TFOpLambda",
        "name": name,
        "config": {"name": name, "trainable": True, "dtype": "float32", "function": symbol},
        "inbound_nodes": [list(call)],
    }


def test_functions_between_layers():
    mirrored = {"paddings": [[0, 0], [1, 1], [1, 1], [0, 0]], "mode": "REFLECT"}
    stored = functional(
        "net",
        image_input(channels=2),
        function("pad", "compat.v1.pad", "input_1", 0, 0, mirrored),
        conv_entry("a", "pad", KERNEL.shape),
        function("twice", "math.multiply", "_CONSTANT_VALUE", -1, 2.0, {"y": ["a", 0, 0]}),
        function("sum", "__operators__.add", "twice", 0, 0, {"y": ["input_1", 0, 0], "name": None}),
        function("join", "concat", ["sum", 0, 0, {"axis": -1}], ["input_1", 0, 0, {"axis": -1}]),
    )  # fmt: skip
    _, network = built(stored)
    network.set_weights([KERNEL])
    x = images(1, 5, 6, 2)
    y = 2 * conv(np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="reflect"), KERNEL) + x
    np.testing.assert_allclose(network(x), np.concatenate([y, x], axis=-1), atol=1e-5)


def test_several_inputs_and_outputs():
    stored = functional(
        "net", image_input("one", channels=2), image_input("two", channels=2),
        entry("Add", "sum", ["one", "two"]), entry("Subtract", "difference", ["one", "two"]),
        outputs=[["sum", 0, 0], ["difference", 0, 0]],
    )  # fmt: skip
    _, network = built(stored)
    x, y = images(1, 4, 4, 2), images(1, 4, 4, 2) * 2
    total, difference = network([x, y])
    np.testing.assert_allclose(total, x + y, atol=1e-6)
    np.testing.assert_allclose(difference, x - y, atol=1e-6)


def test_a_chain_alone_and_the_oldest_way_to_write_it():
    layers = [same("a", batch_input_shape=[None, 8, 8, 2]), entry("ReLU", "r")]
    for config in (layers, {"name": "chain", "layers": layers}):
        _, network = built({"class_name": "Sequential", "config": config})
        network.set_weights([KERNEL])
        x = images(1, 5, 6, 2)
        np.testing.assert_allclose(network(x), relu(conv(x, KERNEL, padding="same")), atol=1e-5)


def test_images_of_any_size_are_taken_where_all_layers_allow_it():
    notes = []
    _, network = built(
        functional("net", image_input(size=8, channels=2), same("a", "input_1")), notes
    )
    assert network.input_shape == (None, None, None, 2)
    assert notes == ["made for images of 8x8, it now takes any size"]
    notes = []
    flat = entry("Flatten", "flat", "a", data_format="channels_last")
    _, network = built(
        functional("net", image_input(size=8, channels=2), same("a", "input_1"), flat), notes
    )
    assert network.input_shape == (None, 8, 8, 2)
    assert notes == []
    across = norm_entry("n", "a", 8, axis=1)
    _, network = built(
        functional("net", image_input(size=8, channels=2), same("a", "input_1"), across), notes
    )
    assert network.input_shape == (None, 8, 8, 2)


def test_padding_that_was_not_saved_follows_from_the_convolution_behind_it():
    pad = entry("ReflectionPadding2D", "p", "input_1", **{"layer was saved without config": True})
    stored = functional("net", image_input(channels=2), pad, conv_entry("a", "p", (5, 5, 2, 2)))
    notes = []
    _, network = built(stored, notes)
    assert network(images(1, 6, 7, 2)).shape == (1, 6, 7, 2)
    assert "half the kernel of the convolution behind, (2, 2)" in notes[0]


def test_layer_names_with_slashes():
    _, network = built(functional("a/b", image_input(channels=2), same("c/d", "input_1")))
    assert (network.name, network.layers[1].name) == ("a_b", "c_d")


def test_frozen_layers_come_last_as_keras_2_wrote_them():
    frozen = same("a", trainable=False)
    block = chain("block", frozen, norm_entry("n", (), 2), after="input_1")
    stored = functional("net", image_input(channels=2), block, outputs=[["block", 1, 0]])
    model, _ = built(stored)
    assert [variable.path for variable in model.parts[1].variables()] == [
        "n/gamma",
        "n/beta",
        "a/kernel",
    ]


def lambdas(name):
    return entry(
        "Lambda", name, "input_1", function=["4wEAAAAAAAA=", None, None], function_type="lambda"
    )


def broken(**changes):
    stored = functional("net", image_input(channels=2), same("a", "input_1"))
    stored["config"].update(changes)
    return stored


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (
            functional("net", image_input(), lambdas("mine")),
            r"holds Python code in mine \(Lambda\).*refused",
        ),
        (
            functional(
                "net",
                image_input(),
                entry("Mine", "m", "input_1"),
                entry("Addons>Maxout", "x", "m"),
            ),
            r"layers that are not known here: .*Mine \(as m\)",
        ),
        (
            functional("net", image_input(channels=2), same("a", "b"), same("b", "a")),
            "leads nowhere at the layer a",
        ),
        (broken(output_layers=[["b", 0, 0]]), "no such output"),
        (broken(output_layers=[["a", 0, 1]]), "no such output"),
        (broken(input_layers={"x": ["input_1", 0, 0]}), "cannot be read"),
        ({"class_name": "Functional"}, "cannot be read"),
        ({"class_name": "CycleGan", "config": {}}, "CycleGan"),
        (
            {"class_name": "Sequential", "config": {"layers": [same("a")]}},
            "does not tell what it is fed",
        ),
        (
            functional(
                "net",
                image_input(channels=3),
                same("a", "input_1"),
                entry("Add", "s", ["a", "input_1"]),
            ),
            "the layer s refuses its input",
        ),
    ],
)
def test_what_is_refused(stored, message):
    with pytest.raises(UserError, match=message):
        built(stored)


def test_calls_that_differ_from_todays_are_refused():
    always = same("a", "input_1")
    always["inbound_nodes"] = [[["input_1", 0, 0, {"training": True}]]]
    with pytest.raises(UserError, match="as in training at all times"):
        built(functional("net", image_input(channels=2), always))
    always["inbound_nodes"] = [[["input_1", 0, 0, {"initial_state": 1}]]]
    with pytest.raises(UserError, match="called with initial_state"):
        built(functional("net", image_input(channels=2), always))
    always["inbound_nodes"] = [[["input_1", 0, 0, {"training": False, "mask": None}]]]
    assert isinstance(built(functional("net", image_input(channels=2), always))[1], keras.Model)
    always["inbound_nodes"] = [{"args": [], "kwargs": {}}]
    with pytest.raises(UserError, match="as in Keras 3"):
        built(functional("net", image_input(channels=2), always))


def test_layers_larger_than_their_stored_weights_are_refused_before_memory_is_taken():
    wide = conv_entry("wide", "input_1", (1, 1, 2, 2**22))
    stored = functional("net", image_input(channels=2), wide)
    with refused("memory", match="larger than the weights that are stored"):
        rebuild_network(parse_model(stored), [], stored_bytes=2**20)
    fitting = functional("net", image_input(channels=2), same("a", "input_1"))
    rebuild_network(parse_model(fitting), [], stored_bytes=KERNEL.nbytes)
