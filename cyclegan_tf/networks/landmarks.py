"""Layers of a generator that training must find again, in networks out of files too.

Layer names are saved with every network, so they are the record of where these layers are: the
builders name them by the functions below, and the searches ask by the same functions.
"""

from __future__ import annotations

from collections.abc import Callable

import keras

COLOR_SKIP = "colour_skip"
COLOR_SKIP_JOIN = "colour_skip_add"


def block_end(index: int) -> str:
    """Name of the sum that ends the residual block of this number, counted from 1."""
    return f"block{index}_add"


def long_skip_join(level: int) -> str:
    """Name of the sum where a long skip joins the ascending half, level 1 the innermost."""
    return f"up{level}_long_skip"


def block_ends(network: keras.Model) -> list[keras.layers.Layer]:
    """Returns the last layer of each residual block, in order; none for networks of other makes."""
    return _numbered(network, block_end)


def long_skip_joins(network: keras.Model) -> list[keras.layers.Layer]:
    """Returns the layers that take (what ascends, what comes over a long skip), in order."""
    return _numbered(network, long_skip_join)


def color_skip_join(network: keras.Model) -> keras.layers.Layer | None:
    """Returns the layer that takes (the end of the chain, the color skip), where there is one."""
    return next((layer for layer in network.layers if layer.name == COLOR_SKIP_JOIN), None)


def last_kernel_layer(network: keras.Model) -> keras.layers.Layer:
    """Returns the last layer of the chain that has a kernel: what makes a generator's channels."""
    return [layer for layer in network.layers if hasattr(layer, "kernel")][-1]


def _numbered(network: keras.Model, name_of: Callable[[int], str]) -> list[keras.layers.Layer]:
    layers = {layer.name: layer for layer in network.layers}
    found: list[keras.layers.Layer] = []
    while (layer := layers.get(name_of(len(found) + 1))) is not None:
        found.append(layer)
    return found
