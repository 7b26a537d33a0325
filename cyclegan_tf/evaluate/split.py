"""The test split as arrays, with pairs found by file name."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.data.pairs import partner_stems
from cyclegan_tf.data.pipeline import evaluation_reader
from cyclegan_tf.data.sources import UnpairedDataset
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.evaluate.scores import Split

__all__ = ["Split", "pairs_by_stem", "read_at", "read_images", "read_split", "spread"]


def pairs_by_stem(names_x: Sequence[str], names_y: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Pair images whose names differ only in the folder (testA, testB) and the suffix.

    "testA/5.jpg" and "testB/5.png" are partners, and so are "testA/5_A.jpg" and "testB/5_B.jpg".
    Images of tensorflow-datasets ("testA/00005") have numbers for names, given in the order of
    storage, which is shuffled: they are never partners.

    Args:
      names_x: as in `data.sources.ImageList`.
      names_y: alike.

    Returns:
      (index into names_x, index into names_y), in the order of names_x. Empty unless every name of
      the shorter list has a partner, and where a side has one stem twice.
    """
    stems_x, stems_y = partner_stems(names_x, names_y)
    if None in stems_x or None in stems_y or not stems_x or not stems_y:
        return ()
    place = {stem: index for index, stem in enumerate(stems_y)}
    if len(place) < len(stems_y) or len(set(stems_x)) < len(stems_x):
        return ()
    pairs = tuple((index, place[stem]) for index, stem in enumerate(stems_x) if stem in place)
    return pairs if len(pairs) == min(len(stems_x), len(stems_y)) else ()


def read_split(
    source: UnpairedDataset, transform: ImageTransform, count: int | None = None
) -> Split:
    """Read the test images as the networks see them, without augmentation.

    Args:
      source: its test lists may be empty; then so is the split's.
      transform: sizes; images are not cropped, see `ImageTransform.transform_test`.
      count: at most so many of each domain, spread evenly over the list; of a paired split so many
        pairs.

    Returns:
      The split. Partners that end up at different sizes, which no score can compare, leave it
      without pairs.

    Raises:
      UserError: an image cannot be read.
    """
    names_x, names_y = source.test_x.names, source.test_y.names
    pairs = pairs_by_stem(names_x, names_y)
    if count is not None and pairs:
        pairs = tuple(pairs[i] for i in spread(len(pairs), count))
        chosen_x, chosen_y = [x for x, _ in pairs], [y for _, y in pairs]
        pairs = tuple((i, i) for i in range(len(pairs)))
    else:
        chosen_x, chosen_y = spread(len(names_x), count), spread(len(names_y), count)
    x = read_at(source.test_x, transform, chosen_x)
    y = read_at(source.test_y, transform, chosen_y)
    if any(x[i].shape[:2] != y[j].shape[:2] for i, j in pairs):
        pairs = ()
    return Split(
        x, y, tuple(names_x[i] for i in chosen_x), tuple(names_y[i] for i in chosen_y), pairs
    )


def read_images(
    images: ImageList, transform: ImageTransform, count: int | None = None
) -> list[np.ndarray]:
    """Read at most `count` images, evenly spread, prepared as test images are.

    Args:
      images: any list.
      transform: sizes.
      count: None for all.

    Returns:
      float32 (H, W, C) in [-1, 1] each.

    Raises:
      UserError: an image cannot be read.
    """
    return read_at(images, transform, spread(len(images), count))


def spread(length: int, count: int | None) -> list[int]:
    """Return at most `count` indices below `length`, evenly spread from the first on."""
    kept = length if count is None else min(count, length)
    return [index * length // kept for index in range(kept)]


def read_at(
    images: ImageList, transform: ImageTransform, indices: Sequence[int]
) -> list[np.ndarray]:
    """Read chosen images, prepared as test images are; see `read_images`."""
    read = evaluation_reader(images, transform)
    return [np.asarray(read(index))[0] for index in indices]
