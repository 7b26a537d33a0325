"""Opens networks that Keras 2 saved, with or without tensorflow-addons: `open_model`.

Whole models are rebuilt layer by layer from their description, weights alone are recognized by
their shapes. Nothing in a file is run.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import keras

from cyclegan_tf.convert.keras2 import saved_model, tutorials, weights
from cyclegan_tf.convert.keras2.graph import parse_model
from cyclegan_tf.convert.keras2.rebuild import rebuild_network
from cyclegan_tf.convert.keras2.weights import Arrays
from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign import hdf5, programs
from cyclegan_tf.foreign.content import refuse_damaged_zip, refuse_zip_bomb, what_it_is
from cyclegan_tf.networks import addons, builders
from cyclegan_tf.networks.memory import at_most

KNOWN_FORMATS = ".h5, .keras, .weights.h5, a SavedModel folder, or a checkpoint (.index)"
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
        recognizes the generators of `tutorials.recognize_tutorial`.
      direction: "xy" or "yx", of a file that holds generators of both directions.

    Returns:
      The network, and notes on what was assumed.

    Raises:
      UserError: it is no such thing, damaged, of an unknown network, or holds code or layers not
        known here.
    """
    notes: list[str] = []

    try:
        network = _open(path, like, direction, notes)
    except UserError as error:
        raise UserError(
            f"{path} cannot be opened: {error}", code=error.code, field=str(path)
        ) from error
    except Exception as error:  # h5py, zip, JSON and Keras raise whatever they met
        if isinstance(error, OSError) and error.strerror:
            reason = error.strerror
        else:
            detail = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            reason = f"it is cut short or damaged ({detail})"
        raise UserError(
            f"{path} cannot be opened: {reason}.", code="unreadable", field=str(path)
        ) from error
    return network, list(dict.fromkeys(notes))


def _open(path: Path, like: keras.Model | None, direction: str, notes: list[str]) -> keras.Model:
    if path.is_dir():
        return _open_saved_model(path, direction, notes)
    prefix = path.with_suffix("") if path.suffix == ".index" else path
    if prefix.with_name(prefix.name + ".index").is_file():
        return _open_checkpoint(prefix, like, direction, notes)
    if not path.exists():
        raise UserError(f"there is no such file; known are {KNOWN_FORMATS}.", code="missing")
    if found := what_it_is(path):
        raise UserError(f"it {found}.", code="unreadable")
    with path.open("rb") as file:
        start = file.read(8)
    if start == _HDF5:
        with h5py.File(path, "r") as file:
            return _open_hdf5(path, file, like, direction, notes)
    if start[:2] == b"PK":
        return _open_zip(path, notes)
    raise UserError(
        f"it is neither HDF5 nor a .keras file; known are {KNOWN_FORMATS}.", code="unsupported"
    )


def _open_hdf5(
    path: Path, file: h5py.File, like: keras.Model | None, direction: str, notes: list[str]
) -> keras.Model:
    stored_bytes = hdf5.check_sizes(file)
    config = weights.text_attribute(file, "model_config")
    if config is not None:
        if _is_keras_3(weights.text_attribute(file, "keras_version")):
            return _open_keras_3(path, stored_bytes)
        holder = file.get("model_weights")
        if not isinstance(holder, h5py.Group):
            raise UserError("its weights are missing: the file is damaged.", code="unreadable")
        part = parse_model(_parse_json(config))
        network = rebuild_network(part, notes, stored_bytes)
        weights.assign_by_name(part, network, weights.read_groups(holder))
        return network
    if weights.is_numbered(file):
        arrays = weights.arrays_in_likely_order(file)
        notes.append(
            "this kind of file does not tell the order of its layers: taken as in the tutorials"
        )
        return _from_weights([("", arrays)], like, direction, notes)
    groups = weights.read_groups(file)
    if not groups:
        raise UserError("it is HDF5, but was not written by Keras.", code="unsupported")
    return _from_weights(list(groups.items()), like, direction, notes)


def _open_zip(path: Path, notes: list[str]) -> keras.Model:
    refuse_zip_bomb(path)
    refuse_damaged_zip(path)
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if not {"config.json", "metadata.json", "model.weights.h5"} <= set(names):
            raise UserError("it is a zip file, but not of Keras.", code="unsupported")
        metadata = _parse_json(archive.read("metadata.json").decode("utf-8"))
        if _is_keras_3(metadata.get("keras_version")):
            return _open_keras_3(path, archive.getinfo("model.weights.h5").file_size)
        part = parse_model(_parse_json(archive.read("config.json").decode("utf-8")))
        stored = archive.read("model.weights.h5")
    with h5py.File(io.BytesIO(stored), "r") as file:
        network = rebuild_network(part, notes, hdf5.check_sizes(file))
        weights.assign_numbered(part, network, file)
    return network


def _open_saved_model(folder: Path, direction: str, notes: list[str]) -> keras.Model:
    if not (folder / "saved_model.pb").is_file():
        raise UserError(
            f"the folder holds no saved_model.pb; known are {KNOWN_FORMATS}.", code="unsupported"
        )
    card = folder / "assets.extra" / "card.json"
    programs.refuse_changed_files(
        card.read_text(encoding="utf-8", errors="replace") if card.is_file() else None,
        lambda name: _digest(folder / name),
        "the folder",
    )
    program = programs.read_saved_model((folder / "saved_model.pb").read_bytes(), "the folder")
    if refused := programs.refused_operations(program):
        notes.append(f"left out, as all of its program: {', '.join(refused)}")
    models = saved_model.find_models(saved_model.read_metadata(folder))
    name = _choose_network(list(models), direction, notes)
    part = parse_model(models[name])
    shards = (folder / "variables").glob("variables.data-*")
    network = rebuild_network(part, notes, sum(shard.stat().st_size for shard in shards))
    objects = saved_model.ObjectGraph(folder / "variables" / "variables")
    node = objects.children()[name] if name else 0
    saved_model.assign_from_checkpoint(part, network, objects, node)
    return network


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _open_checkpoint(
    prefix: Path, like: keras.Model | None, direction: str, notes: list[str]
) -> keras.Model:
    objects = saved_model.ObjectGraph(prefix)
    children = objects.children()
    if any(name.startswith("layer_with_weights-") for name in children):
        return _from_weights([("", objects.arrays(0))], like, direction, notes)
    held = [(name, objects.arrays(node)) for name, node in children.items()]
    return _from_weights(
        [(name, arrays) for name, arrays in held if arrays], like, direction, notes
    )


def _from_weights(
    groups: list[tuple[str, Arrays]], like: keras.Model | None, direction: str, notes: list[str]
) -> keras.Model:
    """Gives weights alone a network: `like`, one of a tutorial, or one of several such."""
    whole = [array for _, arrays in groups for array in arrays]
    if like is not None:
        weights.assign_in_order(like, whole)
        return like
    found: dict[str, tutorials.Recognized] = {}
    mismatches: list[tutorials.MismatchError] = []
    tries = [("", whole)] if len(groups) < 2 else [("", whole), *groups]
    for name, arrays in tries:
        try:
            found[name] = tutorials.recognize_tutorial(arrays)
        except tutorials.MismatchError as mismatch:
            mismatches.append(mismatch)
        if "" in found:
            break
    if not found:
        furthest = max(mismatches, key=lambda mismatch: mismatch.place)
        raise UserError(
            f"it holds weights alone, and their shapes are of no network known here ({furthest}): "
            "give the full model, saved with model.save(...).",
            code="unsupported",
        )
    chosen = found[_choose_network(list(found), direction, notes)]
    notes.append(chosen.description)
    return chosen.network


def _choose_network(names: list[str], direction: str, notes: list[str]) -> str:
    """Chooses the generator of a direction by its name, else by its place."""
    if len(names) == 1:
        return names[0]
    pattern = _FORWARD if direction == "xy" else _BACKWARD
    fitting = [name for name in names if pattern.search(name.lower())]
    chosen = fitting[0] if fitting else names[0 if direction == "xy" else 1]
    notes.append(
        f"it holds several networks ({', '.join(names)}); {chosen} is taken for {direction}"
    )
    return chosen


def _open_keras_3(path: Path, stored_bytes: int) -> keras.Model:
    """Opens what Keras 3 saved, which is its own to read."""
    try:
        with at_most(stored_bytes):
            network = keras.saving.load_model(
                path, custom_objects=addons.CUSTOM_OBJECTS, compile=False
            )
    except UserError:
        raise
    except Exception as error:  # Keras raises whatever zip, JSON or a layer raised
        raise UserError(
            f"Keras {keras.__version__} refuses it ({' '.join(str(error).split())[:300]}).",
            code="unsupported",
        ) from error
    return builders.as_float32(network)


def _is_keras_3(version: Any) -> bool:
    return (
        isinstance(version, str)
        and version.split(".")[0].isdecimal()
        and int(version.split(".")[0]) >= 3
    )


def _parse_json(text: str) -> Mapping[str, Any]:
    try:
        parsed = json.loads(text)
    except ValueError as error:
        raise UserError(
            "its description of the network is not JSON: the file is damaged.", code="unreadable"
        ) from error
    if not isinstance(parsed, Mapping):
        raise UserError("its description of the network is not one of Keras.", code="unsupported")
    return parsed
