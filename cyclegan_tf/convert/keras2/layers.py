"""Makes one layer of Keras 2 anew in today's Keras, without running code of the file."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import keras

from cyclegan_tf.errors import UserError
from cyclegan_tf.networks import addons, layers
from cyclegan_tf.networks.contrib import ContribInstanceNormalization

# How a class without `get_config` was written before Keras 2.11.
NO_CONFIG = "layer was saved without config"
PIX2PIX_EPSILON = 1e-5
OPERATIONS = ("TFOpLambda", "SlicingOpLambda")

_ADDONS = {name: kind for name, kind in addons.CUSTOM_OBJECTS.items() if name.startswith("Addons>")}
_RUN_CODE = {
    "Lambda",
    "TFSMLayer",
    "JaxLayer",
    "FlaxLayer",
    "TorchModuleWrapper",
    "Layer",
    "Wrapper",
}
_RENAMED = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
}
_OF_ALL_LAYERS = {"name", "trainable", "dtype"}
_CONTRIB = {"axis", "epsilon", "center", "scale"}
_CONTRIB_RULES = {
    f"{weight}_{rule}"
    for weight in ("gamma", "beta")
    for rule in ("initializer", "regularizer", "constraint")
}
# What Keras 2 wrote and today's layers no longer take, with the values that change nothing; None:
# all of them.
_GONE: dict[str, tuple[Any, ...] | None] = {
    "adjustment": (None,),
    "alpha": None,  # LeakyReLU's slope, which is taken over under its new name
    "batch_input_shape": None,
    "fused": None,
    "groups": (1,),
    "input_shape": None,
    "ragged": (False, None),
    "renorm": (False,),
    "renorm_clipping": (None,),
    "renorm_momentum": None,
    "rng_type": None,
    "sparse": (False, None),
    "synchronized": (False,),
    "virtual_batch_size": (None,),
}


def from_json(value: Any) -> Any:
    """Turns what JSON spelled out into tuples, arrays, shapes and names of functions."""
    if isinstance(value, Mapping):
        kind = value.get("class_name")
        if kind in ("__tuple__", "TensorShape"):
            return tuple(from_json(item) for item in value["items"])
        if kind == "__numpy__":
            return value["config"]["value"]
        if kind == "function":
            return value["config"]
        return {key: from_json(item) for key, item in value.items()}
    return [from_json(item) for item in value] if isinstance(value, (list, tuple)) else value


def runs_code(kind: str, config: Any) -> bool:
    """Whether making this layer would run Python that the file brings along."""
    if kind.split(">")[-1] in _RUN_CODE:
        return True
    if isinstance(config, Mapping):
        inner = str(config.get("class_name"))
        return (
            inner == "__lambda__"
            or inner in _RUN_CODE
            or any(runs_code("", item) for item in config.values())
        )
    return isinstance(config, (list, tuple)) and any(runs_code("", item) for item in config)


def is_known(kind: str, config: Mapping[str, Any]) -> bool:
    """Whether `make_layer` has a layer of today for it."""
    if kind in OPERATIONS or kind in _ADDONS or _is_reflection(kind):
        return True
    if _bare(kind) == "InstanceNormalization":
        return _is_pix2pix_norm(kind, config) or _is_contrib_norm(kind, config)
    return _builtin(kind) is not None


def make_layer(
    kind: str,
    name: str,
    config: Mapping[str, Any],
    rank: int,
    kernel_after: tuple[int, int] | None,
    notes: list[str],
) -> keras.layers.Layer:
    """Makes a layer of today that does in float32 what the stored one did; weights come later.

    Args:
      kind: the class as the file names it, with its package: "Conv2D",
        "Addons>InstanceNormalization".
      name: of the new layer.
      config: its settings, after `from_json`.
      rank: axes of what it is fed.
      kernel_after: (h, w) of the unpadded convolution behind it, if that is what follows.
      notes: takes messages about what was assumed.

    Raises:
      UserError: a setting has no counterpart, or is missing.
    """
    config = {**config, "name": name, "dtype": "float32"}
    config.pop(NO_CONFIG, None)
    if kind in _ADDONS:
        return _addons_norm(kind, config, rank)
    if _is_reflection(kind):
        return _reflection(config, kernel_after, notes)
    if _is_contrib_norm(kind, config):
        notes.append(
            "InstanceNormalization with axis, center and scale is read as keras_contrib's: "
            "(x - mean) / (deviation + epsilon) * gamma + beta"
        )
        return ContribInstanceNormalization(**_without_initializers(config))
    if _bare(kind) == "InstanceNormalization":
        notes.append(
            "InstanceNormalization of no package is read as that of TensorFlow's pix2pix tutorial: "
            "(x - mean) / sqrt(variance + epsilon) * scale + offset over height and width"
        )
        epsilon = config.get("epsilon", PIX2PIX_EPSILON)
        return layers.InstanceNormalization(epsilon, center=True, scale=True, **_common(config))
    return _of_keras(kind, config)


def _bare(kind: str) -> str:
    return kind.split(">")[-1]


def _common(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: config[key] for key in _OF_ALL_LAYERS if key in config}


def _is_reflection(kind: str) -> bool:
    return _bare(kind) == "ReflectionPadding2D"


def _is_pix2pix_norm(kind: str, config: Mapping[str, Any]) -> bool:
    """Others of this name, as keras_contrib's, have more settings and another formula."""
    return not kind.startswith("Addons>") and set(config) <= _OF_ALL_LAYERS | {"epsilon", NO_CONFIG}


def _is_contrib_norm(kind: str, config: Mapping[str, Any]) -> bool:
    """keras_contrib registered its layer under no package, so its settings have to tell."""
    return (
        _bare(kind) == "InstanceNormalization"
        and not kind.startswith("Addons>")
        and _CONTRIB <= set(config) <= _CONTRIB | _CONTRIB_RULES | _OF_ALL_LAYERS
    )


def _builtin(kind: str) -> type[keras.layers.Layer] | None:
    name = _RENAMED.get(kind, kind)
    found = getattr(keras.layers, name, None)
    is_layer = isinstance(found, type) and issubclass(found, keras.layers.Layer)
    return found if is_layer and name not in _RUN_CODE else None


def _addons_norm(kind: str, config: dict[str, Any], rank: int) -> keras.layers.Layer:
    last = config.get("axis", -1) in (-1, rank - 1)
    extras = [
        config.get(f"{weight}_{what}")
        for weight in ("beta", "gamma")
        for what in ("regularizer", "constraint")
    ]
    if kind == "Addons>InstanceNormalization" and last and rank == 4 and not any(extras):
        return layers.InstanceNormalization(
            epsilon=config.get("epsilon", addons.EPSILON),
            center=config.get("center", True),
            scale=config.get("scale", True),
            **_common(config),
        )
    return _ADDONS[kind].from_config(_without_initializers(config))


def _reflection(
    config: dict[str, Any], kernel_after: tuple[int, int] | None, notes: list[str]
) -> keras.layers.Layer:
    padding = config.get("padding")
    if padding is None:
        if kernel_after is None:
            raise UserError(
                f"the layer {config['name']} (ReflectionPadding2D) was saved without its padding, "
                "and no convolution behind it tells: save the model anew with a get_config in "
                "that class.",
                code="unsupported",
            )
        height, width = (side // 2 for side in kernel_after)
        notes.append(
            "the padding of a ReflectionPadding2D is not in the file: taken as half the kernel of "
            f"the convolution behind, ({width}, {height})"
        )
    else:
        width, height = _pair(padding, config["name"])
        if width != height:
            notes.append(
                f"the padding {width, height} of {config['name']} is read as (width, height), "
                f"keras.io's order"
            )
    return layers.ReflectionPadding2D((height, width), **_common(config))


def _pair(padding: Any, name: str) -> tuple[int, int]:
    if isinstance(padding, int):
        return padding, padding
    if (
        isinstance(padding, (list, tuple))
        and len(padding) == 2
        and all(isinstance(side, int) for side in padding)
    ):
        return padding[0], padding[1]
    raise UserError(
        f"the layer {name} (ReflectionPadding2D) has padding {padding!r}; a number or a pair is "
        f"known.",
        code="unsupported",
    )


def _without_initializers(config: Mapping[str, Any]) -> dict[str, Any]:
    # how weights began tells nothing once they are loaded, and may name functions that are gone
    return {key: value for key, value in config.items() if not key.endswith("_initializer")}


def _of_keras(kind: str, config: dict[str, Any]) -> keras.layers.Layer:
    cls = _builtin(kind)
    if cls is None:
        raise UserError(
            f"the layer {config['name']} is a {kind}, which is not known here.", code="unsupported"
        )
    config = _without_initializers(config)
    if kind == "LeakyReLU" and "alpha" in config:
        config["negative_slope"] = float(config["alpha"])
    if kind.startswith("BatchNormalization") and isinstance(config.get("axis"), (list, tuple)):
        (config["axis"],) = config["axis"]
    taken = {*_OF_ALL_LAYERS, "activity_regularizer", *inspect.signature(cls.__init__).parameters}
    for key in sorted(set(config) - taken):
        value = config.pop(key)
        harmless = _GONE.get(key, ())
        if harmless is not None and value not in harmless:
            raise UserError(
                f"the layer {config['name']} ({kind}) was saved with {key}={value!r}, which "
                f"today's Keras lacks.",
                code="unsupported",
            )
    try:
        return cls.from_config(config)
    except (TypeError, ValueError, KeyError) as error:
        # Keras repeats the whole description before it says what is wrong with it
        reason = " ".join(str(error).split()).rpartition("Exception encountered: ")[2]
        raise UserError(
            f"the layer {config['name']} ({kind}) cannot be made anew: {reason[:300].strip()}",
            code="unsupported",
        ) from error


def make_operation(
    function: str, name: str, first: Any, options: Mapping[str, Any]
) -> tuple[keras.layers.Layer, Any]:
    """The layer that does what a TensorFlow function did in the middle of a Keras 2 network.

    Args:
      function: as the file names it, say "math.multiply" or "__operators__.add".
      name: of the new layer.
      first: what it is called on: a tensor, a number or a list of tensors.
      options: its other arguments by name.

    Returns:
      The layer, and the tensor or tensors to call it on.

    Raises:
      UserError: none of today's layers does that.
    """
    short, common = function.split(".")[-1], {"name": name, "dtype": "float32"}
    if short in ("add", "subtract", "multiply", "truediv", "divide"):
        return _arithmetic(short, first, options.get("y"), common)
    if short == "concat" and isinstance(first, list):
        return keras.layers.Concatenate(axis=options.get("axis", -1), **common), first
    if short in ("pad", "pad_v2"):
        return _pad(options, common), first
    if short == "leaky_relu":
        return keras.layers.LeakyReLU(negative_slope=options.get("alpha", 0.2), **common), first
    if short in ("relu", "tanh", "sigmoid"):
        return keras.layers.Activation(short, **common), first
    raise _not_done(name, function)


def _not_done(name: str, what: str) -> UserError:
    return UserError(
        f"the layer {name} is the TensorFlow function tf.{what}, for which no layer is known here: "
        "put a Keras layer in its place and save the model anew.",
        code="unsupported",
    )


def _arithmetic(
    short: str, first: Any, second: Any, common: dict[str, Any]
) -> tuple[keras.layers.Layer, Any]:
    if isinstance(first, keras.KerasTensor) and isinstance(second, keras.KerasTensor):
        of_two = {
            "add": keras.layers.Add,
            "subtract": keras.layers.Subtract,
            "multiply": keras.layers.Multiply,
        }
        if short in of_two:
            return of_two[short](**common), [first, second]
    elif isinstance(first, keras.KerasTensor) and isinstance(second, (int, float)):
        by_number = {"add": (1.0, second), "subtract": (1.0, -second), "multiply": (second, 0.0)}
        scale, offset = by_number.get(short) or (1.0 / second, 0.0)
        return keras.layers.Rescaling(scale, offset, **common), first
    elif isinstance(first, (int, float)) and isinstance(second, keras.KerasTensor):
        of_number = {"add": (1.0, first), "subtract": (-1.0, first), "multiply": (first, 0.0)}
        if short in of_number:
            return keras.layers.Rescaling(*of_number[short], **common), second
    raise _not_done(common["name"], short)


def _pad(options: Mapping[str, Any], common: dict[str, Any]) -> keras.layers.Layer:
    paddings, mode = options.get("paddings"), options.get("mode", "CONSTANT")
    if isinstance(paddings, (list, tuple)) and len(paddings) == 4:
        first, (top, bottom), (left, right), last = (tuple(pair) for pair in paddings)
        if first == last == (0, 0):
            if mode == "REFLECT" and (top, left) == (bottom, right):
                return layers.ReflectionPadding2D((top, left), **common)
            if mode == "CONSTANT" and not options.get("constant_values"):
                return keras.layers.ZeroPadding2D(((top, bottom), (left, right)), **common)
    raise _not_done(common["name"], f"pad with mode {mode} and paddings {paddings}")
