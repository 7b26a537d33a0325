"""The walk through a network's graph: order, numbers, nested models, layers called twice."""

import keras
import pytest

from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.networks.graph import INPUT, NotAGraphError, layer_calls


def test_calls_come_in_the_order_of_computing_and_tensors_by_number():
    inputs = keras.Input((8, 8, 2))
    x = keras.layers.Conv2D(2, 1, name="conv")(inputs)
    sums = keras.layers.Add(name="sum")([x, inputs])
    calls = layer_calls(keras.Model(inputs, keras.layers.ReLU(name="relu")(sums)))
    assert [(c.layer.name, c.inputs, c.outputs, c.takes_list) for c in calls] == [
        ("conv", (INPUT,), (1,), False),
        ("sum", (1, INPUT), (2,), True),
        ("relu", (2,), (3,), False),
    ]
    assert calls[-1].output == 3


def test_models_within_are_walked_through_and_repeated_calls_are_calls():
    inner = keras.Sequential([keras.Input((8, 8, 2)), keras.layers.ReLU(name="relu")])
    inputs = keras.Input((8, 8, 2))
    twice = keras.layers.Conv2D(2, 1, name="twice")
    calls = layer_calls(keras.Model(inputs, twice(inner(twice(inputs)))))
    assert [(c.layer.name, c.inputs, c.outputs) for c in calls] == [
        ("twice", (0,), (1,)),
        ("relu", (1,), (2,)),
        ("twice", (2,), (3,)),
    ]


def test_every_layer_of_a_generator_is_called_after_what_it_reads():
    network = build_generator("resnet_6blocks", filters=1, blocks=1, long_skips=True)
    calls = layer_calls(network)
    assert len(calls) == len(network.layers) - 1  # all but the input
    made = {INPUT}
    for call in calls:
        assert made.issuperset(call.inputs)
        made.update(call.outputs)


def test_what_is_no_graph_is_refused():
    class Subclassed(keras.Model):
        def call(self, inputs):
            return inputs

    inputs = keras.Input((8, 8, 2))
    with pytest.raises(NotAGraphError, match=r"inner \(Subclassed\)"):
        layer_calls(keras.Model(inputs, Subclassed(name="inner")(inputs)))
