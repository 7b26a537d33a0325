"""JPEGs that TensorFlow decodes in spite of damage, with gray where pixels are missing."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from cyclegan_tf.images import chatter, segments
from cyclegan_tf.serve.models.limits import BAD_REQUEST, RequestError

_RATIO = 8  # the smallest image that libjpeg makes, of the same bytes


def check_pixels(arrays: Mapping[str, np.ndarray]) -> bool:
    """Refuse JPEGs of which libjpeg says that pixels are wrong.

    Each is decoded once more for that, in small.

    Args:
      arrays: inputs by name; strings, which are images, as object arrays of bytes.

    Returns:
      Whether libjpeg has something to say of one that is as good, and will say it again.

    Raises:
      RequestError: 400.
    """
    is_noisy = False
    for name, array in arrays.items():
        if array.dtype != object:
            continue
        for index, data in enumerate(array.ravel()):
            if not data.startswith(segments.JPEG_SIGNATURE):
                continue
            heard, wrong = _heard(data)
            if wrong:
                image = f"{name}: image {index + 1} of {array.size}"
                raise RequestError(BAD_REQUEST, f"{image} is damaged ({wrong})")
            is_noisy |= bool(heard)
    return is_noisy


def _heard(data: bytes) -> tuple[list[str], str | None]:
    """What libjpeg says of an image, and what of that means damage."""

    def is_decoded() -> bool:
        with contextlib.suppress(tf.errors.OpError):
            tf.io.decode_jpeg(data, ratio=_RATIO)
            return True
        return False

    decoded, heard = chatter.listen(is_decoded)
    # What TensorFlow refuses without a line of libjpeg's, the model will refuse.
    return heard, chatter.damage(heard) if decoded or not heard else heard[-1]
