"""Tensors out of what `torch.save` wrote before PyTorch 1.6, without PyTorch and without pickle.

Such a file is a row of pickles and then the numbers. A pickle is a program; here its few harmless
instructions are read, any other is refused, and nothing that it names is ever looked up or called.
"""

from __future__ import annotations

import io
import pickletools
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cyclegan_tf.errors import reading
from cyclegan_tf.foreign.content import refuse_foreign_file

MUST_BE = "it must be a state_dict that torch.save wrote before PyTorch 1.6"
_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DTYPES: dict[str, np.dtype[Any]] = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch HalfStorage": np.dtype("<f2"),
    "torch LongStorage": np.dtype("<i8"),
}
_COUNT = struct.Struct("<q")
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = set("BININT BININT1 BININT2 LONG1 BINUNICODE SHORT_BINSTRING BINSTRING GLOBAL".split())
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Tensor(NamedTuple):
    """A view of a storage: counts in numbers, not bytes."""

    dtype: np.dtype
    key: str
    size: int
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Read the tensors of a state_dict, whatever the order of their axes in memory.

    Args:
      path: of the file.

    Returns:
      Name -> array of the tensor's shape and type (float16, float32, float64 or int64), contiguous.

    Raises:
      UserError: it is missing, damaged, of another kind, or asks for anything but tensors.

    Example:
      >>> read_tensors(Path("weights.pth"))["fc.bias"].shape
      (1000,)
    """
    refuse_foreign_file(path)
    with reading(path, MUST_BE), path.open("rb") as file:
        if (_run(file), _run(file)) != (_MAGIC, _PROTOCOL):
            raise ValueError("not this kind of file")
        if _run(file).get("little_endian") is not True:
            raise ValueError("bytes in another order")
        tensors, keys = _run(file), _run(file)
        if not isinstance(tensors, dict) or not tensors:
            raise ValueError("no weights by name")
        if not all(isinstance(tensor, _Tensor) for tensor in tensors.values()):
            raise ValueError("more than weights by name")
        storages = _read_storages(file, keys, tensors)
        return {name: _view(tensor, storages) for name, tensor in tensors.items()}


def _run(file: io.BufferedReader) -> Any:
    """The value of the pickle at which the file stands; tensors as `_Tensor`, names as strings."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[Any, Any] = {}

    def since_mark() -> list[Any]:
        start = marks.pop()
        taken = stack[start:]
        del stack[start:]
        return taken

    for opcode, argument, _ in pickletools.genops(file):
        name = opcode.name
        if name == "MARK":
            marks.append(len(stack))
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name in ("SETITEMS", "APPENDS"):
            _add(stack, since_mark(), name)
        elif name in ("SETITEM", "APPEND"):
            count = 2 if name == "SETITEM" else 1
            items = [stack.pop() for _ in range(count)][::-1]
            _add(stack, items, f"{name}S")
        elif name == "TUPLE":
            stack.append(tuple(since_mark()))
        elif name in _TUPLES:
            stack.append(tuple([stack.pop() for _ in range(_TUPLES[name])][::-1]))
        elif name == "STOP":
            return stack.pop()
        elif name != "PROTO":
            _simple(name, argument, stack)
    raise ValueError("cut short")


def _simple(name: str, argument: Any, stack: list[Any]) -> None:
    """One instruction that needs neither marks nor memory."""
    if name in _LITERALS:
        stack.append(argument)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name in ("EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE"):
        stack.append({"EMPTY_DICT": {}, "EMPTY_LIST": [], "EMPTY_TUPLE": ()}[name])
    elif name == "BINPERSID":
        pass  # the description of a storage stays as it is
    elif name == "BUILD":
        stack.pop()  # attributes of the dictionary: versions of layers
    elif name == "REDUCE":
        arguments, called = stack.pop(), stack.pop()
        stack.append(_made(called, arguments))
    else:
        raise ValueError(f"its pickle holds the instruction {name}, which weights do not need")


def _add(stack: list[Any], items: list[Any], name: str) -> None:
    holder = stack[-1]
    if name == "APPENDS":
        list.extend(holder, items)
        return
    keys = items[::2]
    # only text: a nested tuple could take for ever to hash
    if not all(isinstance(key, str) for key in keys):
        raise ValueError("a name that is no text")
    dict.update(holder, zip(keys, items[1::2], strict=True))


def _made(called: Any, arguments: tuple) -> Any:
    """What a call in the pickle stands for, by its name; nothing is called."""
    if called == "collections OrderedDict":
        return dict(arguments[0]) if arguments else {}
    if called != "torch._utils _rebuild_tensor_v2":
        raise ValueError(f"it asks for {str(called).replace(' ', '.')}, which could run any code")
    (_, kind, key, _, size, _), offset, shape, strides = arguments[:4]
    return _Tensor(_DTYPES[kind], key, size, offset, shape, strides)


def _read_storages(
    file: io.BufferedReader, keys: list[str], tensors: Mapping[str, _Tensor]
) -> dict[str, np.ndarray]:
    kinds = {tensor.key: (tensor.dtype, tensor.size) for tensor in tensors.values()}
    storages = {}
    for key in keys:
        dtype, size = kinds[key]
        (count,) = _COUNT.unpack(file.read(_COUNT.size))
        data = file.read(size * dtype.itemsize) if count == size else b""
        if len(data) != size * dtype.itemsize:
            raise ValueError("cut short")
        storages[key] = np.frombuffer(data, dtype)
    return storages


def _view(tensor: _Tensor, storages: Mapping[str, np.ndarray]) -> np.ndarray:
    storage, shape, strides = storages[tensor.key], tensor.shape, tensor.strides
    last = tensor.offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    inside = tensor.offset >= 0 and min((0, *strides)) >= 0 and last < len(storage)
    if not inside or min((1, *shape)) < 1 or np.prod(shape, dtype=object) > len(storage):
        raise ValueError("a tensor that reaches beyond its numbers")
    steps = [stride * storage.itemsize for stride in strides]
    strided = np.lib.stride_tricks.as_strided(storage[tensor.offset :], shape, steps)
    return strided.copy()
