"""Domains whose numbers mean something: their range, and lists that are read through it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_tf.data.image_lists import ImageList, as_user_error
from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images import numbers, pixel_values
from cyclegan_tf.images.placement import read_placement
from cyclegan_tf.images.ranges import Clipped, ValueRange, common_type, measured_range

MAX_MEASURED_IMAGES = 1000
"""So many at most, spread over the list, of which a range is measured."""

_MEASURED_NUMBERS = 2**24
_MIN_OF_AN_IMAGE = 4096


def number_type(images: ImageList) -> str:
    """Give the type that holds the numbers of all images of a list."""
    if images.infos:
        return common_type(info.dtype for info in images.infos)
    return images.read(0).dtype.name


def find_range(images: ImageList, percentiles: tuple[float, float], domain: str) -> ValueRange:
    """Measure between which numbers nearly all of the images' lie.

    Args:
      images: training images of a domain. Of many, `MAX_MEASURED_IMAGES` count, and of each as
        many numbers, chosen by chance, as make 2^24.
      percentiles: of all numbers.
      domain: "x" or "y", for messages.

    Raises:
      UserError: an image cannot be read, or all numbers are the same.
    """
    count = min(len(images), MAX_MEASURED_IMAGES)
    chosen = [index * len(images) // count for index in range(count)]
    most = max(_MIN_OF_AN_IMAGE, _MEASURED_NUMBERS // max(count, 1))
    read = _reader(images)

    def sample(index: int) -> np.ndarray:
        found = _with_data(images, index, read(index)).ravel()
        if found.size <= most:
            return found
        # Chosen by chance: every n-th might be of one column, or of one channel.
        return found[np.random.default_rng(0).integers(0, found.size, most)]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        samples = list(pool.map(sample, chosen))
    try:
        return measured_range(samples, percentiles, number_type(images))
    except UserError as error:
        field = f"data.range_{domain}"
        raise UserError(f"{field} is auto, but {error}.", code=error.code, field=field) from error


def with_range(images: ImageList, value_range: ValueRange) -> ImageList:
    """Give a list whose images are read as levels of a range.

    Sixteen bits are enough for training: 65,536 levels of the range, 16 for each number of 12 bits.

    Args:
      images: of any numbers.
      value_range: of them.

    Returns:
      A list whose `read` gives uint16 (H, W, channels), and which counts what lies outside.
    """
    numbers_of, clipped = _reader(images), Clipped()

    def read(index: int) -> np.ndarray:
        found = numbers_of(index)
        clipped.add(found.size, value_range.count_outside(found))
        try:
            return value_range.levels(found)
        except UserError as error:
            raise image_io.ImageError(images.names[index], str(error)) from error

    return dataclasses.replace(images, read=read, value_range=value_range, clipped=clipped)


def read_levels(path: Path, channels: int, value_range: ValueRange | None) -> np.ndarray:
    """Read a file as levels: of a range uint16, of the full range uint8 or uint16.

    Raises:
      ImageError: as `images.read`; or a number is NaN.
    """
    if value_range is None:
        return image_io.read(path, channels)
    try:
        return value_range.levels(numbers.read(path, channels))
    except image_io.ImageError:
        raise
    except UserError as error:
        raise image_io.ImageError(path, str(error)) from error


def require_white(images: ImageList, domain: str) -> None:
    """Refuse files of numbers that need a range, by their headers.

    Args:
      images: that are to be read over the full range of their type.
      domain: "x" or "y", for the message.

    Raises:
      UserError: names the first.
    """
    for info in images.infos:
        if info.white == pixel_values.NO_WHITE:
            option = f"data.range_{domain}"
            raise UserError(
                f"{info.path}: holds {info.dtype} numbers, of which none is known to be white; "
                f"--{option} auto takes the range that the training images have, and "
                f"--{option} [low, high] one of your own.",
                code="unsupported",
                field=option,
            )


def record(train_x: ImageList, train_y: ImageList) -> dict[str, Any]:
    """Give what a run keeps of its domains' numbers.

    Args:
      train_x: training images of X.
      train_y: training images of Y.

    Returns:
      "ranges" by domain, None for the full one, and "types" by domain; nothing where both are full.
    """
    domains = {"x": train_x, "y": train_y}
    if not any(images.value_range for images in domains.values()):
        return {}
    ranges = {
        domain: images.value_range.as_dict() if images.value_range else None
        for domain, images in domains.items()
    }
    return {"ranges": ranges, "types": {name: number_type(each) for name, each in domains.items()}}


def of_gray(train_x: ImageList, train_y: ImageList) -> dict[str, ValueRange]:
    """Give the ranges of the domains of one channel, by "X" and "Y"; none where it is full."""
    domains = {"X": train_x, "Y": train_y}
    return {
        name: images.value_range
        for name, images in domains.items()
        if images.value_range is not None and images.channels == 1
    }


def notes(train_x: ImageList, train_y: ImageList) -> list[str]:
    """Say which ranges are trained on, and how much of what has been read so far was clipped."""
    said = []
    for domain, images in (("X", train_x), ("Y", train_y)):
        if (known := images.value_range) is None or images.clipped is None:
            continue
        lost = ""
        if images.clipped.read:
            lost = f"; {images.clipped.share:.2%} of its numbers lie outside and are clipped"
        said.append(f"{domain} is trained on numbers from {known}, kept as 16 bits{lost}")
    return said


def _reader(images: ImageList) -> Callable[[int], np.ndarray]:
    """What gives the numbers of an image."""

    def read(index: int) -> np.ndarray:
        try:
            if images.numbers is not None:
                return images.numbers(index)
            if not images.infos:
                return images.read(index)
            return numbers.read(images.infos[index].path, images.channels, images.max_pixels)
        except image_io.ImageError as error:
            raise as_user_error(error) from error

    return read


def _with_data(images: ImageList, index: int, found: np.ndarray) -> np.ndarray:
    """The pixels of an image that have data: all, where its file does not say otherwise."""
    if not images.infos or images.infos[index].format != "TIFF":
        return found
    missing = read_placement(images.infos[index]).missing
    return found if missing is None else found[~missing.rows(0, len(found))]
