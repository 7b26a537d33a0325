"""Translates large images in one pass, each place by the statistics of its surroundings.

A network that was trained on crops has only ever normalized by the statistics of a crop. Here the
image is covered by patches of that size. Each is shown to the network as in training, and the mean
and variance at every normalization are noted; a tile is then normalized, pixel by pixel, by what
is interpolated between the centers of the patches around it (the idea of dense normalization, Ho et
al. 2024). No tensor waits in a file: rows of patches are measured when the first tile needs them
and forgotten after the last.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.networks.graph import INPUT
from cyclegan_tf.networks.layers import InstanceNormalization, fast_routes
from cyclegan_tf.translate.tiling.stages import SizedCall, sized_calls
from cyclegan_tf.translate.tiling.tilers import Cost, Tiler
from cyclegan_tf.translate.tiling.tiles import Axis, Place, Rows, TileReader, Tiling, blended_rows
from cyclegan_tf.translate.translator import MIN_SIZE_PX, signed

Statistics = list[tuple[np.ndarray, np.ndarray]]
"""Mean and variance, float32 (C,), at each normalization of a network, in order."""


class LocalTranslator(Tiler):
    """A generator for images of any size, which is normalized as in its training.

    Not for several threads at once.

    Args:
      network: float (N, H, W, C) in [-1, 1] -> float32 of the same size.
      size_divisor_px: sides the network takes are multiples of this.
      tile_px: side of a tile.
      overlap_px: of neighbors, at least.
      patch_px: side of the crops that the network was trained on.

    Raises:
      UserError: the tile does not fit the network or the overlap, or the network cannot be cut.

    Example:
      >>> translator = LocalTranslator(network, 4, tile_px=512, overlap_px=64, patch_px=256)
      >>> for rows in translator.rows(image, Path("out")):
      ...     write(rows)
    """

    def __init__(
        self,
        network: keras.Model,
        size_divisor_px: int,
        tile_px: int,
        overlap_px: int,
        patch_px: int,
    ) -> None:
        super().__init__(network, size_divisor_px, tile_px, overlap_px)
        self._patch_px = max(MIN_SIZE_PX, -(-patch_px // size_divisor_px) * size_divisor_px)
        self._network = network
        self._graphs: dict[tuple[int, int], tuple[Callable, Callable]] = {}

    def patches(self, height: int, width: int) -> Tiling:
        """Return the patches that an image of this size is measured in; they touch or overlap."""
        return Tiling.of(height, width, self._patch_px, 0, self._size_divisor_px, MIN_SIZE_PX)

    def cost(self, height: int, width: int, folder: Path) -> Cost:  # noqa: ARG002
        """Return what an image of this size needs: one round, no files."""
        tiling, patches = self.tiling(height, width), self.patches(height, width)
        work = tiling.count * np.prod(tiling.tile_shape)
        more = patches.count * np.prod(patches.tile_shape)
        return Cost(tiling.count, 1, float((work + more) / work), 0)

    def rows(
        self,
        image: Rows,
        folder: Path,  # noqa: ARG002
        advance: Callable[[], object] = lambda: None,
        is_wanted: Callable[[int, int, int, int], bool] | None = None,
    ) -> Generator[np.ndarray, None, None]:
        """Translate an image; as `tiled.TiledTranslator.rows`, without files in `folder`.

        `is_wanted` takes first row, first column, height and width of a part of the image; where it
        says no, tiles are left gray.
        """
        tiling = self.tiling(image.height, image.width)
        patches = self.patches(image.height, image.width)
        measure, normalize = self._measuring(patches), self._normalizing(tiling)
        read = TileReader(image, tiling)

        def wanted(of: Tiling, place: Place, around_px: int = 0) -> bool:
            if is_wanted is None:
                return True
            top = of.rows.starts[place.row] - of.rows.before_px - around_px
            left = of.columns.starts[place.column] - of.columns.before_px - around_px
            height, width = (side + 2 * around_px for side in of.tile_shape)
            return is_wanted(top, left, height, width)

        # As far as a tile reaches to the center of a patch.
        far = max(tiling.tile_shape) + 2 * max(patches.tile_shape)
        field = StatisticsField(
            patches,
            TileReader(image, patches),
            measure,
            lambda place: wanted(patches, place, far),
        )

        def tile(place: Place) -> np.ndarray:
            if not wanted(tiling, place):
                advance()
                return np.zeros((*tiling.tile_shape, self.output_channels), np.float32)
            starts = tiling.rows.starts[place.row], tiling.columns.starts[place.column]
            values = normalize(_batch(read(place)), *field.around(starts, tiling.tile_shape))
            advance()
            return values[0].numpy()

        for values in blended_rows(tiling, tile):
            try:
                yield image_io.from_signed(values, 8 * image.dtype.itemsize)
            except ValueError as error:  # NaN
                raise UserError(str(error), code="unsupported") from error

    def _calls(self, shape: tuple[int, int]) -> list[SizedCall]:
        return sized_calls(self._network, (1, *shape, self.channels))

    def _measuring(self, patches: Tiling) -> Callable[[np.ndarray], Statistics]:
        """A function of one patch: what the network's own normalizations measure."""
        calls = self._calls(patches.tile_shape)

        @tf.function(autograph=False)
        def run(image: tf.Tensor) -> list[tuple[tf.Tensor, tf.Tensor]]:
            found = []

            def plain(layer: InstanceNormalization, x: tf.Tensor) -> tf.Tensor:
                mean, variance = tf.nn.moments(tf.cast(x, tf.float32), axes=(0, 1, 2))
                found.append((mean, variance))
                return layer(x)

            _run(calls, image, plain)
            return found

        def measure(patch: np.ndarray) -> Statistics:
            return [(mean.numpy(), variance.numpy()) for mean, variance in run(_batch(patch))]

        return measure

    def _normalizing(self, tiling: Tiling) -> Callable[..., tf.Tensor]:
        """A function of one tile and of the statistics around it."""
        calls = self._calls(tiling.tile_shape)

        @tf.function(autograph=False, reduce_retracing=True)
        def run(
            image: tf.Tensor,
            means: list[tf.Tensor],
            variances: list[tf.Tensor],
            down: tf.Tensor,
            across: tf.Tensor,
        ) -> tf.Tensor:
            known = iter(zip(means, variances, strict=True))

            def interpolated(layer: InstanceNormalization, x: tf.Tensor) -> tf.Tensor:
                mean, variance = _interpolated(*next(known), x, down, across)
                y = (tf.cast(x, tf.float32) - mean) * tf.math.rsqrt(variance + layer.epsilon)
                y = y if layer.gamma is None else y * tf.cast(layer.gamma, tf.float32)
                y = y if layer.beta is None else y + tf.cast(layer.beta, tf.float32)
                return tf.cast(y, x.dtype)

            return tf.cast(_run(calls, image, interpolated), tf.float32)

        return run


class StatisticsField:
    """Statistics of patches, measured row by row as they are asked for.

    Args:
      patches: where they lie.
      read: gives a patch.
      measure: gives its statistics.
      is_needed: whether a patch is to be measured; tiles that need another are not asked for.

    Example:
      >>> field = StatisticsField(patches, TileReader(image, patches), measure)
      >>> means, variances, down, across = field.around((0, 0), (512, 512))
    """

    def __init__(
        self,
        patches: Tiling,
        read: Callable[[Place], np.ndarray],
        measure: Callable[[np.ndarray], Statistics],
        is_needed: Callable[[Place], bool] = lambda _: True,
    ) -> None:
        self._patches, self._read, self._measure = patches, read, measure
        self._is_needed = is_needed
        self._rows: dict[int, dict[int, Statistics]] = {}
        across = len(patches.columns.starts)
        places = patches.places()
        self._places = [places[i : i + across] for i in range(0, len(places), across)]

    def around(
        self, starts: tuple[int, int], shape: tuple[int, int]
    ) -> tuple[list[tf.Tensor], list[tf.Tensor], tf.Tensor, tf.Tensor]:
        """Give what a tile is normalized by; tiles are asked for from the top.

        Args:
          starts: first row and column of the tile in the padded image.
          shape: its height and width.

        Returns:
          Means and variances, a float32 (R, S, C) of each for every normalization, of R x S
          patches; the place of every row of the tile among the R, float32 (height,), and of every
          column among the S.
        """
        wanted, places = [], []
        for axis, start, length in zip(
            (self._patches.rows, self._patches.columns), starts, shape, strict=True
        ):
            place = _places_between(axis, start, length)
            first, last = int(place.min()), int(np.ceil(place.max()))
            wanted.append(range(first, last + 1))
            places.append(tf.constant(place - first, tf.float32))
        rows, columns = wanted
        self._rows = {row: found for row, found in self._rows.items() if row >= rows[0]}
        for row in rows:
            if row not in self._rows:
                needed = [one for one in self._places[row] if self._is_needed(one)]
                self._rows[row] = {one.column: self._measure(self._read(one)) for one in needed}
        count = len(self._rows[rows[0]][columns[0]])

        def grid(index: int, which: int) -> tf.Tensor:
            return tf.constant([[self._rows[r][c][index][which] for c in columns] for r in rows])

        means = [grid(index, 0) for index in range(count)]
        return means, [grid(index, 1) for index in range(count)], *places  # type: ignore[return-value]


def _places_between(axis: Axis, start: int, length: int) -> np.ndarray:
    """float64 (length,): for each pixel, between the centers of which patches it lies."""
    centers = np.array(axis.starts) + axis.tile_px / 2
    return np.interp(start + np.arange(length) + 0.5, centers, np.arange(len(centers)))


def _interpolated(
    means: tf.Tensor, variances: tf.Tensor, like: tf.Tensor, down: tf.Tensor, across: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mean and variance of a patch around each pixel.

    Moments are interpolated, not deviations: half of one patch and half of its neighbor vary by
    what is between their means, too. They are taken about the mean of all, so that no digits are
    lost.
    """
    about = tf.reduce_mean(means, axis=(0, 1))
    off = means - about
    mean = _spread(off, like, down, across)
    second = _spread(variances + tf.square(off), like, down, across)
    return mean + about, tf.maximum(second - tf.square(mean), 0.0)


def _spread(grid: tf.Tensor, like: tf.Tensor, down: tf.Tensor, across: tf.Tensor) -> tf.Tensor:
    """Interpolate (R, S, C) to the size of a map, (1, H, W, C)."""
    rows = _weights(down, like.shape[1], tf.shape(grid)[0])
    columns = _weights(across, like.shape[2], tf.shape(grid)[1])
    return tf.einsum("hr,rsc,ws->hwc", rows, grid, columns)[tf.newaxis]


def _weights(places: tf.Tensor, length: int, count: tf.Tensor) -> tf.Tensor:
    """float32 (length, count): shares of the patches in each row of a map of `length` rows."""
    each = places.shape[0] // length
    middle = tf.reduce_mean(tf.reshape(places[: each * length], (length, each)), axis=1)
    number = tf.cast(tf.range(count), tf.float32)
    return tf.maximum(0.0, 1 - tf.abs(middle[:, tf.newaxis] - number))


def _run(
    calls: Sequence[SizedCall],
    image: tf.Tensor,
    normalize: Callable[[InstanceNormalization, tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """Call a network's layers in order, its instance normalizations otherwise."""
    values = {INPUT: image}
    with fast_routes():
        for call in calls:
            inputs = [values[number] for number in call.inputs]
            if isinstance(call.layer, InstanceNormalization):
                values[call.output] = normalize(call.layer, inputs[0])
            else:
                values[call.output] = call.layer(inputs if call.takes_list else inputs[0])
    return values[calls[-1].output]


def _batch(image: np.ndarray) -> tf.Tensor:
    return signed(image)[tf.newaxis]
