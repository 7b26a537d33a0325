"""Brings a translation at reduced size back to full size, with the detail of the input.

The enlarged translation holds what the network made, but no finer detail. What the input has and
its own enlarged reduction lacks is that detail; a linear map of colors, fitted between reduced
input and translation around each pixel, says how it looks in the translation: result = enlarged
translation + (input - enlarged reduced input) * gains. Where the translation follows the input's
colors, the gains are the change of color. Where it paints what the input does not have (labels of a
photo), the map explains little of the translation; the gains are weighted by how much, and no edges
of the input show through. docs/architecture.md says what else was measured. TensorFlow operations
only, so that an exported graph holds the same steps. `page/detail.js` holds them once more.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

RADIUS_PX = 2
"""The fit around a pixel sees squares of 2 * RADIUS_PX + 1 pixels of the reduced image."""

RIDGE = 1e-3
"""Variance, in [-1, 1], below which a fit follows the whole image's and not the square's."""

MIN_SHARE, FULL_SHARE = 0.5, 0.9
"""Of a square's variance in the translation: a map that explains the first share or less brings no
detail back, one that explains the second or more brings all, and between them it rises evenly."""

# Variance, in [-1, 1], of a translation that is one flat color.
_FLAT = 1e-6

# Rows worked on at once hold about so many pixels, which bounds the memory.
_STRIP_PX = 2**18
_CUBIC, _LINEAR = 4, 2  # rows that a kernel takes


class Enlarged(NamedTuple):
    """What rows of a result are made of: columns are enlarged already, rows are not.

    Attributes:
      colors: float32 (N, h, W, C' + C): translation and reduced input.
      gains: float32 (N, h, W, C * C').

    Example:
      >>> enlarged = enlarge(reduced, translated, 3000, 4000)
      >>> first = detailed_rows(enlarged, images[:, :64], 0, 3000)
    """

    colors: tf.Tensor
    gains: tf.Tensor


def reduce(images: tf.Tensor, height: tf.Tensor | int, width: tf.Tensor | int) -> tf.Tensor:
    """Resize images, bicubic and antialiased, without rounding to whole pixel values.

    Args:
      images: uint8 or uint16 in their range, or float32 in [-1, 1], (N, H, W, C).
      height: rows of the result.
      width: columns of the result.

    Returns:
      float32 (N, height, width, C) in [-1, 1].
    """
    images = tf.convert_to_tensor(images)
    resized = tf.image.resize(images, tf.stack([height, width]), "bicubic", antialias=True)
    if images.dtype.is_integer:
        half = images.dtype.max / 2
        resized = (resized - half) / half
    return tf.clip_by_value(resized, -1.0, 1.0)


def with_detail(images: tf.Tensor, reduced: tf.Tensor, translated: tf.Tensor) -> tf.Tensor:
    """Bring translations to the size of their inputs, with the inputs' detail.

    Args:
      images: float32 (N, H, W, C) in [-1, 1], the inputs.
      reduced: float32 (N, h, w, C), the same as the network saw them; sizes may be unknown when
        traced, also larger ones.
      translated: float32 (N, h, w, C'), what the network made.

    Returns:
      float32 (N, H, W, C'), which may lie a little outside [-1, 1].
    """
    shape = tf.shape(images)
    height, width = shape[1], shape[2]
    enlarged = enlarge(reduced, translated, height, width)
    rows = tf.clip_by_value(_STRIP_PX // width, 1, height)
    channels = translated.shape[-1]

    def strip(top: tf.Tensor) -> tf.Tensor:
        places = tf.minimum(top + tf.range(rows), height - 1)
        return detailed_rows(enlarged, tf.gather(images, places, axis=1), top, height)

    # One strip after the other: each is spread over all cores already.
    strips = tf.map_fn(
        strip, tf.range(0, height, rows), fn_output_signature=tf.float32, parallel_iterations=1
    )
    joined = tf.transpose(strips, (1, 0, 2, 3, 4))
    whole = tf.reshape(joined, (shape[0], -1, width, channels))
    return whole[:, :height]


def enlarge(
    reduced: tf.Tensor, translated: tf.Tensor, height: tf.Tensor | int, width: tf.Tensor | int
) -> Enlarged:
    """Prepare translations for `detailed_rows` of results of a size.

    Args:
      reduced: float32 (N, h, w, C).
      translated: float32 (N, h, w, C').
      height: of the results.
      width: of the results.
    """
    channels = translated.shape[-1]
    colors = tf.concat([translated, reduced], -1)
    shape = tf.shape(colors)
    # A side that shrinks again does so first: what follows enlarges only.
    smaller = tf.minimum(shape[1:3], tf.stack([height, width]))
    colors = tf.cond(
        tf.reduce_all(smaller == shape[1:3]),
        lambda: colors,
        lambda: tf.image.resize(colors, smaller, "bicubic", antialias=True),
    )
    gains = local_gains(colors[..., channels:], colors[..., :channels])
    size = tf.stack([smaller[0], width])
    return Enlarged(
        tf.image.resize(colors, size, "bicubic", antialias=True),
        tf.image.resize(gains, size, "bilinear", antialias=True),
    )


def detailed_rows(
    enlarged: Enlarged, images: tf.Tensor, top: tf.Tensor | int, height: tf.Tensor | int
) -> tf.Tensor:
    """Finish rows of the results.

    Args:
      enlarged: of `enlarge`.
      images: float32 (N, s, W, C) in [-1, 1]: the rows of the inputs.
      top: number of the first of them; rows past the last are as the last.
      height: of the whole results.

    Returns:
      float32 (N, s, W, C').
    """
    places = tf.cast(tf.minimum(top + tf.range(tf.shape(images)[1]), height - 1), tf.float32)
    rows = tf.shape(enlarged.colors)[1]
    place = (places + 0.5) * (tf.cast(rows, tf.float32) / tf.cast(height, tf.float32)) - 0.5
    colors = _rows_between(enlarged.colors, place, _CUBIC)
    gains = _rows_between(enlarged.gains, place, _LINEAR)
    inputs = images.shape[-1]
    channels = colors.shape[-1] - inputs
    detail = images - colors[..., channels:]
    result = colors[..., :channels]
    for channel in range(inputs):
        part = gains[..., channel * channels : (channel + 1) * channels]
        result += detail[..., channel : channel + 1] * part
    return result


def local_gains(
    reduced: tf.Tensor,
    translated: tf.Tensor,
    radius_px: int = RADIUS_PX,
    ridge: float = RIDGE,
    weighted: bool = True,
) -> tf.Tensor:
    """Fit around each pixel how the translation's colors follow the input's.

    A ridge regression over a square around each pixel, drawn to that of the whole image: in a
    square without structure the whole image's map holds, and what it explains of the whole image.

    Args:
      reduced: float32 (N, h, w, C).
      translated: float32 (N, h, w, C').
      radius_px: of the squares.
      ridge: weight of the whole image's map, as a variance of values in [-1, 1].
      weighted: lessen the gains where the map explains little of the translation.

    Returns:
      float32 (N, h, w, C * C'): for each input channel the gain of every output channel.
    """
    inputs, outputs = reduced.shape[-1], translated.shape[-1]
    both = tf.concat([reduced, translated], -1)
    products = reduced[..., :, tf.newaxis] * both[..., tf.newaxis, :]
    moments = tf.concat([both, _flat(products), translated**2], -1)
    of_all = _fitted(tf.reduce_mean(moments, (1, 2), keepdims=True), inputs, outputs, ridge)
    around = _mean_around(moments, radius_px)
    of_squares = _fitted(around, inputs, outputs, ridge, of_all.gains)
    gains = of_squares.gains
    if weighted:
        unexplained = of_all.left / (of_all.variance + _FLAT)
        share = 1 - (of_squares.left + ridge * unexplained) / (of_squares.variance + ridge)
        weight = tf.clip_by_value((share - MIN_SHARE) / (FULL_SHARE - MIN_SHARE), 0.0, 1.0)
        gains *= weight[..., tf.newaxis, tf.newaxis]
    gains = tf.reshape(gains, (*_sizes(reduced), inputs * outputs))
    return _mean_around(gains, radius_px)


class _Fit(NamedTuple):
    """A regression: gains (..., C, C'); variance (...) of the translation, and what is left."""

    gains: tf.Tensor
    left: tf.Tensor
    variance: tf.Tensor


def _fitted(
    moments: tf.Tensor, inputs: int, outputs: int, ridge: float, goal: tf.Tensor | float = 0.0
) -> _Fit:
    """Ridge regression drawn to `goal`, from means of colors, products, and squared outputs."""
    covariance = _covariance(moments[..., :-outputs], inputs)
    own, shared = covariance[..., :inputs], covariance[..., inputs:]
    gains = tf.linalg.solve(own + ridge * tf.eye(inputs), shared + ridge * goal)
    squares = moments[..., -outputs:] - moments[..., inputs : inputs + outputs] ** 2
    variance = tf.reduce_sum(squares, -1)
    explained = tf.reduce_sum(gains * (2 * shared - own @ gains), (-2, -1))
    return _Fit(gains, variance - explained, variance)


def _covariance(moments: tf.Tensor, inputs: int) -> tf.Tensor:
    """Covariances (..., C, C + C') of the input's channels with all out of means and products."""
    channels = (moments.shape[-1]) // (inputs + 1)
    means = moments[..., :channels]
    products = tf.reshape(moments[..., channels:], (*_sizes(moments), inputs, channels))
    return products - means[..., :inputs, tf.newaxis] * means[..., tf.newaxis, :]


def _sizes(values: tf.Tensor) -> list[tf.Tensor]:
    return tf.unstack(tf.shape(values))[:3]


def _flat(matrices: tf.Tensor) -> tf.Tensor:
    return tf.reshape(matrices, (*_sizes(matrices), matrices.shape[-2] * matrices.shape[-1]))


def _mean_around(values: tf.Tensor, radius_px: int) -> tf.Tensor:
    """Mean over a square around each pixel, of what lies within the image."""
    return tf.nn.avg_pool2d(values, 2 * radius_px + 1, 1, "SAME")


def _rows_between(values: tf.Tensor, place: tf.Tensor, taps: int) -> tf.Tensor:
    """Rows at fractional places, as `tf.image.resize` enlarges: taps outside do not count."""
    rows = tf.shape(values)[1]
    first = tf.floor(place) - (taps // 2 - 1)
    found = [first + tap for tap in range(taps)]
    weights = [
        tf.where(
            (row >= 0) & (row < tf.cast(rows, tf.float32)), _kernel(tf.abs(row - place), taps), 0.0
        )
        for row in found
    ]
    total = tf.add_n(weights)
    result = tf.zeros((), tf.float32)
    for row, weight in zip(found, weights, strict=True):
        index = tf.clip_by_value(tf.cast(row, tf.int32), 0, rows - 1)
        result += tf.gather(values, index, axis=1) * (weight / total)[:, tf.newaxis, tf.newaxis]
    return result


def _kernel(distance: tf.Tensor, taps: int) -> tf.Tensor:
    """Keys' cubic kernel (a = -0.5), or the triangle."""
    if taps == _LINEAR:
        return tf.maximum(0.0, 1.0 - distance)
    near = (1.5 * distance - 2.5) * distance**2 + 1.0
    far = ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0
    return tf.where(distance <= 1, near, tf.where(distance < 2, far, 0.0))
