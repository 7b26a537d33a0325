"""SavedModel folders and checkpoints of Keras 2: read, never run.

A SavedModel's graph is a program that may write files; its network is rebuilt from what Keras wrote
beside it, and weights are taken from the checkpoint by the object graph within.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2, trackable_object_graph_pb2

from cyclegan_tf.convert.keras2.graph import LayerSpec
from cyclegan_tf.convert.keras2.weights import Arrays, Assignment, Stored
from cyclegan_tf.errors import UserError

# TensorFlow's reader raises an IndexError for a file that is cut short.
_UNREADABLE = (tf.errors.OpError, ValueError, RuntimeError, IndexError)
_GRAPH_KEY = "_CHECKPOINTABLE_OBJECT_GRAPH"
# Names of weights in the order in which layers make them.
_ORDER = (
    "kernel", "depthwise_kernel", "pointwise_kernel", "alpha", "gamma", "scale", "bias", "beta",
    "offset",
    "moving_mean", "moving_variance",
)  # fmt: skip


class ObjectGraph:
    """The tree of objects in a checkpoint, and the arrays of its variables.

    Args:
      prefix: path of the checkpoint without `.index`.

    Raises:
      UserError: it cannot be read, or holds no objects (TensorFlow 1).

    Example:
      >>> graph = ObjectGraph(folder / "variables" / "variables")
      >>> node = graph.children()["gen_G"]
      >>> arrays = graph.arrays(node)
    """

    def __init__(self, prefix: Path) -> None:
        try:
            self._reader = tf.train.load_checkpoint(str(prefix))
            graph = self._reader.get_tensor(_GRAPH_KEY)
            self._nodes = trackable_object_graph_pb2.TrackableObjectGraph.FromString(graph).nodes
        except _UNREADABLE as error:
            raise UserError(
                f"its checkpoint {prefix.name} cannot be read "
                f"({' '.join(str(error).split())[:200]}).",
                code="unreadable",
            ) from error

    def children(self, node: int = 0) -> dict[str, int]:
        """Numbers of the objects that this one holds, by name; 0 is the outermost."""
        return {child.local_name: child.node_id for child in self._nodes[node].children}

    def weights(self, node: int) -> dict[str, np.ndarray]:
        """Arrays that an object holds itself, by name, float32."""
        found = {}
        for name, child in self.children(node).items():
            for attribute in self._nodes[child].attributes:
                if attribute.name == "VARIABLE_VALUE" and name in _ORDER:
                    found[name] = self._array(attribute.checkpoint_key)
        return found

    def _array(self, key: str) -> np.ndarray:
        try:
            return np.asarray(self._reader.get_tensor(key), np.float32)
        except _UNREADABLE as error:
            raise UserError(
                f"its weights {key} cannot be read: the checkpoint is damaged.", code="unreadable"
            ) from error

    def arrays(self, node: int) -> Arrays:
        """All arrays of a model's layers, in the order of the layers."""
        return list(self._arrays(node, {node}))

    def _arrays(self, node: int, seen: set[int]) -> Iterator[Stored]:
        children = self.children(node)
        inner = sorted(
            (int(name.removeprefix("layer_with_weights-")), child)
            for name, child in children.items()
            if name.startswith("layer_with_weights-")
        )
        for _, child in inner:
            if child not in seen:
                seen.add(child)
                yield from self._arrays(child, seen)
        if not inner:
            held = self.weights(node)
            yield from (Stored(name, held[name]) for name in _ORDER if name in held)


def assign_from_checkpoint(
    model: LayerSpec, network: keras.Model, graph: ObjectGraph, node: int
) -> None:
    """Puts a checkpoint's arrays into the network built from a stored model.

    Args:
      model: the stored model.
      network: built from it.
      graph: of the checkpoint.
      node: the model's number there.

    Raises:
      UserError: names, numbers or shapes differ.
    """
    assignment = Assignment()
    _assign_model(model, graph, node, assignment)
    assignment.finish(network)


def _assign_model(model: LayerSpec, graph: ObjectGraph, node: int, assignment: Assignment) -> None:
    children = graph.children(node)
    for index, part in enumerate(model.own_parts):
        if not part.variables():
            continue
        if f"layer-{index}" not in children:
            raise UserError(
                f"its checkpoint holds nothing for the layer {part.name}.", code="unsupported"
            )
        child = children[f"layer-{index}"]
        if part.parts is not None:
            _assign_model(part, graph, child, assignment)
        else:
            held = graph.weights(child)
            arrays = [Stored(name, held[name]) for name in _ORDER if name in held]
            assignment.add(part.name, part.variables(), arrays)


def read_metadata(folder: Path) -> dict[str, dict[str, Any]]:
    """What Keras wrote of its objects beside a SavedModel, by their paths from "root".

    Raises:
      UserError: there is nothing of it, or it is damaged.
    """
    path = folder / "keras_metadata.pb"
    if not path.is_file():
        return _metadata_within(folder / "saved_model.pb")
    try:
        found = {}
        for number, node in _fields(path.read_bytes()):
            if number == 1:
                entry = dict(_fields(node))
                found[entry[3].decode()] = json.loads(entry.get(5) or b"{}")
        return found
    except (IndexError, KeyError, ValueError, AttributeError, TypeError) as error:
        raise UserError("its keras_metadata.pb is damaged.", code="unreadable") from error


def _metadata_within(path: Path) -> dict[str, dict[str, Any]]:
    """Reads the same of the outermost objects from where Keras wrote it before TensorFlow 2.5."""
    try:
        nodes = (
            saved_model_pb2.SavedModel.FromString(path.read_bytes())
            .meta_graphs[0]
            .object_graph_def.nodes
        )
        paths = {"root": 0} | {
            f"root.{child.local_name}": child.node_id for child in nodes[0].children
        }
        texts = {name: nodes[number].user_object.metadata for name, number in paths.items()}
        found = {name: json.loads(text) for name, text in texts.items() if text.startswith("{")}
    except (IndexError, ValueError, DecodeError) as error:
        raise UserError("its saved_model.pb is damaged.", code="unreadable") from error
    if not found:
        raise UserError(
            "Keras left no description of layers in it (keras_metadata.pb): it can be run "
            "(keras.layers.TFSMLayer), but neither trained nor converted; save the model as .h5 "
            "in the TensorFlow it was made with.",
            code="unsupported",
        )
    return found


def _fields(data: bytes) -> Iterator[tuple[int, Any]]:
    """Fields of a protocol buffer by number.

    TensorFlow's class for this one would import all of its old Keras.
    """
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, place = _varint(data, place)
            yield number, value
        elif kind == 2:
            size, place = _varint(data, place)
            if place + size > len(data):
                raise ValueError("cut short")
            yield number, data[place : place + size]
            place += size
        else:
            raise ValueError(f"wire type {kind}")


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if not byte & 0x80:
            return value, place


def find_models(metadata: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """Finds the outermost models whose graph was written down, by name.

    They are the folder's own, or those it holds.

    Raises:
      UserError: there is none; says what is missing.
    """
    root = metadata.get("root", {})
    if _has_graph(root):
        return {"": root}
    found = {
        path.removeprefix("root."): node
        for path, node in metadata.items()
        if path.count(".") == 1 and _has_graph(node) and "layer" not in path
    }
    if not found:
        kind = root.get("class_name", "of no known class")
        raise UserError(
            f"its model ({kind}) was saved without a description of its graph, as classes with a "
            "call of their own are: it can be run (keras.layers.TFSMLayer), but neither trained "
            "nor converted.",
            code="unsupported",
        )
    return found


def _has_graph(node: Mapping[str, Any]) -> bool:
    config = node.get("config")
    return isinstance(config, Mapping) and "layers" in config
