"""Networks of Keras's own layers and operations, and back: for programs that know Keras alone.

`keras_only` writes our layers as Keras's, which every backend of Keras computes; `with_own_layers`
finds them again, so that a file written so can be trained, cut into tiles and followed through a
video like any other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from cyclegan_tf.errors import UserError
from cyclegan_tf.networks import addons, keras_internals
from cyclegan_tf.networks.blocks import with_stable_state_names
from cyclegan_tf.networks.color_skip import ColorSkip
from cyclegan_tf.networks.contrib import ContribInstanceNormalization
from cyclegan_tf.networks.convolutions import Convolution2D, CropFirst2D
from cyclegan_tf.networks.layers import (
    InstanceNormalization,
    PoolingOfDoubled2D,
    ReflectionPadding2D,
)

# Layers that differ from these in the routes of training alone.
_SAME_SETTINGS: dict[type, Any] = {
    Convolution2D: keras.layers.Conv2D,
    CropFirst2D: keras.layers.Cropping2D,
    PoolingOfDoubled2D: keras.layers.AveragePooling2D,
}


def keras_only(network: keras.Model) -> keras.Model:
    """Copies a network with Keras's own layers in place of ours; numbers differ by rounding.

    Instance normalization becomes `keras.layers.GroupNormalization` of single channels, reflection
    padding `keras.ops.pad`, the color skip a 1x1 convolution of colors and their cubes. Names stay,
    sizes stay open, and the copy can be trained.

    Args:
      network: of float (N, H, W, C), a graph of layers.

    Raises:
      UserError: a layer has no counterpart, or the network is no graph of layers.

    Example:
      >>> network = keras_only(build_generator("resnet_6blocks"))
      >>> type(network.get_layer("first_norm")).__name__
      'GroupNormalization'
    """
    copy = _rebuilt(network, _of_keras, _expressed)
    for one in (*copy.operations, *keras_internals.all_layers(copy)):
        if type(one).__module__.partition(".")[0] != "keras":
            raise _no_counterpart(one)
    return copy


def _no_counterpart(layer: Any) -> UserError:
    return UserError(
        f"the layer {layer.name} ({type(layer).__name__}) is none of Keras's own and has no "
        "counterpart there.",
        code="unsupported",
    )


def with_own_layers(network: keras.Model) -> keras.Model:
    """Returns a network with ours in place of the layers that `keras_only` writes.

    Convolutions, and the color skip, stay as they are. A network that holds none of the others, or
    is no graph of layers, is returned itself.
    """
    if keras_internals.graph_of(network) is None:
        return network
    if not any(
        _is_instance_norm(one) or keras_internals.reflection_of(one) for one in network.operations
    ):
        return network
    return _rebuilt(network, _of_ours, _called)


def _rebuilt(
    network: keras.Model, replaced: Callable[[Any], Any], called: Callable[..., Any]
) -> keras.Model:
    """Copies a functional model, models within it too: other layers, the same weights."""
    if keras_internals.graph_of(network) is None:
        raise UserError(
            f"{network.name} ({type(network).__name__}) is not a graph of layers, which is wanted "
            "to replace some.",
            code="unsupported",
        )
    if isinstance(network, keras.Sequential):  # which cannot hold operations
        network = keras.Model(network.inputs, network.outputs, name=network.name)
    pairs: list[tuple[Any, Any]] = []

    def twin(operation: Any) -> Any:
        if isinstance(operation, keras.Model):
            return _rebuilt(operation, replaced, called)
        made = replaced(operation)
        if made is not operation and getattr(operation, "weights", None):
            pairs.append((operation, made))
        return made

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if not kwargs.get("training"):  # a graph records False where nothing was said
            kwargs.pop("training", None)
        return called(operation, *args, **kwargs)

    copy = keras.models.clone_model(network, clone_function=twin, call_function=call)
    for one, other in pairs:
        other.set_weights(one.get_weights())
    return copy


def _of_keras(operation: Any) -> Any:
    """Keras's counterpart of a layer; layers that become several are left for `_expressed`."""
    if isinstance(operation, ReflectionPadding2D):
        return keras_internals.reflection_padding(operation.padding, operation.name)
    if isinstance(operation, InstanceNormalization):
        return keras.layers.GroupNormalization(-1, **_norm_settings(operation))
    if isinstance(operation, addons.GroupNormalization) and operation.axis in (-1, 3):
        return keras.layers.GroupNormalization(operation.groups, **_norm_settings(operation))
    if isinstance(operation, tuple(_EXPRESSIONS)) or not isinstance(operation, keras.layers.Layer):
        return operation
    kind = _SAME_SETTINGS.get(type(operation), type(operation))
    return with_stable_state_names(kind.from_config(operation.get_config()))


def _norm_settings(layer: Any) -> dict[str, Any]:
    config = layer.get_config()
    shared = ("epsilon", "center", "scale", "name", "trainable", "dtype")
    return {name: config[name] for name in shared}


def _expressed(operation: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls what `_of_keras` gave."""
    express = _EXPRESSIONS.get(type(operation), operation)
    return operation(*args, **kwargs) if express is operation else express(operation, *args)


def _color_skip(layer: ColorSkip, x: Any) -> Any:
    common = {"dtype": "float32"}
    cubes = keras.layers.Multiply(name=f"{layer.name}_cubes", **common)([x, x, x])
    powers = keras.layers.Concatenate(name=f"{layer.name}_powers", **common)([x, cubes])
    mixed = keras.layers.Conv2D(
        layer.channels, 1, data_format="channels_last", name=layer.name, **common
    )
    y = mixed(powers)
    mixed.set_weights(layer.effective_weights())
    return y


def _contrib_norm(layer: ContribInstanceNormalization, x: Any) -> Any:
    """Normalizes in operations, and scales by a 1x1 convolution of each channel by itself."""
    if len(x.shape) != 4 or layer.axis not in (None, -1, 3):
        raise _no_counterpart(layer)
    axes = (1, 2, 3) if layer.axis is None else (1, 2)
    centered = x - keras.ops.mean(x, axes, keepdims=True)
    deviation = keras.ops.sqrt(keras.ops.mean(keras.ops.square(centered), axes, keepdims=True))
    y = centered / (deviation + layer.epsilon)
    if layer.gamma is None and layer.beta is None:
        return y
    scaled = keras.layers.DepthwiseConv2D(
        1, use_bias=layer.beta is not None, data_format="channels_last", name=layer.name
    )
    y = scaled(y)
    gamma = 1.0 if layer.gamma is None else keras.ops.convert_to_numpy(layer.gamma)
    values = [np.broadcast_to(gamma, x.shape[-1:]).reshape(1, 1, -1, 1)]
    if layer.beta is not None:
        values.append(np.broadcast_to(keras.ops.convert_to_numpy(layer.beta), x.shape[-1:]))
    scaled.set_weights(values)
    return y


_EXPRESSIONS: dict[type, Callable[..., Any]] = {
    ColorSkip: _color_skip,
    ContribInstanceNormalization: _contrib_norm,
}
"""Layers that become several of Keras's."""


def _of_ours(operation: Any) -> Any:
    padding = keras_internals.reflection_of(operation)
    if padding:
        return ReflectionPadding2D(padding, name=operation.name)
    if _is_instance_norm(operation):
        return InstanceNormalization(**_norm_settings(operation))
    if type(operation) is keras.layers.AveragePooling2D and operation.padding == "same":
        return PoolingOfDoubled2D.from_config(operation.get_config())
    if not isinstance(operation, keras.layers.Layer):
        return operation
    return with_stable_state_names(type(operation).from_config(operation.get_config()))


def _called(operation: Any, *args: Any, **kwargs: Any) -> Any:
    # Keras's padding takes a value for other modes
    return operation(*args, **({} if isinstance(operation, ReflectionPadding2D) else kwargs))


def _is_instance_norm(operation: Any) -> bool:
    """Whether it is a normalization of each channel of each image, and nothing beside."""
    if type(operation) is not keras.layers.GroupNormalization:
        return False
    spec = operation.input_spec
    rules = ("beta_regularizer", "gamma_regularizer", "beta_constraint", "gamma_constraint")
    return (
        spec is not None
        and spec.ndim == 4
        and operation.axis in (-1, 3)
        and spec.axes[operation.axis] == operation.groups
        and not any(getattr(operation, rule) for rule in rules)
    )
