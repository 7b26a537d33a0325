"""Cuts a network at its shared normalizations, to compute statistics over many tiles.

The statistics of an image in tiles come one after the other: those of the second normalization
depend on the first's. Computing every tile from the image anew each time would be half as many
whole passes as there are normalizations. Here each tile's tensors wait in files for the next stage
instead: all stages together are little more than one pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

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
    """A call of a layer on a tile.

    Attributes:
      shape: (1, H, W, C) of the output.

    Example:
      >>> calls = sized_calls(network, (1, 256, 256, 3))
      >>> calls[0].layer, calls[0].shape
    """

    shape: Shape

    @property
    def products(self) -> int:
        """Multiplications of a convolution; 0 for other layers, whose share is small."""
        layer = self.layer
        if not isinstance(layer, (keras.layers.Conv2D, keras.layers.Conv2DTranspose)):
            return 0
        cells = math.prod(self.shape[1:3])
        if isinstance(layer, keras.layers.Conv2DTranspose):
            cells //= math.prod(layer.strides)
        return cells * math.prod(layer.kernel.shape)

    @property
    def bytes(self) -> int:
        """Size of the output."""
        return math.prod(self.shape) * tf.as_dtype(self.layer.compute_dtype).size


@dataclass(frozen=True)
class Stage:
    """The part of a network between the statistics known so far and the next.

    Attributes:
      norm: whose input this stage ends with; None for the last, which ends with the network's
        output.
      calls: layers in order.
      inputs: tensors it starts from.
      outputs: the tensor it ends with, then those to be kept for later stages.
      frees: kept tensors that no later stage takes.
      kept_bytes: of one tile, all that is kept after this stage.

    Example:
      >>> stages = plan_stages(sized_calls(network, (1, 256, 256, 3)), keeping=True)
      >>> run = stages[0].graph()
      >>> statistics_input, *kept = run(tile)
    """

    norm: SharedInstanceNormalization | None
    calls: tuple[SizedCall, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    frees: tuple[int, ...]
    kept_bytes: int

    def graph(self) -> Callable[..., list[tf.Tensor]]:
        """Compile a function from the inputs, in their order, to the outputs."""

        @tf.function(autograph=False)
        def run(*taken: tf.Tensor) -> list[tf.Tensor]:
            values = dict(zip(self.inputs, taken, strict=True))
            with fast_routes():
                for each in self.calls:
                    inputs = [values[number] for number in each.inputs]
                    values[each.output] = each.layer(inputs if each.takes_list else inputs[0])
            return [values[number] for number in self.outputs]

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
    """List the layer calls of a network in the order of computing, with the shapes for a tile.

    Args:
      network: functional, from one image to one.
      tile: (1, H, W, C) of its input.

    Raises:
      UserError: a layer looks at all pixels of an image at once, or the network is no plain graph
        of layers.
    """
    for operation in network.operations:
        _refuse_uncuttable(operation)
    shapes = {INPUT: tuple(tile)}
    calls = []
    for call in layer_calls(network):
        known = [shapes[number] for number in call.inputs]
        shape = call.layer.compute_output_shape(known if call.takes_list else known[0])
        shapes[call.output] = tuple(shape)
        calls.append(
            SizedCall(call.layer, call.inputs, call.outputs, call.takes_list, shapes[call.output])
        )
    return calls


def _refuse_uncuttable(operation: keras.Operation) -> None:
    name = f"{operation.name} ({type(operation).__name__})"
    if isinstance(operation, _OVER_ALL_PIXELS) or getattr(operation, "over_all_pixels", False):
        reason = f"its layer {name} looks at all pixels of an image at once"
    elif not isinstance(operation, keras.layers.Layer) or isinstance(operation, keras.Model):
        reason = f"{name} is not a layer on its own"
    else:
        return
    raise UserError(
        f"--tile_px cannot be used with this network: {reason}; leave --tile_px out.",
        code="unsupported",
        field="--tile_px",
    )


def plan_stages(calls: Sequence[SizedCall], keeping: bool) -> list[Stage]:
    """Cut a network into a stage for each shared normalization and a last one to the output.

    Maps as large as the tile are never kept: they take the most room and the least time to compute
    again.

    Args:
      calls: of `sized_calls`.
      keeping: whether anything is kept; without, every stage starts from the image.
    """
    by_output = {call.output: call for call in calls}
    height = calls[-1].shape[1]
    norms = [call for call in calls if isinstance(call.layer, SharedInstanceNormalization)]
    targets = [call.inputs[0] for call in norms] + [calls[-1].output]
    available = {INPUT}
    found = []
    for index, target in enumerate(targets):
        fresh: set[int] = set()
        if keeping:
            frontier = _frontier(calls, {norm.output for norm in norms[index:]}) - available
            fresh = {number for number in frontier if by_output[number].shape[1] < height}
        found.append((*_between(calls, {target} | fresh, available), fresh))
        available |= fresh
    stages = []
    waiting: set[int] = set()
    for index, (chosen, inputs, fresh) in enumerate(found):
        later = set().union(*(more for _, more, _ in found[index + 1 :]))
        keeps = sorted(fresh & later)
        frees = sorted(waiting - later)
        waiting = (waiting & later) | set(keeps)
        norm = norms[index].layer if index < len(norms) else None
        kept_bytes = sum(by_output[number].bytes for number in waiting)
        outputs = (targets[index], *keeps)
        stages.append(
            Stage(norm, tuple(chosen), tuple(sorted(inputs)), outputs, tuple(frees), kept_bytes)
        )  # type: ignore[arg-type]
    return stages


def relative_cost(calls: Sequence[SizedCall], stages: Sequence[Stage]) -> float:
    """Return the work of all stages, as a multiple of the network's."""
    once = sum(call.products for call in calls)
    return sum(call.products for stage in stages for call in stage.calls) / max(1, once)


def _frontier(calls: Sequence[SizedCall], unknown: Collection[int]) -> set[int]:
    """Find tensors computed without the unknown ones and used by a layer that needs one."""
    unknown = set(unknown)
    for call in calls:
        if unknown.intersection(call.inputs):
            unknown.add(call.output)
    return {number for call in calls if call.output in unknown for number in call.inputs} - unknown


def _between(
    calls: Sequence[SizedCall], wanted: Collection[int], available: Collection[int]
) -> tuple[list[SizedCall], set[int]]:
    """Find the layers from what is available to what is wanted, and what they start from."""
    needed, chosen, inputs = set(wanted), list[SizedCall](), set[int]()
    for call in reversed(calls):
        if call.output in needed and call.output not in available:
            chosen.append(call)
            needed.update(call.inputs)
    for call in chosen:
        inputs.update(number for number in call.inputs if number in available)
    return chosen[::-1], inputs | (set(wanted) & set(available))


class TileTensorFiles:
    """Tensors of tiles, each in a file: read back as they were written, and removed one by one.

    Files are read and written, not mapped: pages of mapped files would count as this process's
    memory.

    Args:
      folder: empty, of this object alone.

    Example:
      >>> files = TileTensorFiles(folder)
      >>> files.put((0, 1), 5, tensor)
      >>> tensor = files.get((0, 1), 5)
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._forms: dict[int, tuple[tf.DType, tf.TensorShape]] = {}

    def put(self, tile: tuple[int, int], number: int, tensor: tf.Tensor) -> None:
        """Keep an eager tensor.

        Args:
          tile: row and column.
          number: of the tensor, whose shape is the same for all tiles.
          tensor: its value.
        """
        self._forms[number] = tensor.dtype, tensor.shape
        tensor.numpy().tofile(self._path(tile, number))

    def get(self, tile: tuple[int, int], number: int) -> tf.Tensor:
        """Read a tensor back."""
        dtype, shape = self._forms[number]
        return tf.constant(
            np.fromfile(self._path(tile, number), dtype.as_numpy_dtype).reshape(shape)
        )

    def free(self, tile: tuple[int, int], number: int) -> None:
        """Remove a tensor."""
        self._path(tile, number).unlink()

    def _path(self, tile: tuple[int, int], number: int) -> Path:
        return self._folder / f"{tile[0]}-{tile[1]}-{number}"
