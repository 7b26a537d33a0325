"""Opens networks that Keras 2 saved, with or without tensorflow-addons: `open_model`.

Whole models are rebuilt layer by layer from their description, weights alone are recognized by
their shapes. Nothing in a file is run.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import keras

from cyclegan_tf.convert.keras2 import addons, tutorials
from cyclegan_tf.convert.keras2 import graph as legacy_graph
from cyclegan_tf.convert.keras2 import saved_model as legacy_saved_model
from cyclegan_tf.convert.keras2 import weights as legacy_weights
from cyclegan_tf.convert.keras2.layers import Say
from cyclegan_tf.convert.keras2.weights import Arrays
from cyclegan_tf.errors import UserError
from cyclegan_tf.networks import builders as networks

KINDS = ".h5, .keras, .weights.h5, a SavedModel folder, or a checkpoint (.index)"
_HDF5 = b"\x89HDF\r\n\x1a\n"
_FORWARD = re.compile(r"(^|_)(g|xy|ab|a2b|x2y)$")
_BACKWARD = re.compile(r"(^|_)(f|yx|ba|b2a|y2x)$")


def open_model(
    path: Path, like: keras.Model | None = None, direction: str = "xy"
) -> tuple[keras.Model, list[str]]:
    """Opens a model that Keras 2 saved, computing in float32.

    Args:
      path: a full model (.h5, .hdf5, .keras, SavedModel folder), weights alone (.h5, .weights.h5),
        or a checkpoint, by its .index file or by the path without that ending.
      like: for weights alone, the network they belong to; it is filled and returned. None
        recognizes the generators of `tutorials.recognize`.
      direction: of a file that holds generators both ways, "xy" or "yx".

    Returns:
      The network, and notes for people.

    Raises:
      UserError: it is no such thing, damaged, of an unknown network, or holds code or layers not
        known here.
    """
    notes: list[str] = []

    def say(note: str) -> None:
        if note not in notes:
            notes.append(note)

    try:
        return _open(path, like, direction, say), notes
    except UserError as error:
        raise UserError(f"{path} cannot be opened: {error}") from error
    except Exception as error:  # h5py, zip, JSON and Keras raise whatever they met
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"{path} cannot be opened: {error.strerror}.") from error
        told = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        raise UserError(f"{path} cannot be opened: it is cut short or damaged ({told}).") from error


def _open(path: Path, like: keras.Model | None, direction: str, say: Say) -> keras.Model:
    if path.is_dir():
        return _open_saved_model(path, direction, say)
    prefix = path.with_suffix("") if path.suffix == ".index" else path
    if prefix.with_name(prefix.name + ".index").is_file():
        return _open_checkpoint(prefix, like, direction, say)
    if not path.is_file():
        raise UserError(f"there is no such file; known are {KINDS}.")
    with path.open("rb") as file:
        start = file.read(8)
    if start == _HDF5:
        with h5py.File(path, "r") as file:
            return _open_hdf5(path, file, like, direction, say)
    if start[:2] == b"PK":
        return _open_zip(path, say)
    if not start:
        raise UserError("the file is empty.")
    raise UserError(f"it is neither HDF5 nor a .keras file; known are {KINDS}.")


def _open_hdf5(
    path: Path, file: h5py.File, like: keras.Model | None, direction: str, say: Say
) -> keras.Model:
    config = legacy_weights.text(file, "model_config")
    if config is not None:
        if _is_keras_3(legacy_weights.text(file, "keras_version")):
            return _by_keras(path)
        holder = file.get("model_weights")
        if not isinstance(holder, h5py.Group):
            raise UserError("its weights are missing: the file is damaged.")
        part = legacy_graph.read(_parsed(config))
        network = legacy_graph.build(part, say)
        legacy_weights.fill_by_name(part, network, legacy_weights.read_groups(holder))
        return network
    if legacy_weights.is_numbered(file):
        arrays = legacy_weights.in_likely_order(file)
        say("this kind of file does not tell the order of its layers: taken as in the tutorials")
        return _of_weights([("", arrays)], like, direction, say)
    groups = legacy_weights.read_groups(file)
    if not groups:
        raise UserError("it is HDF5, but was not written by Keras.")
    return _of_weights(list(groups.items()), like, direction, say)


def _open_zip(path: Path, say: Say) -> keras.Model:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if not {"config.json", "metadata.json", "model.weights.h5"} <= set(names):
            raise UserError("it is a zip file, but not of Keras.")
        metadata = _parsed(archive.read("metadata.json").decode("utf-8"))
        if _is_keras_3(metadata.get("keras_version")):
            return _by_keras(path)
        part = legacy_graph.read(_parsed(archive.read("config.json").decode("utf-8")))
        weights = archive.read("model.weights.h5")
    network = legacy_graph.build(part, say)
    with h5py.File(io.BytesIO(weights), "r") as file:
        legacy_weights.fill_numbered(part, network, file)
    return network


def _open_saved_model(folder: Path, direction: str, say: Say) -> keras.Model:
    if not (folder / "saved_model.pb").is_file():
        raise UserError(f"the folder holds no saved_model.pb; known are {KINDS}.")
    models = legacy_saved_model.find_models(legacy_saved_model.read_metadata(folder))
    name = _choose(list(models), direction, say)
    part = legacy_graph.read(models[name])
    network = legacy_graph.build(part, say)
    graph = legacy_saved_model.ObjectGraph(folder / "variables" / "variables")
    node = graph.children()[name] if name else 0
    legacy_saved_model.fill(part, network, graph, node)
    return network


def _open_checkpoint(
    prefix: Path, like: keras.Model | None, direction: str, say: Say
) -> keras.Model:
    graph = legacy_saved_model.ObjectGraph(prefix)
    children = graph.children()
    if any(name.startswith("layer_with_weights-") for name in children):
        return _of_weights([("", graph.arrays(0))], like, direction, say)
    held = [(name, graph.arrays(node)) for name, node in children.items()]
    return _of_weights([(name, arrays) for name, arrays in held if arrays], like, direction, say)


def _of_weights(
    groups: list[tuple[str, Arrays]], like: keras.Model | None, direction: str, say: Say
) -> keras.Model:
    """The network of weights alone: `like`, one of a tutorial, or one of several such."""
    whole = [array for _, arrays in groups for array in arrays]
    if like is not None:
        legacy_weights.fill_in_order(like, whole)
        return like
    found: dict[str, tutorials.Recognized] = {}
    mismatches: list[tutorials.MisfitError] = []
    tries = [("", whole)] if len(groups) < 2 else [("", whole), *groups]
    for name, arrays in tries:
        try:
            found[name] = tutorials.recognize(arrays)
        except tutorials.MisfitError as misfit:
            mismatches.append(misfit)
        if "" in found:
            break
    if not found:
        furthest = max(mismatches, key=lambda misfit: misfit.place)
        raise UserError(
            f"it holds weights alone, and their shapes are of no network known here ({furthest}): "
            "give the full model, saved with model.save(...)."
        )
    chosen = found[_choose(list(found), direction, say)]
    say(chosen.words)
    return chosen.network


def _choose(names: list[str], direction: str, say: Say) -> str:
    """Of several networks the one that leads from X to Y, or back: by its name, else by its
    place."""
    if len(names) == 1:
        return names[0]
    pattern = _FORWARD if direction == "xy" else _BACKWARD
    fitting = [name for name in names if pattern.search(name.lower())]
    chosen = fitting[0] if fitting else names[0 if direction == "xy" else 1]
    say(f"it holds several networks ({', '.join(names)}); {chosen} is taken for {direction}")
    return chosen


def _by_keras(path: Path) -> keras.Model:
    """What today's Keras saved is its own to open."""
    try:
        network = keras.saving.load_model(path, custom_objects=addons.CUSTOM_OBJECTS, compile=False)
    except Exception as error:  # Keras raises whatever zip, JSON or a layer raised
        raise UserError(
            f"Keras {keras.__version__} refuses it ({' '.join(str(error).split())[:300]})."
        ) from error
    return networks.as_float32(network)


def _is_keras_3(version: Any) -> bool:
    return (
        isinstance(version, str)
        and version.split(".")[0].isdecimal()
        and int(version.split(".")[0]) >= 3
    )


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise UserError(
            "its description of the network is not JSON: the file is damaged."
        ) from error
    if not isinstance(parsed, Mapping):
        raise UserError("its description of the network is not one of Keras.")
    return parsed
