"""Sizes from coarse to fine, and what one hands to the next."""

from __future__ import annotations

import math

import tensorflow as tf

COARSEST_PX = 128
"""Longer side of the coarsest octave, at least, where their number follows from the size."""


def result_size(height: int, width: int, longer_px: int) -> tuple[int, int]:
    """Size of the result.

    Args:
      height: of the content image.
      width: of the content image.
      longer_px: its longer side is to have; 0 keeps the size.

    Example:
      >>> result_size(300, 400, 512)
      (384, 512)
    """
    factor = longer_px / max(height, width) if longer_px else 1.0
    return max(1, round(height * factor)), max(1, round(width * factor))


def octave_sizes(height: int, width: int, octaves: int = 0) -> list[tuple[int, int]]:
    """Sizes of the octaves, coarse to fine, each half the next; the last is the size itself.

    Args:
      height: of the result.
      width: of the result.
      octaves: how many; 0 takes as many as keep the longer side at `COARSEST_PX`.

    Example:
      >>> octave_sizes(300, 512)
      [(75, 128), (150, 256), (300, 512)]
    """
    longer = max(height, width)
    count = octaves or 1 + max(0, math.floor(math.log2(longer / COARSEST_PX)))
    factors = [2.0**-k for k in reversed(range(count))]
    return [(max(1, round(height * f)), max(1, round(width * f))) for f in factors]


def resized(image: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """Resize float32 (1, H, W, C), bicubic and antialiased; unchanged where it has the size."""
    if tuple(image.shape[1:3]) == (height, width):
        return image
    return tf.image.resize(image, (height, width), method="bicubic", antialias=True)


def handed_over(result: tf.Tensor, content: tf.Tensor, finer_content: tf.Tensor) -> tf.Tensor:
    """Start of the next octave: its content, changed as the one before was.

    Detail that the coarse octave could not hold is that of the content, and where nothing was
    changed, nothing changes.

    Args:
      result: of the octave before, float32 (1, h, w, 3) in [-1, 1].
      content: of the octave before, of the same shape.
      finer_content: of the next octave, float32 (1, H, W, 3) in [-1, 1].

    Returns:
      float32 (1, H, W, 3) in [-1, 1].
    """
    change = resized(result - content, *finer_content.shape[1:3])
    return tf.clip_by_value(finer_content + change, -1.0, 1.0)
