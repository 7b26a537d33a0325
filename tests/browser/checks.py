"""Assertions that the tests of the page share."""

from __future__ import annotations

import numpy as np
from PIL import Image


def read(path, mode: str = "RGB") -> np.ndarray:
    """An image file, or a stream, as uint8 (H, W, C)."""
    with Image.open(path) as image:
        pixels = np.asarray(image.convert(mode))
    return pixels if pixels.ndim == 3 else pixels[..., None]


def assert_quiet(result: dict, url: str) -> None:
    """The browser noted no errors and asked no other host."""
    assert result["errors"] == [], result["errors"]
    assert result["hosts"] == [url.split("/")[2]], result["hosts"]


def assert_failed(result: dict, *words: str) -> None:
    """The page reported a problem in these words, and there is nothing to wait for or to save."""
    assert all(word in result["said"] for word in words), result["said"]
    assert result["busy"] == 0, result["said"]
    assert not result["saves"], result["said"]
