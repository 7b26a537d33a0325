"""At which size the network is to see images: `--size`, its remarks, and what fits the memory."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from cyclegan_tf.devices.hardware import free_memory_bytes
from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.strips import ANY_NUMBER
from cyclegan_tf.images.training_scale import FULL, NOTICEABLE, TrainingScale
from cyclegan_tf.networks.graph import INPUT, NotAGraphError, layer_calls
from cyclegan_tf.translate import beforehand

TILE_PX = 512
"""Side of the tiles of an image that does not fit the memory."""

# A layer's input, its padded copy, its output and what the kernel makes of them are there at once:
# at 1536 px the process grew by 4.1 times the largest tensor in float32, by 4.5 in bfloat16.
_TENSORS = 4.5
_SHARE_OF_MEMORY = 0.7
_SIDE_PX = 256
# No kind of file holds more, but of a blank image: one that says more is damaged.
_MAX_PX_PER_BYTE = 10_000


@dataclass(frozen=True)
class Sizing:
    """What `--size` asks for.

    Attributes:
      trained: scale of the network's training; None where nothing says.
      scale: at which the network is to see images.

    Example:
      >>> Sizing.of("auto", training_scale(Path("runs/mine"), "xy")).scale.size(3000, 4000)
      (222, 296)
    """

    trained: TrainingScale | None
    scale: TrainingScale

    @classmethod
    def of(cls, wanted: str, trained: TrainingScale | None) -> Sizing:
        """Read an option.

        Args:
          wanted: "auto", "full", or a number of pixels.
          trained: scale of the network's training; None where nothing says.

        Raises:
          UserError: it is none of these.
        """
        if wanted == beforehand.AUTO:
            return cls(trained, trained or FULL)
        if wanted == beforehand.FULL:
            return cls(trained, FULL)
        beforehand.check_size(wanted)
        like = trained if trained is not None and trained.px else TrainingScale("area", 1)
        return cls(trained, replace(like, px=int(wanted)))

    def remarks(self, height: int, width: int) -> tuple[str, ...]:
        """Say what one would want to know of the scale of an image of this size."""
        if self.trained is None or self.trained.px is None:
            return ()
        factor = self.trained.factor(height, width)
        if self.scale == FULL and factor > NOTICEABLE:
            return (
                f"more than {NOTICEABLE} times larger than what the network was trained on "
                f"({self.trained}), where it changes less or otherwise; --size auto translates at "
                "that scale",
            )
        if self.scale == self.trained and factor < 1 / NOTICEABLE:
            return (
                f"smaller than what the network was trained on ({self.trained}); enlarged to that "
                "for it, as training did",
            )
        return ()

    def remarks_on(self, path: Path) -> tuple[str, ...]:
        """Say the same of a file; nothing of one that cannot be read."""
        try:
            info = image_io.probe(path, ANY_NUMBER)
        except UserError:
            return ()
        return self.remarks(info.height, info.width)


def needed_bytes(network: keras.Model, height: int, width: int) -> int:
    """Estimate the memory that a network takes for one image, from its largest tensor.

    Args:
      network: a generator for images of any size.
      height: of the image.
      width: of the image.
    """
    shapes = {INPUT: (1, _SIDE_PX, _SIDE_PX, network.input_shape[-1])}
    largest = 1.0
    for call in layer_calls(network):
        known = [shapes[number] for number in call.inputs]
        shape = call.layer.compute_output_shape(known if call.takes_list else known[0])
        shapes[call.output] = tuple(shape)
        size = 2 if call.layer.compute_dtype in ("bfloat16", "float16") else 4
        largest = max(largest, size * float(np.prod(shape)))
    return int(_TENSORS * largest / _SIDE_PX**2 * height * width)


def too_large(network: keras.Model, paths: Iterable[Path]) -> tuple[Path, int] | None:
    """Find the first image that does not fit the free memory when translated whole.

    Args:
      network: that is to see it at its full size.
      paths: image files; those that cannot be read are passed over.

    Returns:
      Its file and the bytes it would need; None where all fit.
    """
    free = _SHARE_OF_MEMORY * free_memory_bytes()
    try:
        for_one = needed_bytes(network, _SIDE_PX, _SIDE_PX) / _SIDE_PX**2
    except NotAGraphError:  # so nothing is known
        return None
    for path in paths:
        try:
            info = image_io.probe(path, ANY_NUMBER)
        except UserError:
            continue
        if info.height * info.width > _MAX_PX_PER_BYTE * path.stat().st_size:
            continue  # reading says so, of this one alone
        needed = int(for_one * info.height * info.width)
        if needed > free:
            return path, needed
    return None


def refuse_too_large(path: Path, needed: int, reason: UserError) -> UserError:
    """Make the error of an image that fits the memory neither whole nor in tiles."""
    return UserError(
        f"{path} needs about {needed / 2**30:.0f} GiB at full size, which are not free, and tiles "
        f"do not do ({reason}); give --size auto.",
        code="memory",
        field=str(path),
    )
