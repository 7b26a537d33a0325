"""The graph of a network as Keras 2 wrote it down: layers, and models of layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from cyclegan_tf.convert.keras2 import layers
from cyclegan_tf.errors import UserError

_MODELS = {"Functional", "Model", "Sequential"}


@dataclass(eq=False)
class LayerSpec:
    """A stored layer, or a stored model of such.

    Attributes:
      name: as stored.
      kind: its class as stored, with its package.
      config: its settings.
      calls: what it is called on within the model around it, one entry per call.
      parts: of a model, in stored order; None for a layer.
      inputs: of a model, (part, call, tensor) of each input.
      outputs: of a model, likewise.
      layer: today's layer, made when it is first called; None for models, inputs and plain
        functions.

    Example:
      >>> model = parse_model(json.loads(file.attrs["model_config"]))
      >>> [leaf.kind for leaf in model.leaves()][:2]
      ['InputLayer', 'Conv2D']
    """

    name: str
    kind: str
    config: dict[str, Any]
    calls: list[Any]
    parts: list[LayerSpec] | None = None
    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    layer: keras.layers.Layer | None = None

    @property
    def is_chain(self) -> bool:
        """Whether it is a model whose layers just follow each other."""
        return self.parts is not None and not self.outputs

    @property
    def own_parts(self) -> list[LayerSpec]:
        """Of a model: what Keras 2 counts as its layers; a chain does not count its input."""
        parts = self.parts or []
        return [part for part in parts if part.kind != "InputLayer"] if self.is_chain else parts

    @property
    def first_call(self) -> int:
        """Number of its first call.

        Keras 2 takes a model's own definition for call 0 if it has an input.
        """
        return int([part.kind for part in self.parts or []][:1] == ["InputLayer"])

    def leaves(self) -> Iterator[LayerSpec]:
        """All layers in it, or itself."""
        if self.parts is None:
            yield self
        for part in self.parts or []:
            yield from part.leaves()

    def variables(self) -> list[keras.Variable]:
        """Its weights in Keras 2's order: those that train, then the others."""
        made = [leaf.layer for leaf in self.leaves() if leaf.layer is not None]
        trained = [variable for layer in made for variable in layer.trainable_weights]
        return trained + [variable for layer in made for variable in layer.non_trainable_weights]


def parse_model(entry: Mapping[str, Any]) -> LayerSpec:
    """Parses a stored layer or model; its settings stay as stored.

    Args:
      entry: a `model_config`, or an entry of its "layers".

    Raises:
      UserError: it is not what Keras 2 wrote.
    """
    try:
        kind, config = entry.get("registered_name") or entry["class_name"], entry["config"]
        if isinstance(config, list):  # a chain, before Keras 2.2.3
            config = {"layers": config}
        name = entry.get("name") or config.get("name") or kind
        calls = [_call(call) for call in entry.get("inbound_nodes") or []]
        if kind not in _MODELS and not {"layers", "output_layers"} <= config.keys():
            return LayerSpec(name, kind, layers.from_json(config), calls)
        return LayerSpec(
            name,
            kind,
            layers.from_json({key: value for key, value in config.items() if key != "layers"}),
            calls,
            [parse_model(inner) for inner in config["layers"]],
            _references(config.get("input_layers", [])),
            _references(config.get("output_layers", [])),
        )
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise UserError(
            f"its description of the network cannot be read ({type(error).__name__}: {error}).",
            code="unreadable",
        ) from error


def _call(call: Any) -> Any:
    if isinstance(call, Mapping):
        raise TypeError("the calls of its layers are written as in Keras 3")
    return layers.from_json(call)


def _references(stored: Any) -> list[Any]:
    if isinstance(stored, Mapping):
        raise TypeError("inputs and outputs by name are not known here")
    stored = list(layers.from_json(stored))
    return [stored] if stored and isinstance(stored[0], str) else stored
