"""What happens to an image between its file and the network: sizes first, chance last.

`resize` is the same every time, so its result may be cached; `augment` comes after the cache and
is a function of its seed alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import tensorflow as tf

CROPPING = ("resize_and_crop", "scale_width_and_crop", "crop")


def resize_bicubic(image: tf.Tensor, height: tf.Tensor, width: tf.Tensor) -> tf.Tensor:
    """Resize an integer image, bicubic and antialiased; unchanged when it has that size already.

    Where no side shrinks there is nothing to antialias, and 8-bit images take TensorFlow's plain
    bicubic kernel: the same filter read from a table, in half the time, at most 1 of 255 off.

    Args:
      image: uint8 or uint16 (H, W, C).
      height: int32 scalar, rows of the result.
      width: int32 scalar, columns of the result.

    Returns:
      Same dtype, (height, width, C), rounded and clipped to the dtype's range.
    """
    shape = tf.shape(image)

    def resized(antialias: bool) -> tf.Tensor:
        smooth = tf.image.resize(
            image, tf.stack([height, width]), method="bicubic", antialias=antialias
        )
        return tf.cast(tf.clip_by_value(tf.round(smooth), 0, image.dtype.max), image.dtype)

    def changed() -> tf.Tensor:
        if image.dtype != tf.uint8:
            return resized(antialias=True)
        shrinks = (shape[0] > height) | (shape[1] > width)
        return tf.cond(shrinks, lambda: resized(antialias=True), lambda: resized(antialias=False))

    return tf.cond((shape[0] == height) & (shape[1] == width), lambda: image, changed)


@dataclass(frozen=True)
class ImageTransform:
    """Sizes and chance of one data set.

    Attributes:
      mode: one of config's `data.preprocess`.
      load_size_px: side, or width, before the crop.
      crop_size_px: side of the square crop.
      size_divisor_px: sides handed to the networks are multiples of this.
      flip: mirror at random.

    Example:
      >>> transform = ImageTransform("resize_and_crop", load_size_px=286, crop_size_px=256)
      >>> crop = transform.augment(transform.resize(image), tf.constant([seed, 0]))
    """

    mode: str
    load_size_px: int
    crop_size_px: int
    size_divisor_px: int = 4
    flip: bool = True

    @property
    def fixed_size_px(self) -> int | None:
        """The side of every training image, or None where sizes differ."""
        return self.crop_size_px if self.mode in CROPPING else None

    def resized_size(self, height: tf.Tensor, width: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Give the size after `resize`: int32 in, int32 out, scalars or vectors."""
        crop = self.crop_size_px
        if self.mode == "resize_and_crop":
            return tf.fill(tf.shape(height), self.load_size_px), tf.fill(
                tf.shape(width), self.load_size_px
            )
        if self.mode in ("scale_width_and_crop", "scale_width"):
            least = crop if self.mode == "scale_width_and_crop" else self.size_divisor_px
            return _scaled_to_width(height, width, self.load_size_px, least)
        return _grown(height, width, crop if self.mode == "crop" else self.size_divisor_px)

    def test_size(self, height: tf.Tensor, width: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Give the size of a test image before it is trimmed to multiples; it is not cropped."""
        if self.mode == "resize_and_crop":
            return tf.constant(self.crop_size_px), tf.constant(self.crop_size_px)
        if self.mode in ("scale_width_and_crop", "scale_width"):
            target = self.crop_size_px if self.mode == "scale_width_and_crop" else self.load_size_px
            return _scaled_to_width(height, width, target, self.size_divisor_px)
        return _grown(height, width, self.size_divisor_px)

    def resize(self, image: tf.Tensor) -> tf.Tensor:
        """Resize to the size to crop from: uint8 or uint16 (H, W, C) in, same dtype out."""
        shape = tf.shape(image)
        return resize_bicubic(image, *self.resized_size(shape[0], shape[1]))

    def transform_test(self, image: tf.Tensor) -> tf.Tensor:
        """Resize a test image and trim it around the center to whole multiples, nothing random."""
        shape = tf.shape(image)
        return self._trimmed(resize_bicubic(image, *self.test_size(shape[0], shape[1])))

    def transform_test_labels(self, labels: tf.Tensor) -> tf.Tensor:
        """Do the same to a map of classes, int (H, W, 1), each pixel that of the nearest."""
        shape = tf.shape(labels)
        size = tf.stack(self.test_size(shape[0], shape[1]))
        return self._trimmed(tf.image.resize(labels, size, method="nearest"))

    def _trimmed(self, image: tf.Tensor) -> tf.Tensor:
        size = tf.shape(image)[:2]
        kept = size // self.size_divisor_px * self.size_divisor_px
        top_left = (size - kept) // 2
        return image[top_left[0] : top_left[0] + kept[0], top_left[1] : top_left[1] + kept[1]]

    def augment(self, image: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Crop and mirror at random.

        Args:
          image: uint8 or uint16 (H, W, C), as `resize` left it.
          seed: int32 (2,), the only source of chance.
        """
        size = tf.shape(image)[:2]
        if self.fixed_size_px:
            kept = tf.constant([self.crop_size_px, self.crop_size_px])
        else:
            kept = size // self.size_divisor_px * self.size_divisor_px
        draws = tf.random.stateless_uniform((3,), seed)
        # A draw just under 1 may round up to the excluded end in float32.
        offset = tf.minimum(
            tf.cast(draws[:2] * tf.cast(size - kept + 1, tf.float32), tf.int32), size - kept
        )
        cut = tf.slice(image, [offset[0], offset[1], 0], [kept[0], kept[1], -1])
        if self.flip:
            cut = tf.cond(draws[2] < 0.5, lambda: tf.reverse(cut, [1]), lambda: cut)
        return tf.ensure_shape(cut, (self.fixed_size_px, self.fixed_size_px, image.shape[-1]))


def _scaled_to_width(
    height: tf.Tensor, width: tf.Tensor, target: int, least: int
) -> tuple[tf.Tensor, tf.Tensor]:
    scaled = tf.cast(
        tf.round(tf.cast(height * target, tf.float32) / tf.cast(width, tf.float32)), tf.int32
    )
    return tf.maximum(scaled, least), tf.fill(tf.shape(width), target)


def _grown(height: tf.Tensor, width: tf.Tensor, least: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The same size, or the smallest of the same shape whose shorter side is `least`."""
    short = tf.minimum(height, width)

    def side(length: tf.Tensor) -> tf.Tensor:
        return tf.where(
            short < least, tf.maximum((length * least + short - 1) // short, least), length
        )

    return side(height), side(width)
