"""Parquet files of images, as the Hugging Face Hub keeps them, written out as image files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow
import pyarrow.parquet

from cyclegan_tf.data.layout import FOLDERS
from cyclegan_tf.errors import UserError
from cyclegan_tf.images.folders import EXTENSIONS

Files = Sequence[tuple[str, Path]]

_TEST = ("test", "validation", "valid", "val", "dev")
_SPLITS = ("train", *_TEST, *FOLDERS)
# train-00000-of-00002, train-00000-of-00002-6b1d...
_NUMBERED = re.compile(r"(?P<split>\w+)-\d+-of-\d+\b.*")
_LABELS = ("label", "labels", "domain", "class", "category")
_ROWS = 64
_BEGINNINGS = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG": ".png",
    b"RIFF": ".webp",
    b"GIF8": ".gif",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"BM": ".bmp",
}
_NAMED = 8


@dataclass(frozen=True)
class Choice:
    """Which images of a set are one domain's.

    Attributes:
      column: of images.
      label: their label; None where it does not decide.
      split: the only split they are taken from; None where it does not decide.

    Example:
      >>> Choice("image", label="zebra").takes({"label": "zebra"}, "label")
      True
    """

    column: str
    label: str | None = None
    split: str | None = None

    def takes(self, row: Mapping[str, Any], label_column: str | None) -> bool:
        """Whether a row, its label in words, is this domain's."""
        return self.label is None or row.get(label_column or "") == self.label


@dataclass(frozen=True)
class Columns:
    """What the files of a set hold.

    Attributes:
      images: names of the columns of images.
      label: name of the column of labels; None where there is none.
      words: of the labels, by number, where the set says them.

    Example:
      >>> Columns(("image",), "label", ("horse", "zebra")).word(1)
      'zebra'
    """

    images: tuple[str, ...]
    label: str | None
    words: tuple[str, ...]

    def word(self, value: Any) -> str:
        """A label in words."""
        is_number = isinstance(value, int) and 0 <= value < len(self.words)
        return self.words[value] if is_number else str(value)


def split_of(name: str) -> str:
    """The split that a file belongs to, by its name: train, test, trainA, ...

    Args:
      name: path of the file in the set, as "data/test-00000-of-00001.parquet".
    """
    path = PurePosixPath(name)
    for words in (path.stem, *reversed(path.parts[:-1])):
        found = [word for word in re.split(r"[^A-Za-z]+", words) if word in _SPLITS]
        if found:
            return found[0]
    numbered = _NUMBERED.fullmatch(path.stem)
    return numbered["split"] if numbered else "train"


def part_of(name: str) -> str:
    """The part of a set that a file belongs to, by its name: its folders but for the split's."""
    folders = [word for word in PurePosixPath(name).parts[:-1] if word not in (*_SPLITS, "data")]
    return "/".join(folders) or "."


def unpack(files: Files, wanted: tuple[str | None, str | None], folder: Path) -> None:
    """Writes the images of both domains, as they are encoded, into trainA, trainB, testA, testB.

    Names tell the domain, since images of one row are rarely one scene.

    Args:
      files: of one part, with their names in the set.
      wanted: what is X and what is Y, as `hub.open_hub` takes it.
      folder: empty.

    Raises:
      UserError: says what the set holds; its sentences lack their subject.
    """
    columns = _columns(files[0][1])
    splits = list(dict.fromkeys(split_of(name) for name, _ in files))
    choices = _choices(columns, splits, wanted, files)
    for domain, choice in zip("AB", choices, strict=True):
        of_train, of_test = _train_and_test(splits, choice, domain)
        for kind, chosen in (("train", of_train), ("test", of_test)):
            taken = [path for name, path in files if split_of(name) in chosen]
            count = _write(taken, columns, choice, folder / f"{kind}{domain}", domain.lower())
            if kind == "train" and not count:
                raise _unclear(f"holds no training images of domain {'XY'['AB'.index(domain)]}")


def _train_and_test(
    splits: Sequence[str], choice: Choice, domain: str
) -> tuple[Sequence[str], Sequence[str]]:
    if choice.split is not None:
        test = f"test{domain}" if choice.split == f"train{domain}" else None
        return [choice.split], [test] if test else []
    test = next((name for name in _TEST if name in splits), None)
    train = ["train"] if "train" in splits else [name for name in splits if name not in _TEST]
    return train, [test] if test else []


def _choices(
    columns: Columns, splits: Sequence[str], wanted: tuple[str | None, str | None], files: Files
) -> list[Choice]:
    if not columns.images:
        raise UserError(
            "holds no images in its Parquet files.", code="unsupported", field="data.source"
        )
    found = _label_words(columns, files)
    if all(wanted):
        return [
            _choice(str(word), columns, splits, found, f"data.hf_{domain}")
            for word, domain in zip(wanted, "xy", strict=True)
        ]
    if any(wanted):
        raise _unclear("needs data.hf_x and data.hf_y, or neither")
    if {"trainA", "trainB"} <= set(splits):
        return [Choice(columns.images[0], split=f"train{domain}") for domain in "AB"]
    if len(columns.images) == 2:
        return [Choice(column) for column in columns.images]
    if len(columns.images) == 1 and len(found) == 2:
        return [Choice(columns.images[0], label=word) for word in found]
    raise _unclear(f"leaves open which images are X and which Y; {_held(columns, splits, found)}")


def _choice(
    word: str, columns: Columns, splits: Sequence[str], labels: Sequence[str], field: str
) -> Choice:
    if word in columns.images:
        return Choice(word)
    if word in labels:
        return Choice(columns.images[0], label=word)
    if word in splits:
        return Choice(columns.images[0], split=word)
    raise UserError(
        f"has no {word!r}, which {field} names; {_held(columns, splits, labels)}.",
        code="mismatch",
        field=field,
    )


def _held(columns: Columns, splits: Sequence[str], labels: Sequence[str]) -> str:
    kinds = {"columns of images": columns.images, "labels": labels, "splits": splits}
    return "; ".join(
        f"{kind}: {', '.join(names[:_NAMED])}{', ...' if len(names) > _NAMED else ''}"
        for kind, names in kinds.items()
        if names
    )


def _unclear(reason: str) -> UserError:
    return UserError(
        f"{reason} (--data.hf_x and --data.hf_y name a column, a label or a split each).",
        code="mismatch",
        field="data.hf_x",
    )


def _columns(path: Path) -> Columns:
    with _opened(path) as file:
        schema = file.schema_arrow
    try:
        described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = described["info"]["features"]
    except (ValueError, KeyError, TypeError):
        features = {}
    kinds = {name: _kind(features.get(name)) for name in schema.names}
    images = tuple(
        field.name
        for field in schema
        if kinds[field.name] == "Image" or (not kinds[field.name] and _may_hold_images(field.type))
    )
    label = next((name for name, kind in kinds.items() if kind == "ClassLabel"), None)
    label = label or next((name for name in _LABELS if name in schema.names), None)
    words = features.get(label, {}).get("names", ()) if label else ()
    return Columns(images, label, tuple(map(str, words)))


def _kind(feature: Any) -> str:
    return str(feature.get("_type", "")) if isinstance(feature, dict) else ""


def _may_hold_images(kind: pyarrow.DataType) -> bool:
    if pyarrow.types.is_struct(kind):
        return kind.get_field_index("bytes") >= 0
    return pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind)


def _label_words(columns: Columns, files: Files) -> list[str]:
    """The labels there are, in words, in the order of their numbers or letters."""
    if columns.label is None:
        return []
    if columns.words:
        return list(columns.words)
    found: set[Any] = set()
    for _, path in files:
        with _opened(path) as file:
            found.update(file.read(columns=[columns.label]).column(0).unique().to_pylist())
    return [
        columns.word(value) for value in sorted(found - {None}, key=lambda v: (str(type(v)), v))
    ]


def _opened(path: Path) -> pyarrow.parquet.ParquetFile:
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:200]
    return UserError(
        f"{path} is damaged, or not a Parquet file of images ({reason}).",
        code="unreadable",
        field=str(path),
    )


def _rows(path: Path, columns: Columns, column: str) -> Iterator[dict[str, Any]]:
    names = [column, *([columns.label] if columns.label else [])]
    with _opened(path) as file:
        try:
            for batch in file.iter_batches(batch_size=_ROWS, columns=names):
                yield from batch.to_pylist()
        except (pyarrow.ArrowException, OSError, KeyError) as error:
            raise _damaged(path, error) from error


def _write(
    paths: Sequence[Path], columns: Columns, choice: Choice, folder: Path, prefix: str
) -> int:
    """Writes one domain's images of some files; the folder is made only where there are any."""
    count = 0
    for path in paths:
        for row in _rows(path, columns, choice.column):
            if columns.label:
                row[columns.label] = columns.word(row[columns.label])
            stored = row[choice.column]
            if stored is None or not choice.takes(row, columns.label):
                continue
            data, name = (
                (stored["bytes"], stored.get("path"))
                if isinstance(stored, dict)
                else (stored, None)
            )
            if data is None:
                raise UserError(
                    "holds paths of images in place of images.",
                    code="unsupported",
                    field="data.source",
                )
            folder.mkdir(exist_ok=True)
            (folder / f"{prefix}{count:06d}{_suffix(data, name)}").write_bytes(data)
            count += 1
    return count


def _suffix(data: bytes, name: str | None) -> str:
    known = next((end for start, end in _BEGINNINGS.items() if data.startswith(start)), None)
    said = PurePosixPath(name or "").suffix.lower()
    return known or (said if said in EXTENSIONS else ".png")
