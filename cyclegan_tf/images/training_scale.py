"""The scale at which a network was trained, and at which it is therefore to see images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import tensorflow as tf

NOTICEABLE = 1.5
"""Factor between an image and what training saw from which on a remark is due."""


@dataclass(frozen=True)
class TrainingScale:
    """How large images were when the network was trained on them.

    Training stretched each image to a square ("area"), brought it to a width ("width"), or left it
    as it was ("full"). An image is given the area of that square, and is stretched as training
    stretched its images on the mean: one of their shape becomes the square, and a network trained
    on squares sees wide photos in their own shape (docs/architecture.md). It is reduced or
    enlarged, as training did both.

    Attributes:
      kind: "area", "width" or "full".
      px: side of the square, or width; None where the kind is "full".
      aspect: width by height of training's images before the stretching; only of the kind "area".

    Example:
      >>> TrainingScale("area", 256).size(3000, 4000)
      (222, 296)
    """

    kind: Literal["area", "width", "full"]
    px: int | None = None
    aspect: float = 1.0

    @classmethod
    def of(
        cls, preprocess: str, load_size_px: int, crop_size_px: int, aspect: float = 1.0
    ) -> TrainingScale:
        """Give the scale of an experiment: that of its test images, see `ImageTransform`.

        Args:
          preprocess: of config's `data`.
          load_size_px: the same.
          crop_size_px: the same.
          aspect: width by height of the images.
        """
        if preprocess == "resize_and_crop":
            return cls("area", crop_size_px, aspect)
        if preprocess == "scale_width_and_crop":
            return cls("width", crop_size_px)
        return cls("width", load_size_px) if preprocess == "scale_width" else FULL

    @classmethod
    def from_dict(cls, fields: Any) -> TrainingScale | None:
        """Read what `as_dict` gave; None where that is something else."""
        if not isinstance(fields, Mapping):
            return None
        kind, px = fields.get("kind"), fields.get("px")
        if kind == "full":
            return FULL
        is_size = isinstance(px, int) and not isinstance(px, bool) and px > 0
        aspect = fields.get("aspect", 1.0)
        is_shape = isinstance(aspect, int | float) and 0 < aspect < math.inf
        if kind not in ("area", "width") or not is_size or not is_shape:
            return None
        return cls(kind, px, float(aspect))

    def as_dict(self) -> dict[str, Any]:
        """Give what files keep."""
        return {"kind": self.kind, "px": self.px, "aspect": self.aspect}

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Give the height and width at which the network is to see an image of this size."""
        if self.px is None:
            return height, width
        across = float(self.px)
        if self.kind == "area":
            across *= math.sqrt(width / height / self.aspect)
        down = across * height / width * self.aspect
        return max(1, round(down)), max(1, round(across))

    def size_in_graph(self, height: tf.Tensor, width: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Give the same for int32 scalars of a graph."""
        if self.px is None:
            return height, width
        shape = tf.cast(width, tf.float64) / tf.cast(height, tf.float64)
        across = tf.constant(self.px, tf.float64)
        if self.kind == "area":
            across *= tf.sqrt(shape / self.aspect)
        down = across * tf.cast(height, tf.float64) / tf.cast(width, tf.float64) * self.aspect
        down, right = (tf.maximum(tf.cast(tf.round(side), tf.int32), 1) for side in (down, across))
        return down, right

    def factor(self, height: int, width: int) -> float:
        """Give how many times larger an image is than what training saw, on its sides' mean."""
        rows, columns = self.size(height, width)
        return math.sqrt(height * width / (rows * columns))

    def __str__(self) -> str:
        """Name the scale for messages."""
        if self.px is None:
            return "the images' own size"
        return f"{self.px} px wide" if self.kind == "width" else f"{self.px} x {self.px} px"


FULL = TrainingScale("full")
