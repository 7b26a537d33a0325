"""Translates images of any size: bring to training's scale, pad by reflection, translate, crop."""

from __future__ import annotations

import functools
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import detail
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.ranges import FULL_RANGES, RangePair
from cyclegan_tf.images.training_scale import FULL, TrainingScale
from cyclegan_tf.networks.layers import fast_routes
from cyclegan_tf.networks.weights import cast_weights, weights_scope

# Below this, reflection inside the network would reach past the image.
MIN_SIZE_PX = 16

# A graph of the 9-block network costs 0.6 s (tracing and the first call) on the 2-core CPU that
# takes 5 s per megapixel, of which the layers' routes for known sizes saved 5 to 20 %: it pays
# after two megapixels, or 32 images of 256 px.
GRAPH_PAYS_PX = 2**21
MAX_GRAPHS = 8

# Rows of a result worked on at once hold about so many pixels, which bounds the memory.
_STRIP_PX = 2**20


class Translator:
    """A generator, ready for images of any size.

    The network sees an image at a scale, that of its training, and its result is brought back to
    the image's size with the image's detail (`images.detail`). At full scale, or for an image of
    the very size, it is the network's result alone.

    What the network sees is padded to the next size it takes and no further: each row added moves
    the means of instance normalization a little, and an image's translation must not depend on
    what else is translated. One graph takes any size. Sizes that come often get a graph of their
    own, in which the layers know their sizes and take faster routes; both give the same numbers to
    float rounding. The first size gets one at once, for some graph must be made anyway; later ones
    after `GRAPH_PAYS_PX` pixels. At most `MAX_GRAPHS` are kept, those used last, so that neither a
    hundred sizes nor a long life cost much time or memory.

    Not for several threads at once.

    Args:
      network: float (N, H, W, C) in [-1, 1] -> float32 of the same size; it treats each image of a
        batch alone.
      size_divisor_px: sides the network takes are multiples of this.
      scale: at which the network is to see images.
      ranges: what the numbers of its images mean, for who reads and writes them.

    Example:
      >>> network, _ = load_generator("runs/mine", "xy")
      >>> scale = training_scale(Path("runs/mine"), "xy")
      >>> translate = Translator(network, size_divisor_of(network), scale)
      >>> translated = translate(image)  # uint8 (H, W, 3) to the same
    """

    def __init__(
        self,
        network: keras.Model,
        size_divisor_px: int,
        scale: TrainingScale = FULL,
        ranges: RangePair = FULL_RANGES,
    ) -> None:
        self.channels, self.scale, self.ranges = network.input_shape[-1], scale, ranges
        self._network = network
        # Cast once for all images; later changes of the network are not seen.
        self._weights = cast_weights([network])
        self._size_divisor_px = size_divisor_px
        self._any_size = self._graph((1, None, None))
        self._graphs: OrderedDict[tuple[int, int, int], Callable[[tf.Tensor], tf.Tensor]] = (
            OrderedDict()
        )
        self._seen_px: Counter[tuple[int, int, int]] = Counter()

    @property
    def output_channels(self) -> int:
        """Of the results."""
        return self._network.output_shape[-1]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Translate uint8 or uint16 (H, W, C) to the same size and depth, with the output channels.

        Floats in [-1, 1], float32, give such floats.

        Raises:
          UserError: the network gave NaN.
        """
        return self.batch([image])[0]

    def batch(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Translate images in one call of the network, each as if it were alone.

        Args:
          images: uint8 or uint16 (H, W, C) each, or float32 in [-1, 1], of one `padded_size`; H, W
            and the depth may differ.

        Returns:
          For each the same size and depth, with the generator's output channels.

        Raises:
          ValueError: no images, or more than one padded size.
          UserError: the network gave NaN for one of them.
        """
        sizes = {self.padded_size(*image.shape[:2]) for image in images}
        if len(sizes) != 1:
            raise ValueError(f"a batch takes images of one padded size, and got {sorted(sizes)}")
        seen = [self._at_scale(image) for image in images]
        margins = [[self._margins(length) for length in image.shape[:2]] for image in seen]
        padded = [
            np.pad(p, [*m, (0, 0)], mode="reflect") for p, m in zip(seen, margins, strict=True)
        ]
        # As tensors, pixel values travel to a GPU as bytes and become floats there.
        translated = self._run(tf.stack([signed(image) for image in padded]))
        results = []
        for image, small, margin, values in zip(images, seen, margins, translated, strict=True):
            (height, width), (top, left) = small.shape[:2], (margin[0][0], margin[1][0])
            try:
                results.append(
                    _at_full_size(image, small, values[top : top + height, left : left + width])
                )
            except ValueError as error:  # NaN
                raise UserError(str(error), code="unsupported") from error
        return results

    def padded_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width at which the network sees an image of this size."""
        height, width = self.scale.size(height, width)
        return height + sum(self._margins(height)), width + sum(self._margins(width))

    def _at_scale(self, image: np.ndarray) -> np.ndarray:
        """The image itself where it has the size already, else float32 in [-1, 1]."""
        size = self.scale.size(*image.shape[:2])
        if size == image.shape[:2]:
            return image
        return detail.reduce(tf.constant(image)[tf.newaxis], *size)[0].numpy()

    def _margins(self, length: int) -> tuple[int, int]:
        wanted = max(-(-length // self._size_divisor_px) * self._size_divisor_px, MIN_SIZE_PX)
        before = (wanted - length) // 2
        return before, wanted - length - before

    def _run(self, batch: tf.Tensor) -> np.ndarray:
        graph = self._graph_of_size(tuple(batch.shape[:3]))
        if graph is None:
            # One by one: a graph that knows that it has one image keeps the layers' routes for one.
            return np.concatenate(
                [self._any_size(batch[i : i + 1]).numpy() for i in range(len(batch))]
            )
        return graph(batch).numpy()

    def _graph_of_size(self, size: tuple[int, int, int]) -> Callable[[tf.Tensor], tf.Tensor] | None:
        """Return the graph of one (N, H, W), made if it pays; None for the graph of any size."""
        if size in self._graphs:
            self._graphs.move_to_end(size)
            return self._graphs[size]
        is_first = not self._seen_px
        self._seen_px[size] += size[0] * size[1] * size[2]
        if not is_first and self._seen_px[size] < GRAPH_PAYS_PX:
            return None
        if len(self._graphs) == MAX_GRAPHS:
            forgotten, _ = self._graphs.popitem(last=False)
            self._seen_px[forgotten] = 0  # to earn a new one
        self._graphs[size] = self._graph(size)
        return self._graphs[size]

    def _graph(self, size: tuple[int | None, ...]) -> Callable[[tf.Tensor], tf.Tensor]:
        @tf.function(
            input_signature=[tf.TensorSpec((*size, self.channels), tf.float32)], autograph=False
        )
        def run(batch: tf.Tensor) -> tf.Tensor:
            with fast_routes(), weights_scope(*self._weights):
                return self._network(batch, training=False)

        return traced_once(run)


def traced_once(run: Any) -> Callable[[tf.Tensor], tf.Tensor]:
    """Make a function that is traced at its first call.

    Called as it is, TensorFlow would take the functions of many sizes for one that is traced too
    often, and say so on standard error.

    Args:
      run: of `tf.function`, with an input signature.
    """

    @functools.cache
    def graph() -> Any:
        return run.get_concrete_function()

    return lambda batch: graph()(batch)


def signed(image: np.ndarray) -> tf.Tensor:
    """Give an image as the network sees it: levels as float32 in [-1, 1], and such as they are."""
    values = tf.constant(image)
    return values if values.dtype == tf.float32 else image_io.to_signed(values)


def _at_full_size(image: np.ndarray, seen: np.ndarray, translated: np.ndarray) -> np.ndarray:
    """Pixel values of a translation at the size and depth of its image.

    Raises:
      ValueError: the translation holds NaN.
    """
    bits = 8 * image.itemsize
    if seen is image:
        return image_io.from_signed(translated, bits)
    height, width = image.shape[:2]
    enlarged = detail.enlarge(seen[np.newaxis], translated[np.newaxis], height, width)
    rows = max(1, _STRIP_PX // width)
    strips = []
    for top in range(0, height, rows):
        strip = tf.constant(image[top : top + rows])
        values = _detailed(enlarged, strip, tf.constant(top), tf.constant(height))
        strips.append(image_io.from_signed(values, bits))
    return np.concatenate(strips)


def _detailed(
    enlarged: detail.Enlarged, strip: tf.Tensor, top: tf.Tensor, height: tf.Tensor
) -> tf.Tensor:
    # One graph for each number of channels: a common one would know none.
    graph = _detailed_with(enlarged.colors.shape[-1], strip.shape[-1])
    return graph(enlarged, strip, top, height)


@functools.cache
def _detailed_with(_colors: int, _channels: int) -> Callable[..., tf.Tensor]:
    @tf.function(reduce_retracing=True, autograph=False)
    def detailed(
        enlarged: detail.Enlarged, strip: tf.Tensor, top: tf.Tensor, height: tf.Tensor
    ) -> tf.Tensor:
        signed = strip if strip.dtype == tf.float32 else image_io.to_signed(strip)
        return detail.detailed_rows(enlarged, signed[tf.newaxis], top, height)[0]

    return detailed
