"""Image files: find, read, write; uint8 or uint16 pixel values and [-1, 1].

The names below are imported when they are first used, so that the headers of files can be read
without TensorFlow:

    >>> from cyclegan_tf import images
    >>> image = images.read("photo.jpg")
    >>> images.save("copy.png", image)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclegan_tf.images.headers import MAX_PIXELS, ImageError, ImageInfo
    from cyclegan_tf.images.io import (
        EXTENSIONS,
        SAVED_EXTENSIONS,
        as_dtype,
        decode_tensor,
        find_images,
        from_signed,
        list_folder,
        make_grid,
        read,
        save,
        to_signed,
        to_uint8,
    )
    from cyclegan_tf.images.probing import probe

__all__ = [
    "EXTENSIONS",
    "MAX_PIXELS",
    "SAVED_EXTENSIONS",
    "ImageError",
    "ImageInfo",
    "as_dtype",
    "decode_tensor",
    "find_images",
    "from_signed",
    "list_folder",
    "make_grid",
    "probe",
    "read",
    "save",
    "to_signed",
    "to_uint8",
]

_WITHOUT_TENSORFLOW = {
    "probe": "probing",
    **dict.fromkeys(("MAX_PIXELS", "ImageError", "ImageInfo"), "headers"),
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    source = _WITHOUT_TENSORFLOW.get(name, "io")
    value = getattr(importlib.import_module(f"{__name__}.{source}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
