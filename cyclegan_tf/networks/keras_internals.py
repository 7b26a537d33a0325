"""All that this package does with the inner workings of Keras: what has no public switch.

`tests/networks/test_keras_internals.py` holds each of these against the installed version.
TensorFlow's part is `devices/tf_internals.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import keras

from cyclegan_tf.devices import replicas


def set_path(variable: keras.Variable, path: str) -> None:
    """Names a variable anew; checkpoints are keyed by this path."""
    variable._path = path


def layer_behind(tensor: keras.KerasTensor) -> Any:
    """Returns the layer or operation whose call made a symbolic tensor."""
    return tensor._keras_history.operation


def reflection_padding(padding: tuple[int, int], name: str) -> keras.Operation:
    """Makes the operation behind `keras.ops.pad` that reflects images (N, H, W, C), with a name.

    Args:
      padding: (h, w), rows above and below, columns left and right.
      name: that files and summaries show; Keras gives it none but a number.
    """
    sides = ((0, 0), (padding[0],) * 2, (padding[1],) * 2, (0, 0))
    images = keras.KerasTensor((None, None, None, 1))
    operation = layer_behind(keras.ops.pad(images, sides, mode="reflect"))
    operation.name = name
    return operation


def reflection_of(operation: Any) -> tuple[int, int] | None:
    """Returns (h, w) of an operation as `reflection_padding` makes it; None of any other."""
    if type(operation).__name__ != "Pad" or getattr(operation, "mode", None) != "reflect":
        return None
    sides = [tuple(side) for side in operation.pad_width]
    if len(sides) != 4 or sides[0] != (0, 0) or sides[3] != (0, 0):
        return None
    (top, bottom), (left, right) = sides[1:3]
    return (top, left) if (top, left) == (bottom, right) else None


def all_layers(network: keras.Model) -> list[keras.layers.Layer]:
    """Returns the layers of a model and of all models within it, these included."""
    return list(network._flatten_layers(include_self=False))


def attach(network: keras.Model, name: str, value: Any) -> None:
    """Sets an attribute past Keras's tracking: it is neither saved nor counted among the layers."""
    object.__setattr__(network, name, value)


@dataclass(frozen=True)
class Node:
    """One call in a functional model.

    Attributes:
      operation: the layer, model or operation that is called.
      inputs: symbolic tensors it takes.
      outputs: symbolic tensors it makes.
      takes_list: whether it takes its inputs as one list.

    Example:
      >>> [node.operation.name for node in graph_of(network).nodes if node.takes_list]
      ['block1_add', 'block2_add']
    """

    operation: Any
    inputs: Sequence[keras.KerasTensor]
    outputs: Sequence[keras.KerasTensor]
    takes_list: bool


@dataclass(frozen=True)
class Graph:
    """What a functional or sequential model computes.

    Attributes:
      inputs: its symbolic inputs.
      outputs: its symbolic outputs.
      nodes: calls in the order of computing, inputs left out.

    Example:
      >>> graph = graph_of(network)
      >>> print(graph.outputs[0].shape, len(graph.nodes))
    """

    inputs: Sequence[keras.KerasTensor]
    outputs: Sequence[keras.KerasTensor]
    nodes: tuple[Node, ...]


def graph_of(model: keras.Model) -> Graph | None:
    """Returns a model's graph of calls, or None where it is no graph of layers (subclassed)."""
    graph = getattr(model, "_functional", None) or model  # a Sequential keeps its graph in there
    if not hasattr(graph, "_nodes_by_depth"):
        return None
    return Graph(graph.inputs, graph.outputs, tuple(_nodes(graph)))


def _nodes(graph: Any) -> Iterator[Node]:
    for depth in sorted(graph._nodes_by_depth, reverse=True):
        for node in graph._nodes_by_depth[depth]:
            if not node.is_input:
                first = next(iter(node.arguments.args), None)
                takes_list = isinstance(first, (list, tuple))
                yield Node(node.operation, node.input_tensors, node.outputs, takes_list)


class ReplicaAdam(keras.optimizers.Adam):
    """Adam that also takes gradients which are the same on every replica.

    Under `tf.distribute` Keras adds up the replicas' gradients before each update;
    `apply_means` leaves that step out.

    Example:
      >>> optimizer.apply_means(zip(replicas.all_reduce_mean(gradients), variables))
    """

    _means_are_given = False
    _shared: SimpleNamespace | None = None

    def apply_means(self, grads_and_vars: Sequence[tuple[Any, keras.Variable]]) -> None:
        """Applies gradients that are equal on all replicas; each updates its own copy."""
        self._means_are_given = True
        try:
            self.apply_gradients(grads_and_vars)
        finally:
            self._means_are_given = False

    def _backend_update_step(
        self, grads: Any, trainable_variables: Any, learning_rate: Any
    ) -> None:
        if replicas.num_replicas() == 1:
            # A namespace, since Keras and TensorFlow would track what a dictionary holds.
            self._shared = SimpleNamespace(numbers={})
            try:
                super()._backend_update_step(grads, trainable_variables, learning_rate)
            finally:
                self._shared = None
            return
        if not self._means_are_given:
            super()._backend_update_step(grads, trainable_variables, learning_rate)
            return
        for gradient, variable in zip(grads, trainable_variables, strict=True):
            self.update_step(gradient, variable, learning_rate)

    def once_per_step(self, key: Any, make: Callable[[], Any]) -> Any:
        """Makes what the updates of all variables share, once where one device makes them all."""
        if self._shared is None:
            return make()
        if key not in self._shared.numbers:
            self._shared.numbers[key] = make()
        return self._shared.numbers[key]

    def moments_of(self, variable: Any) -> tuple[keras.Variable, keras.Variable]:
        """Returns Adam's first and second moment of one variable."""
        index = self._get_variable_index(variable)
        return self._momentums[index], self._velocities[index]
