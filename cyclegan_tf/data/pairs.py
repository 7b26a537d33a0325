"""Partners: an image of X and one of Y that show the same, by file stem or from a list."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import numpy as np
import tensorflow as tf

from cyclegan_tf.cli import nearest
from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.data.layout import FOLDERS
from cyclegan_tf.data.sources import UnpairedDataset
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.errors import UserError

FIELD = "data.pairs"
Pairs = tuple[tuple[int, int], ...]
"""(index into the images of X, index into those of Y), in the order of X; none twice."""

_HEADERS = (["x", "y"], ["a", "b"])


def stem(name: str) -> str | None:
    """Strip the split's folder and the suffix; None for numbers of tensorflow-datasets.

    Those ("trainA/00005") are given in the order of storage, which is shuffled: equal ones are no
    partners.
    """
    path = PurePosixPath(name)
    if path.parts[0] in FOLDERS:
        if not path.suffix:
            return None
        path = PurePosixPath(*path.parts[1:])
    return str(path.with_suffix(""))


def partner_stems(
    names_x: Sequence[str], names_y: Sequence[str]
) -> tuple[list[str | None], list[str | None]]:
    """Give stems that are equal for partners.

    Where X and Y share no stem, "_A" at the end of X's and "_B" at the end of Y's are left out:
    halves of one image are often called 1_A.jpg and 1_B.jpg.
    """
    x, y = [stem(name) for name in names_x], [stem(name) for name in names_y]
    if set(x) & set(y) - {None}:
        return x, y
    return [each and each.removesuffix("_A") for each in x], [
        each and each.removesuffix("_B") for each in y
    ]


def choose_pairs(source: UnpairedDataset, wanted: str, seed: int) -> Pairs:
    """Find the partners among the training images.

    Args:
      source: of both domains.
      wanted: "none"; "auto", all of the same file stem; a number, so many of those; or a CSV file
        of two columns, names of X and of Y.
      seed: of the choice of a number. A smaller number chooses some of a larger number's pairs, and
        images that come or go change nothing between the others.

    Raises:
      UserError: there are no partners, or fewer than are wanted, or the list names an image that is
        not there, or one twice.
    """
    if wanted == "none":
        return ()
    if wanted.lower().endswith(".csv"):
        return _of_list(Path(wanted), source)
    names_x, names_y = source.train_x.names, source.train_y.names
    found = _of_stems(names_x, names_y)
    if wanted == "auto":
        return found
    if int(wanted) > len(found):
        raise UserError(
            f"data.pairs is {wanted}, but {len(found)} training images of X have a partner of the "
            "same name in Y; give at most that number, or auto for all.",
            code="missing",
            field=FIELD,
        )

    def rank(pair: tuple[int, int]) -> bytes:
        return hashlib.sha256(f"{seed}/{stem(names_x[pair[0]])}".encode()).digest()

    return tuple(sorted(sorted(found, key=rank)[: int(wanted)]))


def _of_stems(names_x: Sequence[str], names_y: Sequence[str]) -> Pairs:
    stems = dict(zip("XY", partner_stems(names_x, names_y), strict=True))
    shared = set(stems["X"]) & set(stems["Y"]) - {None}
    if not shared:
        raise UserError(
            "data.pairs: no training image of X has a partner of the same name, up to the suffix, "
            f"in Y (X begins with {names_x[0]}, Y with {names_y[0]}): rename them, or list the "
            "pairs in a CSV file of two columns.",
            code="missing",
            field=FIELD,
        )
    for domain, names in (("X", names_x), ("Y", names_y)):
        times = Counter(each for each in stems[domain] if each in shared)
        doubled = [name for name, each in zip(names, stems[domain], strict=True) if times[each] > 1]
        if doubled:
            raise UserError(
                f"data.pairs: {doubled[0]} and {doubled[1]} of {domain} have one name up to the "
                "suffix, so which is the partner is not clear; keep one, or list the pairs in a "
                "CSV file of two columns.",
                code="mismatch",
                field=FIELD,
            )
    place = {each: index for index, each in enumerate(stems["Y"])}
    return tuple((index, place[each]) for index, each in enumerate(stems["X"]) if each in shared)


def _of_list(path: Path, source: UnpairedDataset) -> Pairs:
    """Pairs of a CSV file; those with an image that is held out for testing are passed over."""
    places = {domain: _places(source, domain) for domain in "xy"}
    found: list[tuple[int, int]] = []
    seen: dict[str, dict[str | int, int]] = {"x": {}, "y": {}}
    for line, row in _rows(path):
        indices: list[int] = []
        for domain, name in zip("xy", row, strict=True):
            if name not in places[domain]:
                close = nearest(name, list(places[domain]), otherwise=".")
                raise UserError(
                    f"{path}, line {line}: {name} is no image of {domain.upper()}{close}",
                    code="missing",
                    field=FIELD,
                )
            place = places[domain][name]
            image = name if place is None else place  # which two names may mean
            if image in seen[domain]:
                raise UserError(
                    f"{path}, line {line}: {name} of {domain.upper()} has a partner in line "
                    f"{seen[domain][image]} already; an image has one.",
                    field=FIELD,
                )
            seen[domain][image] = line
            if place is not None:
                indices.append(place)
        if len(indices) == 2:
            found.append((indices[0], indices[1]))
    if not found:
        raise UserError(
            f"{path} names no pair of training images; give a name of X and one of Y in each line.",
            code="missing",
            field=FIELD,
        )
    return tuple(sorted(found))


def _places(source: UnpairedDataset, domain: str) -> dict[str, int | None]:
    """Name, with the split's folder or without -> training index; None for test images."""
    places: dict[str, int | None] = {}
    for split in ("test", "train"):
        for index, name in enumerate(getattr(source, f"{split}_{domain}").names):
            place = index if split == "train" else None
            places[name] = place
            if PurePosixPath(name).parts[0] in FOLDERS:
                places[PurePosixPath(*PurePosixPath(name).parts[1:]).as_posix()] = place
    return places


def _rows(path: Path) -> list[tuple[int, tuple[str, str]]]:
    """Number of the line and both names; a first line "x,y" or "A,B" is a header."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [(number, row) for number, row in enumerate(csv.reader(file), 1) if any(row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"data.pairs: {path} cannot be read as a list of pairs ({reason}).",
            code="unreadable" if path.exists() else "missing",
            field=FIELD,
        ) from error
    named = []
    for number, row in rows:
        cells = [cell.strip() for cell in row]
        if number == 1 and [cell.lower() for cell in cells] in _HEADERS:
            continue
        if len(cells) != 2 or not all(cells):
            raise UserError(
                f"{path}, line {number}: {','.join(row)[:80]!r} is not two names, one of X and one "
                "of Y.",
                code="unreadable",
                field=FIELD,
            )
        named.append((number, (cells[0], cells[1])))
    return named


def names_of(pairs: Pairs, source: UnpairedDataset) -> list[list[str]]:
    """Give the pairs by name, as kept in the run directory."""
    return [[source.train_x.names[x], source.train_y.names[y]] for x, y in pairs]


def recorded_pairs(recorded: Sequence[Sequence[str]], source: UnpairedDataset) -> Pairs:
    """Find the pairs that a run began with; those of which an image has gone are left out.

    Args:
      recorded: as `names_of` gave them.
      source: the images now.
    """
    places: list[Mapping[str, int]] = [
        {name: index for index, name in enumerate(images.names)}
        for images in (source.train_x, source.train_y)
    ]
    x, y = places
    return tuple(sorted((x[a], y[b]) for a, b in recorded if a in x and b in y))


def check_sizes(pairs: Pairs, source: UnpairedDataset, transform: ImageTransform) -> None:
    """Refuse partners of different sizes after the resize: no crop cuts the same out of both.

    Raises:
      UserError: names the first such pair.
    """
    x, y = source.train_x, source.train_y
    if not pairs or not x.infos or not y.infos:
        return
    sides = [
        _resized(images, [pair[i] for pair in pairs], transform) for i, images in ((0, x), (1, y))
    ]
    different = np.flatnonzero(np.any(sides[0] != sides[1], axis=1))
    if not len(different):
        return
    index = different[0]
    a, b = pairs[index]
    (h_x, w_x), (h_y, w_y) = sides[0][index], sides[1][index]
    raise UserError(
        f"data.pairs: {x.names[a]} of X and its partner {y.names[b]} of Y are of different sizes "
        f"before the crop ({w_x}x{h_x} and {w_y}x{h_y} px), so that one crop cannot cut the same "
        f"out of both ({len(different)} of {len(pairs)} pairs): data.preprocess resize_and_crop "
        "makes them equal.",
        code="mismatch",
        field=FIELD,
    )


def _resized(images: ImageList, indices: Sequence[int], transform: ImageTransform) -> np.ndarray:
    """int (N, 2), heights and widths before the crop."""
    native = np.array([[images.infos[i].height, images.infos[i].width] for i in indices], np.int32)
    with tf.device("CPU:0"):
        return np.stack(transform.resized_size(*tf.constant(native.T)), axis=1)
