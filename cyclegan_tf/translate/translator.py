"""Images of any size through a generator: pad by reflection, translate, cut back."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.networks.layers import fast_routes
from cyclegan_tf.networks.weights import cast_weights, weights_scope

# Below this, reflection inside the network would reach past the image.
MIN_SIZE_PX = 16
WRITABLE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".npy")

# A graph of the 9-block network costs 0.6 s (tracing and the first call) on the 2-core CPU that
# takes 5 s per megapixel, of which the layers' routes for known sizes saved 5 to 20 %: it pays
# after two megapixels, or 32 images of 256 px.
GRAPH_PAYS_PX = 2**21
MAX_GRAPHS = 8


class Translator:
    """One generator, ready for images of any size.

    An image is padded to the next size the network takes and no further: each row added moves the
    means of instance normalization a little, and an image's translation must not depend on what
    else is translated. One graph takes any size. Sizes that come often get a graph of their own, in
    which the layers know their sizes and take faster routes; both give the same numbers to float
    rounding. The first size gets one at once, for some graph must be made anyway; later ones after
    `GRAPH_PAYS_PX` pixels. At most `MAX_GRAPHS` are kept, those used last, so that neither a
    hundred sizes nor a long life cost much time or memory.

    Not for several threads at once.

    Args:
      network: float (N, H, W, C) in [-1, 1] -> float32 of the same size; it treats each image of a
        batch alone.
      size_divisor_px: sides the network takes are multiples of this.
    """

    def __init__(self, network: keras.Model, size_divisor_px: int) -> None:
        self.channels = network.input_shape[-1]
        self._network = network
        # Cast once for all images; later changes of the network are not seen.
        self._weights = cast_weights([network])
        self._multiple_px = size_divisor_px
        self._any_size = self._graph((1, None, None))
        self._graphs: OrderedDict[tuple[int, int, int], Callable[[tf.Tensor], tf.Tensor]] = (
            OrderedDict()
        )
        self._seen_px: Counter[tuple[int, int, int]] = Counter()

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """uint8 or uint16 (H, W, C) -> the same size and depth, the generator's output channels.

        Raises:
          UserError: the network gave NaN.
        """
        return self.batch([image])[0]

    def batch(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Translates images in one call of the network, each as if it were alone.

        Args:
          images: uint8 or uint16 (H, W, C) each, of one `padded_size`; H, W and the depth may
            differ.

        Returns:
          For each the same size and depth, with the generator's output channels.

        Raises:
          ValueError: no images, or more than one padded size.
          UserError: the network gave NaN for one of them.
        """
        sizes = {self.padded_size(*image.shape[:2]) for image in images}
        if len(sizes) != 1:
            raise ValueError(f"a batch takes images of one padded size, and got {sorted(sizes)}")
        margins = [[self._margins(length) for length in image.shape[:2]] for image in images]
        padded = [
            np.pad(p, [*m, (0, 0)], mode="reflect") for p, m in zip(images, margins, strict=True)
        ]
        # As tensors, levels travel to a GPU as bytes and become floats there.
        translated = self._run(
            tf.stack([image_io.to_signed(tf.constant(image)) for image in padded])
        )
        results = []
        for image, margin, values in zip(images, margins, translated, strict=True):
            (height, width), (top, left) = image.shape[:2], (margin[0][0], margin[1][0])
            try:
                cut = image_io.from_signed(
                    values[top : top + height, left : left + width], 8 * image.itemsize
                )
            except ValueError as error:  # NaN
                raise UserError(str(error)) from error
            results.append(cut)
        return results

    def padded_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width at which the network sees an image of this size."""
        return height + sum(self._margins(height)), width + sum(self._margins(width))

    def _margins(self, length: int) -> tuple[int, int]:
        wanted = max(-(-length // self._multiple_px) * self._multiple_px, MIN_SIZE_PX)
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
        """The graph of one (N, H, W), made if it pays; None is for the one that takes any size."""
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

        return run


@dataclass(frozen=True)
class Task:
    """One image to translate."""

    source: Path
    target: Path


def plan(source: Path, target: Path) -> list[Task]:
    """Which file becomes which: a file into a file (or into a folder), a folder into a folder,
    names kept.

    Raises:
      UserError: the input is missing or holds no image, the output's name cannot be written, or it
        is the input.
    """
    if source.is_dir():
        if target.is_file():
            raise UserError(f"{target} is a file, but a folder of images needs a folder to go to.")
        found = image_io.find_images(source)
        if not found:
            raise UserError(f"{source} holds no images ({', '.join(sorted(image_io.EXTENSIONS))}).")
        return [_apart(path, _writable(target / path.relative_to(source))) for path in found]
    if not source.is_file():
        raise UserError(f"{source} does not exist; give an image or a folder of images.")
    if target.is_dir():
        return [_apart(source, _writable(target / source.name))]
    if target.suffix.lower() not in WRITABLE_SUFFIXES:
        raise UserError(f"{target} must end in one of {', '.join(WRITABLE_SUFFIXES)}.")
    return [_apart(source, target)]


def refuse_same(source: Path, target: Path) -> None:
    """Refuses to write a result over what it is made of.

    Raises:
      UserError: both are one file.
    """
    if target.exists() and target.samefile(source):
        raise UserError(f"{target} is the input itself, which would be lost; give another output.")


def _apart(source: Path, target: Path) -> Task:
    refuse_same(source, target)
    return Task(source, target)


def _writable(path: Path) -> Path:
    """The same name, or .png where the kind can be read but not written."""
    return path if path.suffix.lower() in WRITABLE_SUFFIXES else path.with_suffix(".png")


def refuse_overwriting(tasks: Sequence[Task]) -> None:
    """Refuses when an output exists.

    Raises:
      UserError: says how many and what to do.
    """
    existing = [task.target for task in tasks if task.target.exists()]
    if existing:
        raise UserError(
            f"{len(existing)} of {len(tasks)} outputs exist already (first: {existing[0]}); give "
            "--overwrite to replace them, --skip_existing to go on, or another output."
        )
