"""MetaImage files of one part (.mha), the format of ITK and 3D Slicer.

A reader and writer of our own: a header of text lines, then voxels, plain or packed by zlib. Made
after https://itk.org/Wiki/ITK/MetaIO/Documentation; SimpleITK, which has one too, is 262 MB.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from cyclegan_tf.errors import UserError
from cyclegan_tf.volumes import scratch
from cyclegan_tf.volumes.geometry import Geometry, is_usable
from cyclegan_tf.volumes.volume import Volume, volume_shape

KIND = "MetaImage"

_TYPES = {
    **{"MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2"},
    **{"MET_INT": "i4", "MET_UINT": "u4", "MET_FLOAT": "f4", "MET_DOUBLE": "f8"},
    **{"MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8"},
}
_NAMES = {np.dtype(code): name for name, code in reversed(_TYPES.items())}
_LAST = "ElementDataFile"
_PACKED_BYTES, _UNKNOWN = "CompressedDataSize", "?" * 16
_PACKING = 4
# What a writer decides anew, and what is true of the values before.
_MADE = ("ElementByteOrderMSB", _PACKED_BYTES, "HeaderSize", "ElementMin", "ElementMax", "DimSize",
         "ElementType", "AnatomicalOrientation", _LAST)  # fmt: skip
_MAX_LINES, _MAX_LINE_BYTES = 1000, 2**16
# Keys of one meaning; the first is written.
_MATRIX = ("TransformMatrix", "Rotation", "Orientation")
_ORIGIN = ("Offset", "Position", "Origin")
_SPACING = ("ElementSpacing", "ElementSize")
# x and y of ITK's coordinates (LPS+) run against those of RAS+.
_LPS = np.diag([-1.0, -1, 1])


def read(path: Path) -> Volume:
    """Read a file; what is packed is unpacked to the disk, piece by piece.

    Raises:
      UserError: it is damaged, cut off, of more than three dimensions, or of several numbers per
        voxel; the text says what it is.
    """
    with path.open("rb") as file:
        header = _header(file)
        offset = file.tell()
        shape, dtype = _shape_and_type(header)
        if _is_true(header, "CompressedData"):
            voxels = scratch.unpacked(scratch.zlib_chunks(file), 0, shape, dtype)
        else:
            voxels = scratch.mapped(path, offset, shape, dtype)
    return Volume(path, KIND, voxels, _geometry(header), header=header)


def write(path: Path, values: np.ndarray, source: Volume) -> None:
    """Write a volume, packed if the source is a packed MetaImage; not atomic.

    Args:
      path: to write to.
      values: (i, j, k), stored as they are.
      source: gives the place and, where it is a MetaImage too, the header's other lines.
    """
    kept = dict(source.header) if source.kind == KIND else _placed(source.geometry)
    is_packed = _is_true(kept, "CompressedData")
    with path.open("wb") as file:
        lines = {"ObjectType": "Image", "NDims": "3", "BinaryData": "True"}
        lines |= {"BinaryDataByteOrderMSB": "False", "CompressedData": str(is_packed)}
        if is_packed:
            lines[_PACKED_BYTES] = _UNKNOWN
        lines |= {name: text for name, text in kept.items() if name not in (*_MADE, *lines)}
        lines["DimSize"] = " ".join(map(str, values.shape))
        lines["ElementType"] = _NAMES[values.dtype.newbyteorder("=")]
        lines[_LAST] = "LOCAL"
        head = "".join(f"{name} = {text}\n" for name, text in lines.items()).encode()
        file.write(head)
        _write_voxels(file, values, zlib.compressobj(_PACKING) if is_packed else None)
        if is_packed:  # how many bytes, which ITK wants to know beforehand
            count = file.tell() - len(head)
            file.seek(head.index(_UNKNOWN.encode()))
            file.write(f"{count:0{len(_UNKNOWN)}}".encode())


def _write_voxels(file: BinaryIO, values: np.ndarray, packer: Any) -> None:
    little = values.dtype.newbyteorder("<")
    for number in range(values.shape[2]):
        plane = values[..., number].astype(little).tobytes(order="F")
        file.write(packer.compress(plane) if packer else plane)
    file.write(packer.flush() if packer else b"")


def _header(file: BinaryIO) -> dict[str, str]:
    """Read the lines before the voxels, whose keys may be written in any case."""
    known = {name.lower(): name for name in (*_MATRIX, *_ORIGIN, *_SPACING, _LAST, "NDims",
             "DimSize", "ElementType", "CompressedData", "ElementNumberOfChannels", "BinaryData",
             "BinaryDataByteOrderMSB", "ElementByteOrderMSB", "AnatomicalOrientation",
             "HeaderSize")}  # fmt: skip
    header = {}
    for _ in range(_MAX_LINES):
        name, is_pair, text = file.readline(_MAX_LINE_BYTES).partition(b"=")
        if not is_pair:
            break
        key = name.strip().decode("latin-1")
        key = known.get(key.lower(), key)
        header[key] = text.strip().decode("utf-8", "replace")
        if key == _LAST:
            break
    if _LAST not in header or "DimSize" not in header:
        raise UserError("is no MetaImage, or its header is damaged", code="unreadable")
    if header[_LAST].upper() != "LOCAL":
        raise UserError(
            f"keeps its voxels in another file ({header[_LAST]}); save it as one .mha file",
            code="unsupported",
        )
    if header.get("HeaderSize", "0") not in ("0", "-1") or header.get("BinaryData") == "False":
        raise UserError(
            "holds voxels as text, or after a foreign header; save it anew", code="unsupported"
        )
    return header


def _shape_and_type(header: Mapping[str, str]) -> tuple[tuple[int, int, int], np.dtype]:
    shape = volume_shape([int(each) for each in header["DimSize"].split()])
    kind, channels = header.get("ElementType", ""), header.get("ElementNumberOfChannels", "1")
    if kind not in _TYPES or channels != "1":
        raise UserError(
            f"holds {channels} x {kind} per voxel, and one plain number is read",
            code="unsupported",
        )
    order = ("BinaryDataByteOrderMSB", "ElementByteOrderMSB")
    is_big = any(_is_true(header, name) for name in order)
    return shape, np.dtype((">" if is_big else "<") + _TYPES[kind])


def _geometry(header: Mapping[str, str]) -> Geometry:
    """The matrix holds the directions of the axes, one after the other, in LPS+."""
    matrix = _numbers(header, _MATRIX, 9)
    directions = np.eye(3) if matrix is None else matrix.reshape(3, 3).T
    spacing, origin = _numbers(header, _SPACING, 3), _numbers(header, _ORIGIN, 3)
    affine = np.eye(4)
    affine[:3, :3] = _LPS @ directions * (1 if spacing is None else spacing)
    affine[:3, 3] = _LPS @ (np.zeros(3) if origin is None else origin)
    # ITK writes the matrix always. AnatomicalOrientation follows from it and is not read.
    return Geometry(affine, matrix is not None and is_usable(affine))


def _placed(geometry: Geometry) -> dict[str, str]:
    spacing = np.array(geometry.spacing_mm)
    directions = (_LPS @ geometry.affine[:3, :3] / spacing).T.ravel()
    lines = {
        _ORIGIN[0]: _text(_LPS @ geometry.affine[:3, 3]),
        _SPACING[0]: _text(spacing),
    }
    if geometry.is_oriented:
        lines[_MATRIX[0]] = _text(directions)
    return lines


def _numbers(header: Mapping[str, str], names: tuple[str, ...], count: int) -> np.ndarray | None:
    for name in names:
        if name in header:
            numbers = np.array(header[name].split(), np.float64)
            if numbers.size == count:
                return numbers
            raise UserError(f"has {name} = {header[name]} in its header", code="unreadable")
    return None


def _text(numbers: np.ndarray) -> str:
    return " ".join(np.format_float_positional(each + 0.0, trim="-") for each in numbers.ravel())


def _is_true(header: Mapping[str, str], name: str) -> bool:
    return header.get(name, "").lower() in ("true", "1")
