"""What there is to know of partners: how many there are, and whether they show the same places."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from tqdm import tqdm

from cyclegan_tf.check.alignment import Alignment, compare, edges
from cyclegan_tf.check.folders import Finding, Folder, ImageReport, some
from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.data.layout import FOLDERS, pairs_in_words
from cyclegan_tf.data.pairs import choose_pairs
from cyclegan_tf.data.sources import UnpairedDataset

MAX_COMPARED = 300
"""So many pairs at most, spread over all, are compared: seconds' work."""

_FEWEST = 10
_DEVIATIONS = 2.0
"""From so many pairs on their edges must agree better than strangers' do, by so many standard
errors."""


def look_at_pairs(
    folders: Sequence[Folder], wanted: str, show_progress: bool = False
) -> Iterator[Finding]:
    """Count the partners in the training folders, and compare their edges.

    Args:
      folders: as examined; "trainA" and "trainB", or "X" and "Y", are looked at.
      wanted: "none", or a training's `data.pairs`; of a number those that its default seed chooses.
      show_progress: draw a progress bar on standard error.

    Raises:
      UserError: as training would; there are no partners, or a list of them is wrong.
    """
    x, y = (_readable(folders, domain) for domain in "XY")
    if wanted == "none" or x is None or y is None:
        return
    (folder_x, files_x), (folder_y, files_y) = x, y
    pairs = choose_pairs(_source(x, y, folders), wanted, seed=0)
    folder_names = folder_x.name, folder_y.name
    counted = pairs_in_words(len(pairs), len(files_x), len(files_y), folder_names)
    yield Finding("note", f"{counted}.")
    kept = min(len(pairs), MAX_COMPARED)
    compared = [pairs[index * len(pairs) // kept] for index in range(kept)]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        both = pool.map(
            lambda pair: (
                edges(folder_x.read(files_x[pair[0]].path)),
                edges(folder_y.read(files_y[pair[1]].path)),
            ),
            compared,
        )
        planes = list(
            tqdm(both, "comparing", kept, disable=not show_progress, leave=False, unit=" pairs")
        )
    found = [compare(*pair) for pair in planes]
    names = [f"{folder_x.place(files_x[a])} = {folder_y.place(files_y[b])}" for a, b in compared]
    strangers = list(_strangers(found, planes))
    yield from strangers or _misaligned(found, names)


def _readable(folders: Sequence[Folder], domain: str) -> tuple[Folder, list[ImageReport]] | None:
    for folder in folders:
        files = [file for file in folder.files if file.info]
        if folder.domain == domain and folder.is_training and files:
            return folder, files
    return None


def _source(
    x: tuple[Folder, list[ImageReport]],
    y: tuple[Folder, list[ImageReport]],
    folders: Sequence[Folder],
) -> UnpairedDataset:
    """The names alone, as training has them; what is unreadable is passed over like test images."""
    lists: list[ImageList] = []
    others: list[ImageList] = []
    for folder, files in (x, y):
        rest = [
            _name(each, file)
            for each in folders
            if each.domain == folder.domain
            for file in each.files
            if each is not folder or not file.info
        ]
        for into, names in ((lists, [_name(folder, file) for file in files]), (others, rest)):
            into.append(ImageList(tuple(names), folder.channels, lambda _: np.empty(0)))
    return UnpairedDataset(lists[0], lists[1], others[0], others[1], "")


def _name(folder: Folder, file: ImageReport) -> str:
    if folder.name in FOLDERS:
        return folder.place(file)
    return file.path.relative_to(folder.path).as_posix()


def _misaligned(found: Sequence[Alignment], names: Sequence[str]) -> Iterator[Finding]:
    off = [
        f"{name} ({one.shift[1]:+.0%} right, {one.shift[0]:+.0%} down)"
        for one, name in zip(found, names, strict=True)
        if one.is_off
    ]
    if off:
        verb = "seems" if len(off) == 1 else "seem"
        yield Finding(
            "warning",
            f"{len(off)} of {len(found)} pairs {verb} misaligned: their edges lie on each other "
            "clearly better when Y's are sought elsewhere. loss.paired blurs what does not lie at "
            f"one place. Align them, or leave them out: {some(off)}.",
        )


def _strangers(
    found: Sequence[Alignment], planes: Sequence[tuple[np.ndarray, np.ndarray]]
) -> Iterator[Finding]:
    """Each X is compared with the next Y, too: partners must fit better than those."""
    if len(found) < _FEWEST:
        return
    own = np.array([one.as_they_are for one in found])
    turned = [*planes[1:], planes[0]]
    others = np.array([np.sum(x * y) for (x, _), (_, y) in zip(planes, turned, strict=True)])
    error = math.sqrt((own.var() + others.var()) / len(own))
    if own.mean() - others.mean() < _DEVIATIONS * error:
        yield Finding(
            "warning",
            f"Edges of partners agree no better than those of strangers (correlation "
            f"{own.mean():.2f} and {others.mean():.2f}, mean of {len(own)}). Are they partners at "
            "all? Files that only happen to have one name are none.",
        )
