"""Damages the content of a file in one random way, as disks, networks and people do."""

from __future__ import annotations

import io
import json
import random
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

EXTREMES: tuple[Any, ...] = (
    *(-1, 0, 1, 2**31, 2**63, -(2**63), 10**30, 1e308, 1e-320, float("nan"), float("inf")),
    *("", "x" * 5000, "\udc80", "None", "1e999", None, True, [], {}, [[]], ["a", 1], {"a": {}}),
)
"""What takes the place of a value in a description."""

_DEEP = "[" * 50_000
_YAML = ("!!python/object/apply:os.getcwd []", "&a [*a]", "0x", "1_000", "1:30:30", "~", "{", "\t")


@dataclass(frozen=True)
class Damaged:
    """A damaged content.

    Attributes:
      how: the kind of damage, one word.
      data: the content.
      touched: places of the bytes that are others; None where bytes were added, moved or removed.
      is_resealed: the damage was done within a container whose checksums were computed anew, so
        that they hold.

    Example:
      >>> damaged(b"content", random.Random(0), [b"other"]).how
      'bits'
    """

    how: str
    data: bytes
    touched: tuple[int, ...] | None = None
    is_resealed: bool = False


def damaged(data: bytes, rng: random.Random, others: Sequence[bytes]) -> Damaged:
    """Damages a content; about a third of the damages knows its format.

    Args:
      data: of the file, not empty.
      rng: decides how and where.
      others: contents of other files.
    """
    knowing = _knowing(data)
    if knowing and rng.random() < 0.35:
        try:
            return rng.choice(knowing)(data, rng)
        except (ValueError, KeyError, IndexError, zipfile.BadZipFile):
            pass  # it holds nothing to damage so
    how = rng.choices(list(_PLAIN), weights=[4, 3, 3, 3, 2, 2, 2, 2, 0.3, 0.7])[0]
    if how == "other" and others:
        return Damaged(how, rng.choice(others))
    return _PLAIN[how](data, rng)


def _place(data: bytes, rng: random.Random) -> int:
    """A random place, in half of the cases within the head, where most numbers are."""
    return rng.randrange(min(len(data), 256) if rng.random() < 0.5 else len(data))


def _bits(data: bytes, rng: random.Random) -> Damaged:
    changed = bytearray(data)
    places = [_place(data, rng) for _ in range(rng.choice((1, 1, 1, 2, 8)))]
    for place in places:
        changed[place] ^= 1 << rng.randrange(8)
    return Damaged("bits", bytes(changed), tuple(places))


def _numbers(data: bytes, rng: random.Random) -> Damaged:
    """One number of 1 to 8 bytes becomes an extreme one."""
    place, size = _place(data, rng), rng.choice((1, 2, 4, 8))
    number = rng.choice((b"\0", b"\xff", b"\x7f" + b"\xff" * 7, b"\xff" * 7 + b"\x7f", b"\x80"))
    changed = bytearray(data)
    part = (number * 8)[:size][: len(data) - place]
    changed[place : place + len(part)] = part
    return Damaged("numbers", bytes(changed), tuple(range(place, place + len(part))))


def _zeros(data: bytes, rng: random.Random) -> Damaged:
    place = _place(data, rng)
    size = min(rng.randint(1, max(1, len(data) // 4)), len(data) - place)
    changed = data[:place] + bytes(size) + data[place + size :]
    return Damaged("zeros", changed, tuple(range(place, place + size)))


def _cut(data: bytes, rng: random.Random) -> Damaged:
    return Damaged("cut", data[: rng.randrange(1, max(2, len(data)))])


def _inserted(data: bytes, rng: random.Random) -> Damaged:
    place = _place(data, rng)
    return Damaged("inserted", data[:place] + rng.randbytes(rng.randint(1, 64)) + data[place:])


def _deleted(data: bytes, rng: random.Random) -> Damaged:
    place = _place(data, rng)
    return Damaged("deleted", data[:place] + data[place + rng.randint(1, 64) :])


def _doubled(data: bytes, rng: random.Random) -> Damaged:
    place = _place(data, rng)
    part = data[place : place + rng.randint(1, max(1, len(data) // 8))]
    return Damaged("doubled", data[:place] + part + data[place:])


def _swapped(data: bytes, rng: random.Random) -> Damaged:
    size = rng.randint(1, max(1, len(data) // 8))
    first = rng.randrange(max(1, len(data) - 2 * size))
    second = rng.randrange(first + size, max(first + size + 1, len(data) - size))
    changed = bytearray(data)
    a, b = data[first : first + size], data[second : second + size]
    changed[first : first + len(b)] = b
    changed[second : second + len(a)] = a
    return Damaged("swapped", bytes(changed))


def _empty(_data: bytes, _rng: random.Random) -> Damaged:
    return Damaged("empty", b"")


def _other(data: bytes, rng: random.Random) -> Damaged:
    return Damaged("other", rng.randbytes(len(data)))


_PLAIN: dict[str, Callable[[bytes, random.Random], Damaged]] = {
    **{"bits": _bits, "numbers": _numbers, "zeros": _zeros, "cut": _cut, "inserted": _inserted},
    **{"deleted": _deleted, "doubled": _doubled, "swapped": _swapped, "empty": _empty},
    "other": _other,
}


def _knowing(data: bytes) -> list[Callable[[bytes, random.Random], Damaged]]:
    """Damages that know this content's format."""
    if data.startswith(b"PK"):
        return [_in_zip]
    if data.startswith(b"\x89PNG"):
        return [_in_png]
    if data.startswith(b"\x89HDF"):
        return [_in_hdf5]
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return []
    if "\0" in text or "\n" not in text:
        return []
    return [_value, _value, _line, _encoding] if not _is_json(text) else [_json, _json, _encoding]


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _json(data: bytes, rng: random.Random) -> Damaged:
    return Damaged("field", other_json(data, rng))


def other_json(data: bytes, rng: random.Random) -> bytes:
    """JSON in which one value is dropped, doubled or becomes an extreme one."""
    if rng.random() < 0.03:
        return _DEEP.encode()
    root = json.loads(data)
    places = list(_places(root))
    holder, key = rng.choice(places)
    act = rng.random()
    if act < 0.3:
        del holder[key]
    elif act < 0.4 and isinstance(holder, list):
        holder.insert(key, holder[key])
    else:
        holder[key] = rng.choice(EXTREMES)
    return json.dumps(root).encode("utf-8", "surrogatepass")


def _places(value: Any) -> Any:
    """All (container, key) within a parsed JSON."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inner in list(items):
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def _line(data: bytes, rng: random.Random) -> Damaged:
    lines = data.decode("utf-8").splitlines(keepends=True)
    place = rng.randrange(len(lines))
    lines[place : place + 1] = rng.choice(([], [lines[place]] * 2, ["  " + lines[place]]))
    return Damaged("line", "".join(lines).encode())


def _value(data: bytes, rng: random.Random) -> Damaged:
    """One value of a line `name: value`, in YAML, in JSON Lines or in options, becomes another."""
    text = data.decode("utf-8")
    values = list(re.finditer(r"(?<=: )[^,\n}]+", text))
    found = rng.choice(values)
    value = rng.choice((*EXTREMES, *_YAML, _DEEP))
    other = value if value in _YAML or value is _DEEP else json.dumps(value)
    changed = text[: found.start()] + str(other) + text[found.end() :]
    return Damaged("field", changed.encode("utf-8", "surrogatepass"))


def _encoding(data: bytes, rng: random.Random) -> Damaged:
    encoding = rng.choice(("utf-16", "utf-32", "utf-8-sig", "utf-7", "cp037"))
    return Damaged("encoding", data.decode("utf-8").encode(encoding))


def _in_zip(data: bytes, rng: random.Random) -> Damaged:
    """Damages one member of a zip archive, whose checksums are right again."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(part, archive.read(part)) for part in archive.infolist()]
    texts = [place for place, (part, _) in enumerate(members) if part.filename.endswith(".json")]
    chosen = rng.choice(texts) if texts and rng.random() < 0.6 else rng.randrange(len(members))
    part, content = members[chosen]
    if rng.random() < 0.15:
        members.pop(chosen)
    elif content:
        content = (
            other_json(content, rng) if _is_parsed(content) else damaged(content, rng, []).data
        )
        members[chosen] = part, content
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for part, content in members:
            archive.writestr(part, content)
    return Damaged("member", stream.getvalue(), is_resealed=True)


def _is_parsed(content: bytes) -> bool:
    return content.startswith(b"{") and _is_json(content.decode("utf-8", "replace"))


def _in_png(data: bytes, rng: random.Random) -> Damaged:
    """Damages one chunk of a PNG, whose checksum is right again."""
    places, place = [], 8
    while place + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        places.append((place, length))
        place += 12 + length
    place, length = rng.choice([found for found in places if found[1]])
    content = damaged(data[place + 8 : place + 8 + length], rng, []).data
    name = data[place + 4 : place + 8]
    head, check = struct.pack(">I", len(content)), struct.pack(">I", zlib.crc32(name + content))
    changed = data[:place] + head + name + content + check + data[place + 12 + length :]
    return Damaged("chunk", changed, is_resealed=True)


def _in_hdf5(data: bytes, rng: random.Random) -> Damaged:
    """Changes the description of the network in a file of Keras 2, or an array of weights alone."""
    import h5py

    stream = io.BytesIO(data)
    with h5py.File(stream, "r+") as file:
        if "model_config" not in file.attrs:
            _other_array(file, rng)
            return _closed(file, stream, "array")
        config = file.attrs["model_config"]
        text = config if isinstance(config, bytes) else str(config).encode()
        # longer ones do not fit into an attribute
        other = other_json(text, rng)[:60_000]
        file.attrs["model_config"] = other.decode("utf-8", "replace")
        return _closed(file, stream, "field")


def _closed(file: Any, stream: io.BytesIO, how: str) -> Damaged:
    file.close()
    return Damaged(how, stream.getvalue())


def _other_array(file: Any, rng: random.Random) -> None:
    """One array is gone, or of another shape, type or values, or it and another change places."""
    import numpy as np

    arrays: list[str] = []
    file.visititems(lambda name, found: arrays.append(name) if hasattr(found, "shape") else None)
    name = rng.choice(arrays)
    values = np.asarray(file[name])
    others = (
        *(values[np.newaxis], values.ravel(), values[..., :0], np.concatenate([values] * 2)),
        *(values.astype("float64"), values.astype("int8"), values.astype("S4"), values * np.nan),
        *(np.asarray(file[rng.choice(arrays)]), np.float32(0)),
    )
    del file[name]
    if rng.random() < 0.8:
        file[name] = rng.choice(others)
