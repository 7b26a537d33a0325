"""Pictures of any size through a generator: pad by reflection, translate, cut back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf import images
from cyclegan_tf.errors import UserError

# Below this, reflection inside the network would reach past the picture.
LEAST_PX = 16
WRITTEN_AS_READ = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".npy")


class Translator:
    """One generator, ready for pictures of any size.

    Args:
      network: float (N, H, W, C) in [-1, 1] -> float32 of the same size.
      multiple_px: sides the network takes are multiples of this.
    """

    def __init__(self, network: keras.Model, multiple_px: int) -> None:
        self.channels = network.input_shape[-1]
        self._multiple_px = multiple_px
        # One graph for all sizes: compiling anew for each would take longer than the picture.
        self._run = tf.function(
            lambda batch: network(batch, training=False),
            input_signature=[tf.TensorSpec((1, None, None, self.channels), tf.float32)],
        )

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        """uint8 or uint16 (H, W, C) -> the same size and depth, the generator's output channels."""
        height, width = picture.shape[:2]
        margins = [self._margins(height), self._margins(width)]
        padded = np.pad(picture, [*margins, (0, 0)], mode="reflect")
        translated = self._run(images.to_signed(padded)[np.newaxis])[0].numpy()
        top, left = margins[0][0], margins[1][0]
        bits = 16 if picture.dtype == np.uint16 else 8
        return images.from_signed(translated[top : top + height, left : left + width], bits)

    def _margins(self, length: int) -> tuple[int, int]:
        wanted = max(-(-length // self._multiple_px) * self._multiple_px, LEAST_PX)
        before = (wanted - length) // 2
        return before, wanted - length - before


@dataclass(frozen=True)
class Task:
    """One picture to translate."""

    source: Path
    target: Path


def plan(source: Path, target: Path) -> list[Task]:
    """Which file becomes which: a file into a file (or into a folder), a folder into a folder, names kept.

    Raises:
      UserError: the input is missing or holds no picture, or the output's name cannot be written.
    """
    if source.is_dir():
        if target.is_file():
            raise UserError(f"{target} is a file, but a folder of pictures needs a folder to go to.")
        found = images.find_pictures(source)
        if not found:
            raise UserError(f"{source} holds no pictures ({', '.join(sorted(images.EXTENSIONS))}).")
        return [Task(path, _writable(target / path.relative_to(source))) for path in found]
    if not source.is_file():
        raise UserError(f"{source} does not exist; give a picture or a folder of pictures.")
    if target.is_dir():
        return [Task(source, _writable(target / source.name))]
    if target.suffix.lower() not in WRITTEN_AS_READ:
        raise UserError(f"{target} must end in one of {', '.join(WRITTEN_AS_READ)}.")
    return [Task(source, target)]


def _writable(path: Path) -> Path:
    """The same name, or .png where the kind can be read but not written."""
    return path if path.suffix.lower() in WRITTEN_AS_READ else path.with_suffix(".png")


def refuse_overwriting(tasks: Sequence[Task]) -> None:
    """Refuses when an output exists.

    Raises:
      UserError: says how many and what to do.
    """
    existing = [task.target for task in tasks if task.target.exists()]
    if existing:
        raise UserError(
            f"{len(existing)} of {len(tasks)} outputs exist already (first: {existing[0]}); "
            "give --overwrite to replace them, --skip_existing to go on, or another output."
        )
