"""Recognizes generators of two well-known tutorials by the shapes of their weights alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from cyclegan_tf.convert.keras2.layers import PIX2PIX_EPSILON
from cyclegan_tf.convert.keras2.weights import Arrays, Stored, assign_in_order
from cyclegan_tf.networks import addons, layers

_DROPPED_UPS = 3


class MismatchError(Exception):
    """Weights are of no known network; `place` counts the arrays that fit before."""

    def __init__(self, place: int, message: str) -> None:
        super().__init__(message)
        self.place = place


@dataclass(frozen=True)
class Recognized:
    """A network with its weights, and a description of what it was taken for.

    Example:
      >>> found = recognize_tutorial(arrays)
      >>> found.network(images)
    """

    network: keras.Model
    description: str


@dataclass(frozen=True)
class _Unit:
    """A convolution's kernel, and the vectors behind it: of a norm, or a bias."""

    place: int
    kernel: Stored
    vectors: Arrays

    @property
    def shape(self) -> tuple[int, ...]:
        return self.kernel.values.shape


def recognize_tutorial(arrays: Arrays, name: str = "generator") -> Recognized:
    """Builds the tutorial network that arrays of these shapes belong to, with these weights.

    Known are the generator of keras.io's CycleGAN (residual blocks, reflection padding) and that of
    TensorFlow's pix2pix and CycleGAN tutorials (a U-Net with instance normalization), of any width
    and depth.

    Args:
      arrays: in the order of the layers.
      name: of the network.

    Raises:
      MismatchError: they fit neither; names the first one that does not.
    """
    units = _units(arrays)
    worst: MismatchError | None = None
    for attempt in (_resnet, _unet):
        try:
            network, description = attempt(units, name)
        except MismatchError as mismatch:
            worst = mismatch if worst is None or mismatch.place > worst.place else worst
            continue
        assign_in_order(network, arrays)
        return Recognized(network, description)
    assert worst is not None
    raise worst


def _units(arrays: Arrays) -> list[_Unit]:
    units: list[_Unit] = []
    for place, array in enumerate(arrays):
        if array.values.ndim == 4:
            units.append(_Unit(place, array, []))
        elif array.values.ndim == 1 and units:
            units[-1].vectors.append(array)
        else:
            raise _mismatch(place, array)
    if not units:
        raise MismatchError(0, "it holds no weights")
    return units


def _mismatch(place: int, array: Stored) -> MismatchError:
    name = f"{array.name} " if array.name else ""
    return MismatchError(
        place, f"array {place + 1}, {name}of shape {array.values.shape}, fits none"
    )


def _check_vectors(unit: _Unit, count: int, size: int) -> None:
    for number, vector in enumerate(unit.vectors, start=1):
        if number > count or vector.values.shape != (size,):
            raise _mismatch(unit.place + number, vector)
    if len(unit.vectors) < count:
        raise _mismatch(unit.place, unit.kernel)


def _epsilon(units: list[_Unit], usual: float) -> tuple[float, str]:
    """Epsilon of the norms, and a note on it.

    tensorflow-addons calls their weights gamma and beta, the pix2pix tutorial scale and offset, and
    some files hold no names.
    """
    names = {vector.name for unit in units for vector in unit.vectors}
    if "scale" in names or "gamma" in names:
        epsilon = PIX2PIX_EPSILON if "scale" in names else addons.EPSILON
        return epsilon, f"epsilon {epsilon:g}"
    other = PIX2PIX_EPSILON + addons.EPSILON - usual
    return usual, f"epsilon {usual:g} (a guess, as the file holds no names: it may be {other:g})"


def _resnet(units: list[_Unit], name: str) -> tuple[keras.Model, str]:
    first, last = units[0], units[-1]
    side, _, channels, filters = first.shape
    if first.shape[:2] != (side, side) or side % 2 == 0 or len(units) < 2:
        raise _mismatch(first.place, first.kernel)
    _check_vectors(first, 2, filters)
    place, width = 1, filters

    def run(shape: Callable[[], tuple[int, ...]], after: Callable[[int], int], out: int) -> int:
        nonlocal place, width
        start = place
        while place < len(units) - 1 and units[place].shape == shape():
            _check_vectors(units[place], 2, units[place].shape[out])
            place, width = place + 1, after(width)
        return place - start

    downs = run(lambda: (3, 3, width, 2 * width), lambda wide: 2 * wide, 3)
    flat = run(lambda: (3, 3, width, width), lambda wide: wide, 3)
    if flat % 2:
        raise _mismatch(units[place].place, units[place].kernel)
    ups = run(lambda: (3, 3, width // 2, width), lambda wide: wide // 2, 2)
    if place < len(units) - 1:
        raise _mismatch(units[place].place, units[place].kernel)
    if last.shape[:3] != (side, side, width):
        raise _mismatch(last.place, last.kernel)
    _check_vectors(last, 1, last.shape[3])
    epsilon, epsilon_note = _epsilon(units, addons.EPSILON)
    network = _build_resnet(
        name, channels, filters, last.shape[3], side, (downs, flat // 2, ups), epsilon
    )
    return network, (
        "recognized by its shapes as the generator of keras.io's CycleGAN tutorial (filters "
        f"{filters}, blocks {flat // 2}); what weights do not show is the tutorial's: mirrored "
        f"edges, ReLU, tanh, {epsilon_note}"
    )


class _LayerFactory:
    """Makes layers of float32 with names, and applies them."""

    def __init__(self, epsilon: float) -> None:
        self._epsilon = epsilon

    def apply(
        self, kind: type[keras.layers.Layer], x: Any, name: str, *arguments: Any, **options: Any
    ) -> Any:
        return kind(*arguments, **options, name=name, dtype="float32")(x)

    def norm(self, x: Any, name: str) -> Any:
        return self.apply(
            layers.InstanceNormalization,
            x,
            f"{name}_norm",
            epsilon=self._epsilon,
            center=True,
            scale=True,
        )

    def norm_relu(self, x: Any, name: str) -> Any:
        return self.apply(keras.layers.ReLU, self.norm(x, name), f"{name}_relu")

    def reflect_pad(self, x: Any, name: str, width: int) -> Any:
        return self.apply(layers.ReflectionPadding2D, x, f"{name}_pad", width)

    def conv(
        self, x: Any, name: str, filters: int, side: int, stride: int = 1, **options: Any
    ) -> Any:
        options = {"use_bias": False, "padding": "valid" if stride == 1 else "same"} | options
        return self.apply(keras.layers.Conv2D, x, name, filters, side, stride, **options)

    def up(self, x: Any, name: str, filters: int, side: int, **options: Any) -> Any:
        options = {"use_bias": False} | options
        return self.apply(
            keras.layers.Conv2DTranspose, x, name, filters, side, 2, padding="same", **options
        )


def _build_resnet(
    name: str,
    channels: int,
    filters: int,
    out: int,
    side: int,
    counts: tuple[int, int, int],
    epsilon: float,
) -> keras.Model:
    make = _LayerFactory(epsilon)
    downs, blocks, ups = counts
    x = inputs = keras.Input((None, None, channels), name="input")
    x = make.norm_relu(
        make.conv(make.reflect_pad(x, "first", side // 2), "first", filters, side), "first"
    )
    for index in range(1, downs + 1):
        filters *= 2
        x = make.norm_relu(make.conv(x, f"down{index}", filters, 3, 2), f"down{index}")
    for index in range(1, blocks + 1):
        one, two = f"block{index}_conv1", f"block{index}_conv2"
        y = make.norm_relu(make.conv(make.reflect_pad(x, one, 1), one, filters, 3), one)
        y = make.norm(make.conv(make.reflect_pad(y, two, 1), two, filters, 3), two)
        x = make.apply(keras.layers.Add, [x, y], f"block{index}_add")
    for index in range(1, ups + 1):
        filters //= 2
        x = make.norm_relu(make.up(x, f"up{index}", filters, 3), f"up{index}")
    x = make.conv(make.reflect_pad(x, "last", side // 2), "last", out, side, use_bias=True)
    return keras.Model(inputs, make.apply(keras.layers.Activation, x, "output", "tanh"), name=name)


def _unet(units: list[_Unit], name: str) -> tuple[keras.Model, str]:
    depth = len(units) // 2
    widths: list[int] = []
    channels = given = units[0].shape[2]
    for index, unit in enumerate(units[:depth]):
        if unit.shape[:3] != (4, 4, given):
            raise _mismatch(unit.place, unit.kernel)
        given = unit.shape[3]
        _check_vectors(unit, 2 if index else 0, given)
        widths.append(given)
    ups: list[int] = []
    for index, unit in enumerate(units[depth:]):
        is_last = index == depth - 1
        if unit.shape[:2] != (4, 4) or unit.shape[3] != given or index >= depth:
            raise _mismatch(unit.place, unit.kernel)
        _check_vectors(unit, 1 if is_last else 2, unit.shape[2])
        ups.append(unit.shape[2])
        if not is_last:
            given = unit.shape[2] + widths[depth - 2 - index]
    if depth < 2:
        raise _mismatch(units[-1].place, units[-1].kernel)
    epsilon, epsilon_note = _epsilon(units, PIX2PIX_EPSILON)
    return _build_unet(name, channels, widths, ups, epsilon), (
        "recognized by its shapes as the U-Net of TensorFlow's pix2pix and CycleGAN tutorials "
        f"(filters {widths[0]}, depth {depth}); what weights do not show is the tutorial's: "
        f"LeakyReLU of 0.3, dropout on the first three ascending layers in training, tanh, "
        f"{epsilon_note}"
    )


def _build_unet(
    name: str, channels: int, widths: list[int], ups: list[int], epsilon: float
) -> keras.Model:
    make = _LayerFactory(epsilon)
    x = inputs = keras.Input((None, None, channels), name="input")
    skips = []
    for level, width in enumerate(widths, start=1):
        x = make.conv(x, f"down{level}", width, 4, 2)
        if level > 1:
            x = make.norm(x, f"down{level}")
        x = make.apply(keras.layers.LeakyReLU, x, f"down{level}_leaky_relu", negative_slope=0.3)
        skips.append(x)
    skips.pop()
    for index, width in enumerate(ups[:-1]):
        label = f"up{len(widths) - index}"
        x = make.norm(make.up(x, label, width, 4), label)
        if index < _DROPPED_UPS:
            x = make.apply(keras.layers.Dropout, x, f"{label}_dropout", 0.5)
        x = make.apply(keras.layers.ReLU, x, f"{label}_relu")
        x = make.apply(keras.layers.Concatenate, [x, skips.pop()], f"{label}_join")
    return keras.Model(
        inputs, make.up(x, "up1", ups[-1], 4, use_bias=True, activation="tanh"), name=name
    )
