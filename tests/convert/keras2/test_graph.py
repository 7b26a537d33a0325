"""Written graphs as they are parsed: layers, models within models, and what is damaged."""

import pytest

from cyclegan_tf.convert.keras2.graph import parse_model
from tests.helpers.errors import refused
from tests.helpers.keras2 import conv_entry, entry, functional, image_input


def a_chain(*entries):
    return {"class_name": "Sequential", "name": "chain", "config": {"layers": list(entries)}}


def conv(name, after=()):
    return conv_entry(name, after, (3, 3, 2, 2))


def test_a_layer_is_not_a_model():
    layer = parse_model(conv("a"))
    assert (layer.name, layer.kind, layer.parts) == ("a", "Conv2D", None)
    assert list(layer.leaves()) == [layer]


def test_models_within_are_walked_through():
    inner = {**a_chain(conv("a"), entry("ReLU", "r")), "inbound_nodes": [[["input_1", 0, 0, {}]]]}
    model = parse_model(functional("net", image_input(channels=2), inner, conv("b", "chain")))
    assert [part.name for part in model.parts] == ["input_1", "chain", "b"]
    assert [leaf.name for leaf in model.leaves()] == ["input_1", "a", "r", "b"]
    assert [model.is_chain, model.parts[1].is_chain] == [False, True]
    assert model.outputs == [["b", 0, 0]]


def test_a_chain_does_not_count_its_input_but_its_definition_is_call_0():
    with_input = parse_model(a_chain(image_input(channels=2), conv("a")))
    without = parse_model(a_chain(conv("a")))
    assert [part.name for part in with_input.own_parts] == ["a"]
    assert (with_input.first_call, without.first_call) == (1, 0)


def test_the_oldest_chains_are_lists():
    model = parse_model({"class_name": "Sequential", "config": [conv("a")]})
    assert ([part.name for part in model.parts], model.name) == (["a"], "Sequential")


@pytest.mark.parametrize(
    "stored", [{}, {"class_name": "Model"}, {"class_name": "Model", "config": 3}]
)
def test_a_damaged_description_is_refused(stored):
    with refused("unreadable") as caught:
        parse_model(stored)
    assert caught.value.code == "unreadable"
