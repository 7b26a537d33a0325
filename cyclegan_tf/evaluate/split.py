"""The test split as scores take it: read, prepared, partners found by their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

import numpy as np

from cyclegan_tf.data.pipeline import evaluation_reader
from cyclegan_tf.data.sources import FOLDERS, ImageList, UnpairedDataset
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.evaluate.scores import Split

__all__ = ["Split", "pairs_by_stem", "read_images", "read_split"]


def pairs_by_stem(names_x: Sequence[str], names_y: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Which images have the same name but for the folder testA or testB and the suffix:
    "testA/5.jpg", "testB/5.png".

    Images of tensorflow-datasets ("testA/00005") have numbers for names, given in the order of
    storage, which is
    shuffled: they are never partners.

    Args:
      names_x: as in `data.sources.ImageList`.
      names_y: alike.

    Returns:
      (index into names_x, index into names_y), in the order of names_x. Empty unless every name of
      the shorter list has a partner, and where a side has one stem twice.
    """
    stems_x, stems_y = [_stem(name) for name in names_x], [_stem(name) for name in names_y]
    if None in stems_x or None in stems_y or not stems_x or not stems_y:
        return ()
    place = {stem: index for index, stem in enumerate(stems_y)}
    if len(place) < len(stems_y) or len(set(stems_x)) < len(stems_x):
        return ()
    pairs = tuple((index, place[stem]) for index, stem in enumerate(stems_x) if stem in place)
    return pairs if len(pairs) == min(len(stems_x), len(stems_y)) else ()


def _stem(name: str) -> str | None:
    """The name without the split's folder and the suffix; None for a number given by
    tensorflow-datasets."""
    path = PurePosixPath(name)
    if path.parts[0] in FOLDERS:
        if not path.suffix:
            return None
        path = PurePosixPath(*path.parts[1:])
    return str(path.with_suffix(""))


def read_split(
    source: UnpairedDataset, preparation: ImageTransform, count: int | None = None
) -> Split:
    """Reads the test images as the networks see them, nothing random.

    Args:
      source: its test lists may be empty; then so is the split's.
      preparation: sizes; images are not cropped, see `ImageTransform.transform_test`.
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
    x = _read(source.test_x, preparation, chosen_x)
    y = _read(source.test_y, preparation, chosen_y)
    if any(x[i].shape[:2] != y[j].shape[:2] for i, j in pairs):
        pairs = ()
    return Split(
        x, y, tuple(names_x[i] for i in chosen_x), tuple(names_y[i] for i in chosen_y), pairs
    )


def read_images(
    images: ImageList, preparation: ImageTransform, count: int | None = None
) -> list[np.ndarray]:
    """Images of any list, prepared as test images are; at most `count`, spread evenly.

    Returns:
      float32 (H, W, C) in [-1, 1] each.

    Raises:
      UserError: an image cannot be read.
    """
    return _read(images, preparation, spread(len(images), count))


def spread(length: int, count: int | None) -> list[int]:
    """At most `count` indices below `length`, evenly spread from the first on."""
    kept = length if count is None else min(count, length)
    return [index * length // kept for index in range(kept)]


def _read(
    images: ImageList, preparation: ImageTransform, indices: Sequence[int]
) -> list[np.ndarray]:
    read = evaluation_reader(images, preparation)
    return [np.asarray(read(index))[0] for index in indices]
