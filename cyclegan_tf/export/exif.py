"""The EXIF orientation of JPEGs inside a TensorFlow graph, for served models.

TensorFlow's decoder ignores the orientation. A server that decodes inside the graph cannot call
Python, hence this walk over the file's bytes with TensorFlow's operations. Format: CIPA DC-008
(EXIF 2.32), sec. 4.5 and 4.6.2; JPEG markers: ITU-T T.81, annex B.
"""

from __future__ import annotations

import tensorflow as tf

# Cameras write EXIF first; some programs put a few segments before it.
_MAX_SEGMENTS = 16
# A segment is at most this long, and what lies behind the first ones is not looked at.
_LOOKED_AT_BYTES = 1 << 17
_MAX_ENTRIES = 512


def orientation(data: tf.Tensor) -> tf.Tensor:
    """Read the orientation of an encoded image.

    Args:
      data: string scalar, the bytes of a file of any kind.

    Returns:
      int32 scalar, 1 to 8; 1 where the file has none, is no JPEG, or is broken.
    """
    head = tf.strings.substr(data, 0, tf.minimum(tf.strings.length(data), _LOOKED_AT_BYTES))
    head = tf.cast(tf.io.decode_raw(head, tf.uint8), tf.int32)
    # Zeros behind the end, so that a file that was cut off is read without an error.
    head = tf.concat([head, tf.zeros([16], tf.int32)], axis=0)
    start = _exif_start(head)
    return tf.cond(start > 0, lambda: _orientation_tag(head, start), lambda: 1)


def upright(image: tf.Tensor, turned: tf.Tensor) -> tf.Tensor:
    """Turn an image (H, W, C) by its EXIF orientation, int32 scalar 1 to 8."""
    # From 5 on the image is stored with rows and columns exchanged; then two mirrors.
    image = tf.cond(turned >= 5, lambda: tf.transpose(image, (1, 0, 2)), lambda: image)
    across = tf.reduce_any(turned == [2, 3, 6, 7])
    down = tf.reduce_any(turned == [3, 4, 7, 8])
    image = tf.cond(across, lambda: tf.reverse(image, [1]), lambda: image)
    return tf.cond(down, lambda: tf.reverse(image, [0]), lambda: image)


def _exif_start(head: tf.Tensor) -> tf.Tensor:
    """Position of the TIFF header inside the EXIF segment, or 0."""
    last = tf.size(head) - 16
    exif = tf.constant([*b"Exif\0\0"], tf.int32)

    def goes_on(position: tf.Tensor, found: tf.Tensor, _: tf.Tensor) -> tf.Tensor:
        # A scan's data begins with DA; no segments follow it.
        is_marker = (head[position] == 0xFF) & (head[position + 1] != 0xDA)
        return (found == 0) & (position < last) & is_marker

    def look(
        position: tf.Tensor, found: tf.Tensor, count: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        length = head[position + 2] * 256 + head[position + 3]
        is_exif = (head[position + 1] == 0xE1) & tf.reduce_all(
            head[position + 4 : position + 10] == exif
        )
        found = tf.where(is_exif, position + 10, found)
        return tf.minimum(position + 2 + length, last), found, count + 1

    is_jpeg = (head[0] == 0xFF) & (head[1] == 0xD8)
    begin = tf.where(is_jpeg, 2, last)
    _, found, _ = tf.while_loop(goes_on, look, (begin, 0, 0), maximum_iterations=_MAX_SEGMENTS)
    return found


def _orientation_tag(head: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """Value of tag 0x0112 of the first directory, 1 where there is none."""
    last = tf.size(head) - 16
    little = head[start] == ord("I")

    def short(position: tf.Tensor) -> tf.Tensor:
        position = tf.clip_by_value(position, 0, last)
        first, second = tf.gather(head, position), tf.gather(head, position + 1)
        return tf.where(little, second * 256 + first, first * 256 + second)

    # The offset's upper half is zero in any directory within the bytes looked at.
    directory = start + short(start + tf.where(little, 4, 6))
    count = tf.minimum(short(directory), _MAX_ENTRIES)
    entries = directory + 2 + 12 * tf.range(count)
    entries = tf.boolean_mask(entries, entries < last)
    found = tf.boolean_mask(entries, short(entries) == 0x0112)
    value = tf.cond(tf.size(found) > 0, lambda: short(found[0] + 8), lambda: 1)
    return tf.where((value >= 1) & (value <= 8), value, 1)
