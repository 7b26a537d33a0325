"""A network cut at its shared normalizations: what can be computed once the statistics before are
known, and kept.

The statistics of an image in tiles come one after the other: those of the second normalization
depend on the first's. Computing every tile from the image anew each time would be half as many
whole passes as there are normalizations.
Here each tile's tensors wait in files for the next stage instead: all stages together are little
  more than one pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.errors import UserError
from cyclegan_tf.networks.graph import INPUT, LayerCall, layer_calls
from cyclegan_tf.networks.layers import fast_routes
from cyclegan_tf.networks.shared_normalization import SharedInstanceNormalization

Shape = tuple[int, ...]

# Layers that look at all pixels of an image: a tile cannot stand for it there.
_OVER_ALL_PIXELS = (
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.Flatten,
)


@dataclass(frozen=True)
class SizedCall(LayerCall):
    """A call of a layer for one tile.

    Attributes:
      shape: (1, H, W, C) of what it makes.
    """

    shape: Shape

    @property
    def products(self) -> int:
        """Multiplications of a convolution; 0 for layers of another kind, whose share is small."""
        layer = self.layer
        if not isinstance(layer, (keras.layers.Conv2D, keras.layers.Conv2DTranspose)):
            return 0
        cells = math.prod(self.shape[1:3])
        if isinstance(layer, keras.layers.Conv2DTranspose):
            cells //= math.prod(layer.strides)
        return cells * math.prod(layer.kernel.shape)

    @property
    def bytes(self) -> int:
        """Size of what it gives."""
        return math.prod(self.shape) * tf.as_dtype(self.layer.compute_dtype).size


@dataclass(frozen=True)
class Stage:
    """The part of a network between the statistics known so far and the next.

    Attributes:
      norm: whose input this stage ends with; None for the last, which ends with the network's
        output.
      steps: layers in order.
      takes: tensors it starts from.
      gives: the tensor it ends with, then those to be kept for later stages.
      drops: kept tensors that no later stage takes.
      kept_bytes: of one tile, all that is kept after this stage.
    """

    norm: SharedInstanceNormalization | None
    steps: tuple[SizedCall, ...]
    takes: tuple[int, ...]
    gives: tuple[int, ...]
    drops: tuple[int, ...]
    kept_bytes: int

    def graph(self) -> Callable[..., list[tf.Tensor]]:
        """A function from the tensors it takes, in their order, to those it gives."""

        @tf.function(autograph=False)
        def run(*taken: tf.Tensor) -> list[tf.Tensor]:
            values = dict(zip(self.takes, taken, strict=True))
            with fast_routes():
                for step in self.steps:
                    inputs = [values[number] for number in step.inputs]
                    values[step.output] = step.layer(inputs if step.takes_list else inputs[0])
            return [values[number] for number in self.gives]

        traced: dict[tuple[Shape, ...], Callable[..., list[tf.Tensor]]] = {}

        def call(*taken: tf.Tensor) -> list[tf.Tensor]:
            # Called as it is, TensorFlow would take the functions of many stages for one that is
            # traced too often.
            shapes = tuple(tuple(tensor.shape) for tensor in taken)
            if shapes not in traced:
                specs = [tf.TensorSpec(tensor.shape, tensor.dtype) for tensor in taken]
                traced[shapes] = run.get_concrete_function(*specs)
            return traced[shapes](*taken)

        return call


def sized_calls(network: keras.Model, tile: Shape) -> list[SizedCall]:
    """Returns the calls of a network's layers in the order of computing, with sizes for one tile.

    Args:
      network: functional, from one image to one.
      tile: (1, H, W, C) of what it is given.

    Raises:
      UserError: a layer looks at all pixels of an image at once, or the network is no plain graph
        of layers.
    """
    for operation in network.operations:
        _check_tileable(operation)
    shapes = {INPUT: tuple(tile)}
    calls = []
    for call in layer_calls(network):
        known = [shapes[number] for number in call.inputs]
        given = known if call.takes_list else known[0]
        shape = shapes[call.output] = tuple(call.layer.compute_output_shape(given))
        calls.append(SizedCall(call.layer, call.inputs, call.outputs, call.takes_list, shape))
    return calls


def _check_tileable(operation: Any) -> None:
    name = f"{operation.name} ({type(operation).__name__})"
    if isinstance(operation, _OVER_ALL_PIXELS):
        raise UserError(
            f"--tile cannot be used with this network: its layer {name} looks at all pixels of an "
            "image at once; leave --tile out.",
            code="unsupported",
            field="--tile",
        )
    if not isinstance(operation, keras.layers.Layer) or isinstance(operation, keras.Model):
        raise UserError(
            f"--tile cannot be used with this network: {name} is not a layer on its own; leave "
            "--tile out.",
            code="unsupported",
            field="--tile",
        )


def plan(steps: Sequence[SizedCall], keeping: bool) -> list[Stage]:
    """Cuts a network into one stage for each shared normalization and a last one to the output.

    Maps as large as the tile are never kept: they take the most room and the least time to compute
      again.

    Args:
      steps: of `sized_calls`.
      keeping: whether anything is kept; without, every stage starts from the image.
    """
    by_output = {step.output: step for step in steps}
    height = steps[-1].shape[1]
    norms = [step for step in steps if isinstance(step.layer, SharedInstanceNormalization)]
    targets = [step.inputs[0] for step in norms] + [steps[-1].output]
    available = {INPUT}
    found = []
    for index, target in enumerate(targets):
        fresh: set[int] = set()
        if keeping:
            frontier = _frontier(steps, {norm.output for norm in norms[index:]}) - available
            fresh = {number for number in frontier if by_output[number].shape[1] < height}
        found.append((*_between(steps, {target} | fresh, available), fresh))
        available |= fresh
    stages = []
    waiting: set[int] = set()
    for index, (chosen, takes, fresh) in enumerate(found):
        later = set().union(*(more for _, more, _ in found[index + 1 :]))
        keeps = sorted(fresh & later)
        drops = sorted(waiting - later)
        waiting = (waiting & later) | set(keeps)
        norm = norms[index].layer if index < len(norms) else None
        kept_bytes = sum(by_output[number].bytes for number in waiting)
        gives = (targets[index], *keeps)
        stages.append(
            Stage(norm, tuple(chosen), tuple(sorted(takes)), gives, tuple(drops), kept_bytes)
        )  # type: ignore[arg-type]
    return stages


def passes(steps: Sequence[SizedCall], stages: Sequence[Stage]) -> float:
    """The work of all stages, as a multiple of the network's."""
    once = sum(step.products for step in steps)
    return sum(step.products for stage in stages for step in stage.steps) / max(1, once)


def _frontier(steps: Sequence[SizedCall], unknown: Collection[int]) -> set[int]:
    """Tensors that can be computed without the unknown ones and that a layer which cannot takes."""
    unknown = set(unknown)
    for step in steps:
        if unknown.intersection(step.inputs):
            unknown.add(step.output)
    return {number for step in steps if step.output in unknown for number in step.inputs} - unknown


def _between(
    steps: Sequence[SizedCall], wanted: Collection[int], available: Collection[int]
) -> tuple[list[SizedCall], set[int]]:
    """The layers that lead from what is available to what is wanted, and what they start from."""
    needed, chosen, takes = set(wanted), list[SizedCall](), set[int]()
    for step in reversed(steps):
        if step.output in needed and step.output not in available:
            chosen.append(step)
            needed.update(step.inputs)
    for step in chosen:
        takes.update(number for number in step.inputs if number in available)
    return chosen[::-1], takes | (set(wanted) & set(available))


class TileTensorFiles:
    """Tensors of tiles, each in a file: read back as they were written, and removed one by one.

    Files are read and written, not mapped: pages of mapped files would count as this process's
      memory.

    Args:
      folder: empty, of this object alone.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._forms: dict[int, tuple[tf.DType, tf.TensorShape]] = {}

    def put(self, tile: tuple[int, int], number: int, tensor: tf.Tensor) -> None:
        """Keeps an eager tensor; all tiles' tensors of one number have one shape."""
        self._forms[number] = tensor.dtype, tensor.shape
        tensor.numpy().tofile(self._path(tile, number))

    def get(self, tile: tuple[int, int], number: int) -> tf.Tensor:
        """What was put."""
        dtype, shape = self._forms[number]
        return tf.constant(
            np.fromfile(self._path(tile, number), dtype.as_numpy_dtype).reshape(shape)
        )

    def drop(self, tile: tuple[int, int], number: int) -> None:
        """Forgets it."""
        self._path(tile, number).unlink()

    def _path(self, tile: tuple[int, int], number: int) -> Path:
        return self._folder / f"{tile[0]}-{tile[1]}-{number}"
