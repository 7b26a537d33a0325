"""Rebuilds a network of Keras 2 from its written graph, with models within the model dissolved."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import keras

from cyclegan_tf.convert.keras2 import layers
from cyclegan_tf.convert.keras2.graph import LayerSpec
from cyclegan_tf.errors import UserError
from cyclegan_tf.networks.memory import at_most

# Layers that work on images of any size.
_ANY_SIZE = {
    "Activation", "Add", "Average", "AveragePooling2D", "BatchNormalization",
    "BatchNormalizationV1",
    "BatchNormalizationV2", "Concatenate", "Conv2D", "Conv2DTranspose", "Cropping2D",
    "DepthwiseConv2D", "Dropout",
    "ELU", "GaussianNoise", "GroupNormalization", "InputLayer", "InstanceNormalization",
    "LeakyReLU", "MaxPooling2D",
    "Maximum", "Multiply", "ReLU", "ReflectionPadding2D", "Rescaling", "SeparableConv2D",
    "SpatialDropout2D",
    "Subtract", "TFOpLambda", "UpSampling2D", "ZeroPadding2D",
}  # fmt: skip


def rebuild_network(
    model: LayerSpec, notes: list[str], stored_bytes: int | None = None
) -> keras.Model:
    """Today's network of a stored model, with fresh weights; fills in `LayerSpec.layer`.

    Models within are dissolved, images of any size are taken where all layers allow it.

    Args:
      model: what `parse_model` gave.
      notes: takes messages about what was assumed.
      stored_bytes: of its weights, as far as they are known; a network that needs more memory than
        they can fill is refused before it is taken.

    Raises:
      UserError: it holds code, layers that are not known here, a graph that leads nowhere, or
        larger weights than are stored.
    """
    _refuse_foreign(model)
    if model.parts is None:
        raise UserError(
            f"it holds a single layer, {model.kind}, and no network.", code="unsupported"
        )
    shapes = _input_shapes(model)
    if all(_takes_any_size(leaf) for leaf in model.leaves()):
        sizes = {
            "x".join(map(str, shape[1:3]))
            for shape in shapes
            if len(shape) == 4 and None not in shape[1:3]
        }
        if sizes:
            notes.append(f"made for images of {', '.join(sorted(sizes))}, it now takes any size")
        shapes = [(None, None, None, shape[3]) if len(shape) == 4 else shape for shape in shapes]
    inputs = [keras.Input(batch_shape=(None, *shape[1:]), dtype="float32") for shape in shapes]
    with at_most(stored_bytes):
        outputs = _Builder(notes).run(model, inputs, "")
    one = len(inputs) == len(outputs) == 1
    return keras.Model(
        *(inputs[0], outputs[0]) if one else (inputs, outputs), name=_usable(model.name)
    )


def _refuse_foreign(model: LayerSpec) -> None:
    leaves = list(model.leaves())
    code = [leaf.name for leaf in leaves if layers.runs_code(leaf.kind, leaf.config)]
    if code:
        raise UserError(
            f"it holds Python code in {', '.join(code)} (Lambda), which opening it would run: "
            "refused. Put layers of Keras in its place and save the model anew.",
            code="unsupported",
        )
    unknown = [leaf for leaf in leaves if not layers.is_known(leaf.kind, leaf.config)]
    if unknown:
        named = ", ".join(dict.fromkeys(f"{leaf.kind} (as {leaf.name})" for leaf in unknown))
        raise UserError(f"it holds layers that are not known here: {named}.", code="unsupported")


def _takes_any_size(leaf: LayerSpec) -> bool:
    axis, order = leaf.config.get("axis", -1), leaf.config.get("data_format", "channels_last")
    return (
        leaf.kind.split(">")[-1] in _ANY_SIZE
        and axis in (None, -1, 3, [-1], [3])  # None: of keras_contrib's, over all channels
        and order == "channels_last"
    )


def _input_shapes(model: LayerSpec) -> list[tuple[int | None, ...]]:
    parts = {part.name: part for part in model.parts or []}
    first = [parts[name] for name, *_ in model.inputs if name in parts] or (model.parts or [])[:1]
    shapes = [
        part.config.get("batch_input_shape") or part.config.get("batch_shape") for part in first
    ]
    if shapes == [None]:
        shapes = [model.config.get("build_input_shape")]
    if not shapes or not all(shapes):
        raise UserError(
            "it does not tell what it is fed: call the model on an image before saving it.",
            code="unsupported",
        )
    return [tuple(shape or ()) for shape in shapes]


def _usable(name: str) -> str:
    return name.replace("/", "_")


class _Builder:
    """Calls layers as the stored graph says."""

    def __init__(self, notes: list[str]) -> None:
        self._notes = notes
        self._names: set[str] = set()

    def run(self, model: LayerSpec, inputs: list[Any], prefix: str) -> list[Any]:
        """Tensors that come out of a stored model for those that go in.

        Args:
          model: the stored model.
          inputs: symbolic tensors, one per input.
          prefix: of the names of layers within models within.
        """
        if model.is_chain:
            for part in model.own_parts:
                kernel = _kernel_of(_next(model.own_parts, part))
                inputs = self._call(
                    part, inputs[0] if len(inputs) == 1 else inputs, {}, kernel, prefix
                )
            return inputs
        known = {
            (name, call): [tensor]
            for (name, call, _), tensor in zip(model.inputs, inputs, strict=True)
        }
        waiting = [
            (part, number, call)
            for part in model.parts or []
            for number, call in enumerate(part.calls, start=part.first_call)
        ]
        while waiting:
            left = []
            for part, number, call in waiting:
                resolved = _resolve(call, known)
                if resolved is None:
                    left.append((part, number, call))
                else:
                    known[part.name, number] = self._call(
                        part, *resolved, _kernel_after(model, part), prefix
                    )
            if len(left) == len(waiting):
                raise UserError(
                    f"its graph leads nowhere at the layer {left[0][0].name}.", code="unsupported"
                )
            waiting = left
        try:
            return [known[name, call][tensor] for name, call, tensor in model.outputs]
        except (KeyError, IndexError) as error:
            raise UserError(
                f"its graph has no such output: {error}.", code="unsupported"
            ) from error

    def _call(
        self,
        part: LayerSpec,
        first: Any,
        options: dict[str, Any],
        kernel: tuple[int, int] | None,
        prefix: str,
    ) -> list[Any]:
        if options.pop("training", None):
            raise UserError(
                f"the layer {part.name} was built to act as in training at all times, which is "
                f"not known here.",
                code="unsupported",
            )
        if part.parts is not None:
            return self.run(
                part,
                first if isinstance(first, list) else [first],
                f"{prefix}{_usable(part.name)}_",
            )
        if part.kind in layers.OPERATIONS:
            function = str(part.config.get("function"))
            layer, first = layers.make_operation(
                function, self._unique(part.name, prefix), first, options
            )
            return [_applied(layer, first)]
        options = {key: value for key, value in options.items() if value is not None}
        if options:
            raise UserError(
                f"the layer {part.name} is called with {', '.join(options)}, which is not known "
                f"here.",
                code="unsupported",
            )
        if part.layer is None:
            rank = len((first[0] if isinstance(first, list) else first).shape)
            name = self._unique(part.name, prefix)
            part.layer = layers.make_layer(part.kind, name, part.config, rank, kernel, self._notes)
        return [_applied(part.layer, first)]

    def _unique(self, name: str, prefix: str) -> str:
        name = _usable(name)
        tries = itertools.chain(
            [name, prefix + name], (f"{prefix}{name}_{number}" for number in itertools.count(2))
        )
        chosen = next(one for one in tries if one not in self._names)
        self._names.add(chosen)
        return chosen


def _applied(layer: keras.layers.Layer, first: Any) -> Any:
    try:
        return layer(first)
    except UserError:
        raise
    except (TypeError, ValueError) as error:
        raise UserError(
            f"the layer {layer.name} refuses its input: {' '.join(str(error).split())[:300]}",
            code="unsupported",
        ) from error


def _resolve(
    call: Any, known: Mapping[tuple[str, int], list[Any]]
) -> tuple[Any, dict[str, Any]] | None:
    """What a call is made on and its options; None as long as a tensor is missing."""
    single = bool(call) and isinstance(call[0], str)
    options: dict[str, Any] = {}
    tensors = []
    for name, number, index, *rest in [call] if single else call:
        for key, value in (rest[0] if rest else {}).items():
            if key != "name":
                options[key] = value
        if name == "_CONSTANT_VALUE":
            tensors.append(index)
        elif (name, number) in known:
            tensors.append(known[name, number][index])
        else:
            return None
    for key, value in options.items():
        if isinstance(value, list) and len(value) == 3 and isinstance(value[0], str):
            if (value[0], value[1]) not in known:
                return None
            options[key] = known[value[0], value[1]][value[2]]
    return (tensors[0] if len(tensors) == 1 else tensors), options


def _next(parts: list[LayerSpec], part: LayerSpec) -> LayerSpec | None:
    place = parts.index(part) + 1
    return parts[place] if place < len(parts) else None


def _kernel_after(model: LayerSpec, part: LayerSpec) -> tuple[int, int] | None:
    """Kernel of the convolution that is called on this layer's result."""
    for other in model.parts or []:
        for call in other.calls:
            references = [call] if call and isinstance(call[0], str) else call
            if any(reference[0] == part.name for reference in references):
                return _kernel_of(other)
    return None


def _kernel_of(part: LayerSpec | None) -> tuple[int, int] | None:
    if part is None or part.kind != "Conv2D" or part.config.get("padding") != "valid":
        return None
    kernel = part.config["kernel_size"]
    return (kernel, kernel) if isinstance(kernel, int) else tuple(kernel)
