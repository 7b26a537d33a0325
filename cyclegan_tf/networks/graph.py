"""The one walk through a Keras network's graph, layer call by layer call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras

from cyclegan_tf.networks import keras_internals

INPUT = 0
"""Number of the tensor that is the network's input."""


class NotAGraphError(ValueError):
    """A model, or one within it, is not a graph of layers."""


@dataclass(frozen=True)
class LayerCall:
    """One call of a layer; tensors go by numbers.

    Attributes:
      layer: the layer (or operation) that is called.
      inputs: numbers of the tensors it takes.
      outputs: numbers of the tensors it makes.
      takes_list: whether it takes its inputs as one list.

    Example:
      >>> last = layer_calls(network)[-1]
      >>> print(last.layer.name, last.inputs, last.output)
    """

    layer: Any
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    takes_list: bool

    @property
    def output(self) -> int:
        """Number of its first output."""
        return self.outputs[0]


def layer_calls(network: keras.Model) -> list[LayerCall]:
    """Returns every call from the input to the output, those within nested models too.

    Tensors are numbered in the order of computing; the input is `INPUT`. A model within the network
    is walked through, and a layer that is called twice appears twice.

    Example:
      >>> [call.layer.name for call in layer_calls(build_generator("unet_128"))][:2]
      ['down1_pad', 'down1']

    Raises:
      NotAGraphError: the network, or a model in it, is not a graph of layers.
    """
    calls: list[LayerCall] = []
    _follow(network, [INPUT], calls, INPUT + 1)
    return calls


def _follow(
    model: keras.Model, given: Sequence[int], calls: list[LayerCall], fresh: int
) -> tuple[list[int], int]:
    """Appends a model's calls; returns the numbers of its outputs and the next unused one."""
    graph = keras_internals.graph_of(model)
    if graph is None:
        raise NotAGraphError(f"{model.name} ({type(model).__name__})")
    numbers = {id(tensor): number for tensor, number in zip(graph.inputs, given, strict=True)}
    for node in graph.nodes:
        sources = [id(tensor) for tensor in node.inputs]
        if any(source not in numbers for source in sources):
            continue
        inputs = tuple(numbers[source] for source in sources)
        if isinstance(node.operation, keras.Model):
            made, fresh = _follow(node.operation, inputs, calls, fresh)
        else:
            made = list(range(fresh, fresh + len(node.outputs)))
            fresh += len(made)
            calls.append(LayerCall(node.operation, inputs, tuple(made), node.takes_list))
        numbers |= {id(tensor): number for tensor, number in zip(node.outputs, made, strict=True)}
    return [numbers[id(tensor)] for tensor in graph.outputs], fresh
