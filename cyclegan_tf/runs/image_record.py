"""A run's data.json: names of its images by list, and sizes and checksums of their files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from cyclegan_tf.data import layout
from cyclegan_tf.errors import reading
from cyclegan_tf.images.ranges import FULL_RANGES, RangePair, ValueRange, is_number_type

LISTS = ("train_x", "train_y", "test_x", "test_y")


def read(path: Path) -> dict[str, Any] | None:
    """Read a record.

    Args:
      path: the data.json.

    Returns:
      Names by list and, unless an early version wrote it, "sums" by list and "aspects" by domain;
      of a run with partners their names, [of X, of Y] each, as "pairs"; of one with ranges
      "ranges" and "types" by domain. None where there is no record, or an empty one.

    Raises:
      UserError: it is damaged.
    """
    if not path.is_file():
        return None
    must = "it must hold the names of the run's images: bring it back, or give another --run_dir"
    with reading(path, must):
        record = json.loads(path.read_bytes())
        if record == {}:  # of a run that knows no images
            return None
        pairs = record.get("pairs", [])
        if not isinstance(pairs, list) or any(len(pair) != 2 for pair in pairs):
            raise ValueError("what should be a list of pairs is none")
        for texts in [*(record[n] for n in LISTS), *record.get("sums", {}).values(), *pairs]:
            if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
                raise ValueError("what should be a list of texts is none")
        for aspect in record.get("aspects", {}).values():
            if not isinstance(aspect, int | float) or not 0 < aspect < math.inf:
                raise ValueError("what should be a shape is none")
        for kind in record.get("types", {}).values():
            if not is_number_type(kind):
                raise ValueError("what should be a type of numbers is none")
        if record.get("ranges", {}).keys() != record.get("types", {}).keys():
            raise ValueError("ranges of numbers are there without their types")
        return record


def aspect(path: Path, domain: str) -> float:
    """Give width by height of a domain's training images.

    Args:
      path: the data.json.
      domain: "x" or "y".

    Returns:
      Their geometric mean; 1 where the record does not say.

    Raises:
      UserError: it is damaged.
    """
    return (read(path) or {}).get("aspects", {}).get(domain, 1.0)


def ranges(path: Path, direction: str) -> RangePair:
    """Give what the numbers of a run's generator mean on both sides.

    Args:
      path: the data.json.
      direction: "xy" or "yx".

    Returns:
      Full ranges where neither domain has another.

    Raises:
      UserError: it is damaged.
    """
    record = read(path) or {}
    known = {name: ValueRange.from_dict(each) for name, each in record.get("ranges", {}).items()}
    if not any(known.values()):
        return FULL_RANGES
    source, target = (known.get(domain) for domain in direction)
    return RangePair(source, target or ValueRange.of_type(record["types"][direction[1]]))


def pairs_in_words(path: Path) -> str:
    """Say how many of the training images are shown with a partner.

    Args:
      path: the data.json.

    Returns:
      "25 pairs of the 400 images of X and 400 of Y"; "" for a run without pairs.

    Raises:
      UserError: it is damaged.
    """
    record = read(path) or {}
    if not (pairs := record.get("pairs")):
        return ""
    return layout.pairs_in_words(len(pairs), len(record["train_x"]), len(record["train_y"]))
