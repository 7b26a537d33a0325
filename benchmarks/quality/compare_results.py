"""Compare what two revisions wrote: arrays and files bit for bit, values key by key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

VARIANTS = ("float32", "float16", "dynamic_int8", "int8")
# Parts of keys: what they were called -> what they are called.
RENAMED = {"colour": "color", "picture": "image", "variety": "diversity"}
# Parts of keys whose values no rewrite could keep, or that hold descriptions.
LEFT_OUT = (
    "seconds", "per_second", "_ms", "size_bytes", "path", "machine", "date", "time", "version",
    "checkpoint", "environment", "memory", "text", "note", "run", "facts", "protocol",
)  # fmt: skip
# Of a generator, in evaluation.json.
DESCRIPTION = "generator"


@dataclass(frozen=True)
class Row:
    """One comparison: what, whether it is the same, and how much was compared or what differs.

    Example:
      >>> row = compare_files("samples", Path("base/samples"), Path("other/samples"))
      >>> row.same, row.detail
    """

    what: str
    same: bool
    detail: str


def compare_arrays(what: str, base: Path, other: Path) -> Iterator[Row]:
    """All arrays of two checkpoints, and the state beside them."""
    a, b = np.load(base), np.load(other)
    # The mean of a loss without weight is kept by some revisions, at 0.
    differing = [
        name
        for name in sorted(set(a.files) ^ set(b.files))
        if not name.startswith("tracker/") or np.any((a if name in a.files else b)[name])
    ]
    differing += [
        name
        for name in sorted(set(a.files) & set(b.files) - {"state.json"})
        if a[name].dtype != b[name].dtype or not np.array_equal(a[name], b[name])
    ]
    yield _row(f"{what}: arrays of {base.name}", differing, f"{len(a.files) - 1} arrays")
    states = [json.loads(bytes(archive["state.json"])) for archive in (a, b)]
    yield compare_values(f"{what}: state of {base.name}", *states)


def compare_values(what: str, base: object, other: object) -> Row:
    """Nested lists and dictionaries, keys by their new names."""
    a, b = dict(_flat(base)), dict(_flat(other))
    differing = [
        key for key in sorted({*a, *b}) if key not in a or key not in b or a[key] != b[key]
    ]
    return _row(what, differing, f"{len(a)} values")


def compare_metrics(what: str, base: Path, other: Path) -> Row:
    """All rows of two metrics.jsonl."""
    return compare_values(what, *(
        [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in (base, other)
    ))  # fmt: skip


def compare_files(what: str, base: Path, other: Path) -> Row:
    """The bytes of all files of two folders."""
    a, b = (
        {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.*"))}
        for folder in (base, other)
    )
    differing = [name for name in sorted({*a, *b}) if a.get(name) != b.get(name)]
    return _row(what, differing, f"{len(a)} files", empty=not a)


def compare_tflite(base: Path, other: Path, image: np.ndarray) -> Iterator[Row]:
    """What two .tflite files answer for one image."""
    from cyclegan_tf.export.litert.runtime import LiteRTModel

    for variant in VARIANTS:
        (one,), (two,) = (sorted(path.rglob(f"{variant}.tflite")) for path in (base, other))
        contents = one.read_bytes(), two.read_bytes()
        a, b = (np.asarray(LiteRTModel(data)(image)) for data in contents)
        same, largest = np.array_equal(a, b), np.max(np.abs(a - b))
        bytes_too = "byte for byte" if contents[0] == contents[1] else "the file's bytes differ"
        detail = f"output, {bytes_too}" if same else f"output differs by up to {largest:.2g}"
        yield Row(f"{variant}.tflite", same, detail)


def _flat(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """(key, value) of all that is compared."""
    if isinstance(value, dict):
        for name, inner in value.items():
            renamed = str(name)
            for old, new in RENAMED.items():
                renamed = renamed.replace(old, new)
            if renamed != DESCRIPTION and not any(part in renamed for part in LEFT_OUT):
                yield from _flat(inner, f"{key}/{renamed}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _flat(inner, f"{key}/{index}")
    else:
        yield key, value


def _row(what: str, differing: list[str], compared: str, empty: bool = False) -> Row:
    if empty:
        return Row(what, False, "nothing to compare")
    if not differing:
        return Row(what, True, compared)
    shown = ", ".join(differing[:4]) + (", ..." if len(differing) > 4 else "")
    return Row(what, False, f"{len(differing)} of {compared} differ: {shown}")
