"""Arrays out of files that Keras 2 wrote, and their way into a network: all of them, or none."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import h5py
import keras
import numpy as np

from cyclegan_tf.convert.keras2.graph import LayerSpec
from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign import hdf5


@dataclass(frozen=True)
class Stored:
    """One array of a file.

    Attributes:
      name: last part of its name ("kernel", "gamma"); "" where the file has none.
      values: float32.

    Example:
      >>> arrays = [Stored("kernel", np.zeros((3, 3, 2, 4), np.float32))]
      >>> assign_in_order(network, arrays)
    """

    name: str
    values: np.ndarray


Arrays = list[Stored]

# Where `.keras` and `.weights.h5` files hold the layers of a model, by the version of Keras.
_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")


@dataclass
class Assignment:
    """Pairs of variables and arrays; nothing is assigned before everything fits.

    Example:
      >>> assignment = Assignment()
      >>> assignment.add("conv1", layer.weights, arrays)
      >>> assignment.finish(network)
    """

    _pairs: list[tuple[keras.Variable, np.ndarray]] = field(default_factory=list)

    def add(self, label: str, variables: Sequence[keras.Variable], arrays: Arrays) -> None:
        """Notes which arrays belong into which variables, in order.

        Args:
          label: of the layer, for messages.
          variables: in Keras 2's order.
          arrays: in the same order.

        Raises:
          UserError: numbers or shapes differ; `label` says where.
        """
        for variable, array in zip(variables, arrays, strict=False):
            if tuple(variable.shape) != array.values.shape:
                raise UserError(
                    f"the weights of {label} do not fit: {array.name or variable.name} has shape "
                    f"{array.values.shape}, the network takes {tuple(variable.shape)}.",
                    code="unreadable",
                )
        if len(variables) != len(arrays):
            raise UserError(
                f"the weights of {label} do not fit: the file holds {len(arrays)}, the network "
                f"takes {len(variables)}.",
                code="unreadable",
            )
        self._pairs += [
            (variable, array.values) for variable, array in zip(variables, arrays, strict=True)
        ]

    def finish(self, network: keras.Model) -> None:
        """Assigns.

        Raises:
          UserError: some weight of the network is left without values.
        """
        filled = {id(variable) for variable, _ in self._pairs}
        empty = [variable.path for variable in network.weights if id(variable) not in filled]
        if empty:
            raise UserError(
                f"it holds no values for {len(empty)} of the network's weights, the first is "
                f"{empty[0]}.",
                code="unreadable",
            )
        for variable, values in self._pairs:
            variable.assign(values)


def assign_by_name(model: LayerSpec, network: keras.Model, groups: Mapping[str, Arrays]) -> None:
    """Assigns the arrays of each layer of the outermost model by the layers' names.

    Args:
      model: the stored model.
      network: rebuilt from it.
      groups: arrays by layer.

    Raises:
      UserError: names, numbers or shapes differ.
    """
    assignment = Assignment()
    parts = {part.name: part for part in model.own_parts}
    for name, arrays in groups.items():
        if name not in parts:
            if arrays:
                raise UserError(
                    f"it holds weights of a layer {name}, which its network lacks.", code="mismatch"
                )
            continue
        variables = parts[name].variables()
        # a dropout may have kept the state of its random numbers
        assignment.add(
            name, variables, arrays if variables or parts[name].kind != "Dropout" else []
        )
    assignment.finish(network)


def assign_in_order(network: keras.Model, arrays: Arrays) -> None:
    """Puts arrays into a network in the order of its layers, as Keras 2 wrote weights.

    Raises:
      UserError: numbers or shapes differ.
    """
    assignment = Assignment()
    rest = list(arrays)
    for layer in network.layers:
        variables = [*layer.trainable_weights, *layer.non_trainable_weights]
        if variables:
            assignment.add(layer.name, variables, rest[: len(variables)])
            rest = rest[len(variables) :]
    if rest:
        raise UserError(
            f"it holds {len(rest)} arrays more than the network takes, the first of shape "
            f"{rest[0].values.shape}.",
            code="mismatch",
        )
    assignment.finish(network)


def text_list_attribute(holder: h5py.Group, key: str) -> list[str]:
    """A list of names among the attributes; Keras parts long ones into key0, key1, ..."""
    if key in holder.attrs:
        found = list(holder.attrs[key])
    else:
        found = []
        while f"{key}{len(found)}" in holder.attrs:
            found.append(holder.attrs[f"{key}{len(found)}"])
        found = [name for chunk in found for name in chunk]
    return [name.decode("utf-8") if isinstance(name, bytes) else str(name) for name in found]


def text_attribute(holder: h5py.Group, key: str) -> str | None:
    """One text among the attributes."""
    value = holder.attrs.get(key)
    return (
        value.decode("utf-8") if isinstance(value, bytes) else None if value is None else str(value)
    )


def read_groups(holder: h5py.Group) -> dict[str, Arrays]:
    """Arrays of each layer in Keras 2's own HDF5 layout, by the layers' names, in the file's order.

    Raises:
      UserError: a name leads nowhere, or out of the file.
    """
    return {
        name: _read_layer(hdf5.inner(holder, name, h5py.Group))
        for name in text_list_attribute(holder, "layer_names")
    }


def _read_layer(group: h5py.Group) -> Arrays:
    return [
        Stored(_short(name), hdf5.values(hdf5.inner(group, name, h5py.Dataset)))
        for name in text_list_attribute(group, "weight_names")
    ]


def _short(name: str) -> str:
    return name.split("/")[-1].split(":")[0]


def assign_numbered(model: LayerSpec, network: keras.Model, file: h5py.File) -> None:
    """Puts the arrays of a `.keras` file into the network built from its description.

    There, layers are called by their class and a number: conv2d, conv2d_1, ...; those of a model
    within stand in a group of its own.

    Args:
      model: the stored model.
      network: rebuilt from it.
      file: with the weights.

    Raises:
      UserError: numbers or shapes differ.
    """
    assignment = Assignment()
    _assign_model(model, file, assignment)
    assignment.finish(network)


def arrays_in_likely_order(file: h5py.Group) -> Arrays:
    """Orders the arrays of a numbered file that has no description.

    Each kernel comes with its norm, plain convolutions around the transposed ones, models within in
    their own order. The file does not say so: shapes must fit.

    Raises:
      UserError: as `read_groups`.
    """
    found = _by_class(file)
    if "sequential" in found:
        first = [
            array for inner in found.pop("sequential") for array in arrays_in_likely_order(inner)
        ]
        return first + [
            array for groups in found.values() for inner in groups for array in _vars(inner)
        ]
    convolutions = [_vars(inner) for inner in found.pop("conv2d", [])]
    transposed = [_vars(inner) for inner in found.pop("conv2dtranspose", [])]
    norms = [_vars(inner) for groups in found.values() for inner in groups]
    kernels = [*convolutions[:-1], *transposed, *convolutions[-1:]]
    none: Arrays = []
    pairs = itertools.zip_longest(kernels, norms, fillvalue=none)
    return [array for kernel, norm in pairs for array in (*kernel, *norm)]


def is_numbered(file: h5py.Group) -> bool:
    """Whether arrays stand by class and number, as in `.keras` and `.weights.h5` files."""
    return any(key in file for key in _CONTAINERS)


def _assign_model(model: LayerSpec, group: h5py.Group, assignment: Assignment) -> None:
    found = _by_class(group)
    for part in model.own_parts:
        if not part.variables():
            continue
        waiting = found.get(re.sub(r"[^a-z0-9]", "", part.kind.split(">")[-1].lower()))
        if not waiting:
            raise UserError(f"it holds no values for the layer {part.name}.", code="unreadable")
        inner = waiting.pop(0)
        if part.parts is not None:
            _assign_model(part, inner, assignment)
        else:
            assignment.add(part.name, part.variables(), _vars(inner))


def _by_class(holder: h5py.Group) -> dict[str, list[h5py.Group]]:
    """Groups that hold arrays, by lower-case class without underscores, in numbered order."""
    container = next(
        (hdf5.inner(holder, key, h5py.Group) for key in _CONTAINERS if key in holder), None
    )
    numbered = []
    for name in container or ():
        inner = hdf5.inner(container, name, h5py.Group)
        if _holds_arrays(inner):
            words = name.split("_")
            number = int(words.pop()) if words[-1].isdecimal() else 0
            numbered.append(("".join(words), number, inner))
    by_class: dict[str, list[h5py.Group]] = {}
    for kind, _, inner in sorted(numbered, key=lambda row: row[:2]):
        by_class.setdefault(kind, []).append(inner)
    return by_class


def _holds_arrays(group: h5py.Group) -> bool:
    return bool(
        group.visititems(lambda _, found: True if isinstance(found, h5py.Dataset) else None)
    )


def _vars(group: h5py.Group) -> Arrays:
    holder = hdf5.inner(group, "vars", h5py.Group)
    return [
        Stored("", hdf5.values(hdf5.inner(holder, name, h5py.Dataset)))
        for name in sorted(holder, key=int)
    ]
