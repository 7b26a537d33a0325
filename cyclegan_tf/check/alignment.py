"""Whether partners show the same places: edges of the one against edges of the other."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from cyclegan_tf.metrics.image_quality import luminance, reduced

SIDE_PX = 128
"""Both images are reduced to this square, as training squares them, before they are compared."""

LARGEST_SHIFT = 16 / SIDE_PX
"""As a share of a side, how far a shift is searched."""

_TOLERATED_PX = 2
"""Of 128: what two people who draw the same edge differ by."""

_CLEAR, _FIT = 0.1, 0.2
"""How much better another place must fit, and how well.

Of 120 pairs of two public data sets, facades with labels and aerial photographs with maps, one is
called misaligned by this; of 120 strangers none. Moved by 6 % of a side, 24 of 60 facades are found
and 9 of 60 maps.
"""


class Alignment(NamedTuple):
    """How well the edges of two partners lie on each other.

    Attributes:
      as_they_are: correlation of their gradients' magnitudes, in [-1, 1].
      shifted: the largest that a shift of one of them gives.
      shift: which, (down, right) as shares of the height and width: where the content of X lies
        in Y.

    Example:
      >>> found = compare(edges(image_x), edges(image_y))
      >>> found.is_off
      False
    """

    as_they_are: float
    shifted: float
    shift: tuple[float, float]

    @property
    def is_off(self) -> bool:
        """Whether another place fits clearly better."""
        far = max(map(abs, self.shift)) * SIDE_PX > _TOLERATED_PX
        return far and self.shifted > max(_FIT, self.as_they_are + _CLEAR)


def edges(image: np.ndarray) -> np.ndarray:
    """Take the magnitude of the luminance's gradient, of mean 0 and norm 1.

    Args:
      image: uint8 or uint16 (H, W, C).

    Returns:
      float32 (126, 126); all 0 where there are no edges.
    """
    small = luminance(reduced(image, SIDE_PX))
    down, right = small[2:, 1:-1] - small[:-2, 1:-1], small[1:-1, 2:] - small[1:-1, :-2]
    magnitude = np.hypot(down, right)
    magnitude -= magnitude.mean()
    norm = np.linalg.norm(magnitude)
    found = magnitude / norm if norm > 1e-6 * np.iinfo(image.dtype).max else 0 * magnitude
    return found.astype(np.float32)


def compare(edges_x: np.ndarray, edges_y: np.ndarray) -> Alignment:
    """Correlate the edges of two images, in place and shifted.

    What a shift moves out of the square counts as no edge, so that in doubt none is found.

    Args:
      edges_x: as `edges` gives them.
      edges_y: alike.
    """
    reach = round(LARGEST_SHIFT * SIDE_PX)
    size = edges_x.shape[0] + reach
    spectra = [np.fft.rfft2(plane, (size, size)) for plane in (edges_x, edges_y)]
    correlation = np.fft.irfft2(np.conj(spectra[0]) * spectra[1], (size, size))
    near = np.roll(correlation, (reach, reach), axis=(0, 1))[: 2 * reach + 1, : 2 * reach + 1]
    place = np.unravel_index(near.argmax(), near.shape)
    shift = tuple(float((int(index) - reach) / SIDE_PX) for index in place)
    return Alignment(float(near[reach, reach]), float(near.max()), (shift[0], shift[1]))
