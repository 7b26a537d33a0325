"""The style of images given to others, coarse to fine: `StyleTransfer`."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.stylize.losses import CONTENT_LAYER, Objective, Style, mean_style
from cyclegan_tf.stylize.octaves import handed_over, octave_sizes, resized, result_size
from cyclegan_tf.stylize.optimizers import OPTIMIZERS

log = logging.getLogger(__name__)

OnStep = Callable[[float], None]


@dataclass(frozen=True)
class Settings:
    """How style is transferred.

    Attributes:
      content_weight: of the content loss.
      style_weight: of the style loss.
      steps: of each octave.
      octaves: sizes from coarse to fine, each half the next; 0 follows from the size.
      size_px: longer side of the result; 0 keeps the content's size.
      optimizer: of `OPTIMIZERS`.
      init: what the coarsest octave starts from, "content" or "noise".
      seed: of the noise.

    Example:
      >>> Settings(steps=50, octaves=1)
    """

    content_weight: float = 1.0
    style_weight: float = 1.0
    steps: int = 200
    octaves: int = 0
    size_px: int = 0
    optimizer: str = "adam"
    init: str = "content"
    seed: int = 0


class StyleTransfer:
    """Gives images the mean style of others.

    Args:
      network: RGB float32 (1, H, W, 3) in [-1, 1] -> layer -> activations, of `losses.LAYERS`.
      styles: image files, read once for each size.
      settings: see `Settings`.
      progress: wraps the style images while they are looked at, as tqdm does.

    Example:
      >>> network = load("vgg16_hed", LAYERS, pooling="average")
      >>> transfer = StyleTransfer(network, [Path("monet.jpg")], Settings(steps=100))
      >>> image_io.save("out.png", transfer(image_io.read("photo.jpg")))
    """

    def __init__(
        self,
        network: keras.Model,
        styles: Sequence[Path],
        settings: Settings,
        progress: Callable[[Sequence[Path]], Sequence[Path]] = lambda paths: paths,
    ) -> None:
        self._objective = Objective(network, settings.content_weight, settings.style_weight)
        self._paths, self._progress, self._settings = tuple(styles), progress, settings
        # pixels of an octave -> the style at that size
        self._styles: dict[int, Style] = {}
        self._unreadable: set[Path] = set()

    def sizes(self, height: int, width: int) -> list[tuple[int, int]]:
        """Sizes of the octaves for a content image of this size, coarse to fine."""
        size = result_size(height, width, self._settings.size_px)
        return octave_sizes(*size, self._settings.octaves)

    def __call__(self, content: np.ndarray, on_step: OnStep = lambda _: None) -> np.ndarray:
        """Transfer the style to one image.

        Args:
          content: uint8 or uint16 (H, W, 3).
          on_step: gets the loss before each step; up to `steps` times for each of `sizes`.

        Returns:
          The same type, (H, W, 3), or of the size that was asked for.

        Raises:
          UserError: no style image can be read, or the image does not fit the memory.
          TrainingStoppedError: the loss is no longer a number.
        """
        sizes = self.sizes(*content.shape[:2])
        signed = tf.constant(image_io.to_signed(content)[np.newaxis])
        try:
            result = self._coarse_to_fine(signed, sizes, on_step)
        except tf.errors.ResourceExhaustedError as error:
            height, width = sizes[-1]
            raise UserError(
                f"an image of {width} x {height} px does not fit the memory; give a smaller "
                "--size.",
                code="memory",
                field="--size",
            ) from error
        return image_io.from_signed(result[0], bits=8 * content.dtype.itemsize)

    def _coarse_to_fine(
        self, signed: tf.Tensor, sizes: Sequence[tuple[int, int]], on_step: OnStep
    ) -> tf.Tensor:
        content = result = None
        for size in sizes:
            finer = tf.clip_by_value(resized(signed, *size), -1.0, 1.0)
            is_first = result is None
            start = self._start(finer) if is_first else handed_over(result, content, finer)
            content, result = finer, self._descend(finer, start, on_step)
        return result

    def _start(self, content: tf.Tensor) -> tf.Tensor:
        if self._settings.init == "content":
            return content
        noise = np.random.default_rng(self._settings.seed).uniform(-1, 1, content.shape)
        return tf.constant(noise, tf.float32)

    def _descend(self, content: tf.Tensor, start: tf.Tensor, on_step: OnStep) -> tf.Tensor:
        style = self._style(*content.shape[1:3])
        target = self._objective.activations(content)[CONTENT_LAYER]
        optimizer = OPTIMIZERS[self._settings.optimizer]
        return optimizer(
            lambda image: self._objective(image, target, style),
            start,
            self._settings.steps,
            on_step,
        )

    def _style(self, height: int, width: int) -> Style:
        pixels = height * width
        if pixels not in self._styles:
            images = self._style_images(pixels)
            self._styles[pixels] = mean_style(self._objective.activations, images)
        return self._styles[pixels]

    def _style_images(self, pixels: int) -> Iterator[tf.Tensor]:
        """Style images reduced to the area of the octave, in their own shape; none is enlarged."""
        for path in self._progress(self._paths):
            try:
                image = image_io.read(path, channels=3)
            except UserError as error:
                if len(self._paths) == 1:
                    raise
                if path not in self._unreadable:
                    log.warning("left out of the style: %s", error)
                self._unreadable.add(path)
                continue
            height, width = image.shape[:2]
            factor = min(1.0, math.sqrt(pixels / (height * width)))
            size = max(1, round(height * factor)), max(1, round(width * factor))
            signed = tf.constant(image_io.to_signed(image)[np.newaxis])
            yield tf.clip_by_value(resized(signed, *size), -1.0, 1.0)
