"""The grid that transposed convolutions leave, as a number.

It shows as peaks of the spectrum at periods of 2 and 4 px.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

# In quarters of the sampling rate down and across; the other six places are mirror images of some
# of these.
_GRID = ((0, 1), (0, 2), (1, 0), (2, 0), (1, 1), (1, 2), (2, 1), (2, 2), (1, 3))
# the window spreads a line over one bin to each side
_NEAREST_BIN, _FARTHEST_BIN = 3, 16
MIN_SIDE_PX = 32
# variance of rounding to 8 bits in [-1, 1]: a step of 2 / 255, squared, over 12
_ROUNDING = (2 / 255) ** 2 / 12


def checkerboard(images: Sequence[np.ndarray] | np.ndarray) -> float:
    """How far a grid of period 2 or 4 px stands out of the spectrum of images, in dB.

    A transposed convolution of stride 2 whose kernel overlaps unevenly leaves a pattern of period 2
    px, and the one before it one of period 4 px (Odena et al. 2016, "Deconvolution and Checkerboard
    Artifacts"). Such a pattern is a line in the spectrum, at a quarter or a half of the sampling
    rate down, across, or both; what an image shows is spread out.

    Each image loses its mean and is weighted with a Hann window; the power spectra of all images
    and channels are averaged (each channel by itself, so that a grid of colors counts that
    luminance would not show). The energy of each of the 9 lines is divided by the median of bins 3
    to 16 away from it (at most an eighth of the side), in its row and in its column of the
    spectrum; for a line on an axis along that axis only, where edges of the scene put their energy.
    The mean of the 9 ratios is given in dB. Noise of 8-bit rounding is added to both, so that what
    no file could hold does not count.

    Images saved as JPEG have lines of their own at these places (blocks of 8 px). Compare with real
    images.

    Args:
      images: float (N, H, W, C) in [-1, 1], or a list of N such (H, W, C); both sides at least 32
        px. Rows and columns beyond a multiple of 4 are left out.

    Returns:
      0 for no grid (within about 1 dB when N is small), more for a stronger one.

    Raises:
      ValueError: the images are too small, of different sizes, or none.
    """
    if len({image.shape for image in images}) != 1 or images[0].ndim != 3:
        shapes = sorted({image.shape for image in images})
        raise ValueError(f"one or more images (H, W, C) of one size are wanted, got {shapes}.")
    height, width, channels = images[0].shape
    if min(height, width) < MIN_SIDE_PX:
        raise ValueError(f"images of at least {MIN_SIDE_PX} px are wanted, got {images[0].shape}.")
    height, width = height - height % 4, width - width % 4
    window = np.outer(_hann(height), _hann(width))[:, :, None]
    power = np.zeros((height, width))
    for image in images:
        cropped = image[:height, :width].astype(np.float64)
        spectrum = np.fft.fft2((cropped - cropped.mean((0, 1))) * window, axes=(0, 1))
        power += np.sum(np.abs(spectrum) ** 2, axis=-1)
    power = power / (len(images) * channels) + _ROUNDING * np.sum(window**2)
    ratios = []
    for down, across in _GRID:
        row, column = down * height // 4, across * width // 4
        near = [power[place] for place in _neighbors(row, column, height, width)]
        ratios.append(power[row, column] / np.median(near))
    return float(10 * np.log10(np.mean(ratios)))


def _hann(side: int) -> np.ndarray:
    """The periodic Hann window, whose spectrum is one bin and its two neighbors."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(side) / side)


def _neighbors(row: int, column: int, height: int, width: int) -> Iterator[tuple[int, int]]:
    """Bins of the surroundings of one line of the grid."""
    if column:
        for offset in _offsets(width):
            yield row, (column + offset) % width
    if row:
        for offset in _offsets(height):
            yield (row + offset) % height, column


def _offsets(side: int) -> list[int]:
    reach = range(_NEAREST_BIN, min(_FARTHEST_BIN, side // 8) + 1)
    return [*reach, *(-offset for offset in reach)]
