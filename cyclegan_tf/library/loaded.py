"""Trained models of every kind behind one door: runs, `.keras`, `.pth` and exported files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_tf.cli.guesses import DIRECTIONS
from cyclegan_tf.errors import UserError
from cyclegan_tf.images.folders import list_folder
from cyclegan_tf.images.ranges import FULL_RANGES, RangePair
from cyclegan_tf.library import forms


class Network:
    """One direction of a model: how many channels it takes, and its translation.

    Args:
      channels: of the images it takes.
      translate: uint8 or uint16 (H, W, channels) -> the same size and depth; with ranges float32
        in [-1, 1] to the same.
      ranges: what the numbers of its images mean.

    Example:
      >>> network = Network(3, translator)
      >>> network.translate(np.zeros((64, 64, 3), np.uint8)).shape
      (64, 64, 3)
    """

    def __init__(
        self,
        channels: int,
        translate: Callable[[np.ndarray], np.ndarray],
        ranges: RangePair = FULL_RANGES,
    ) -> None:
        self.channels = channels
        self.translate = translate
        self.ranges = ranges


class Model:
    """A trained model that translates images, in one or both directions.

    Made by `load`. Networks are read when they are first used.

    Args:
      source: what it was loaded from.
      openers: direction -> function that opens its network.

    Example:
      >>> model = cyclegan_tf.load("runs/mine")
      >>> model.translate("photo.jpg").save("painting.png")
    """

    def __init__(self, source: Path, openers: Mapping[str, Callable[[], Network]]) -> None:
        self.source = source
        self._openers = dict(openers)
        self._networks: dict[str, Network] = {}

    @property
    def directions(self) -> tuple[str, ...]:
        """The directions it translates in: "xy", "yx", or both."""
        return tuple(self._openers)

    def translate(self, images: Any, direction: str | None = None) -> Any:
        """Translate an image or several, each to its own size.

        Args:
          images: the path of a file; a Pillow image; an array (H, W), (H, W, C) or (N, H, W, C) of
            uint8, uint16 or floats in [0, 1]; a folder (with all folders in it); or a sequence of
            any of these but folders.
          direction: "xy" (or "AtoB") or "yx" (or "BtoA"); by default the only one, else "xy".

        Returns:
          In the form of the input: a Pillow image for a file or a Pillow image (an array where
          Pillow has no such image: 16-bit color, 2, 4 or more channels), an array of the same type
          for an array, a list for a sequence, and for a folder a dictionary from each image's path
          within it. Of a model trained with ranges always arrays, in the target's numbers and type.

        Raises:
          UserError: an image cannot be read or is of another kind, the folder holds none, or the
            model has no such direction.
        """
        network = self._network(direction)
        if forms.is_path(images) and os.path.isdir(images):
            found = list_folder(Path(images)).images
            if not found:
                raise UserError(f"{images} holds no images.", code="missing", field=str(images))
            return {
                path.relative_to(images).as_posix(): _translated(network, path) for path in found
            }
        if isinstance(images, np.ndarray) and images.ndim == 4:
            return np.stack([_translated(network, image) for image in images])
        if isinstance(images, Sequence) and not forms.is_path(images):
            return [_translated(network, image) for image in images]
        return _translated(network, images)

    def _network(self, direction: str | None) -> Network:
        wanted = self.directions[0] if direction is None else DIRECTIONS.get(direction.lower())
        if wanted not in self._openers:
            raise UserError(
                f"direction is {direction!r}, but {self.source} translates "
                f"{' and '.join(self.directions)}.",
                field="direction",
            )
        if wanted not in self._networks:
            self._networks[wanted] = self._openers[wanted]()
        return self._networks[wanted]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.source} ({', '.join(self.directions)})>"


def _translated(network: Network, image: Any) -> Any:
    if (target := network.ranges.target) is not None:
        signed = forms.signed_of(image, network.channels, network.ranges.source)
        return target.from_signed(network.translate(signed))
    return forms.like(image)(network.translate(forms.pixels_of(image, network.channels)))
