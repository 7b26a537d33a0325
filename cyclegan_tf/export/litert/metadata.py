"""TFLite Metadata of a .tflite file, and files packed behind it.

The layout is TensorFlow's metadata schema (tensorflow/lite/schema/metadata_schema.fbs, version 1):
a FlatBuffer of its own in a buffer named TFLITE_METADATA, and associated files as a ZIP archive
behind the model, which any unzip program lists. Android Studio and the task libraries read both.
There is no writer on PyPI for today's Python, hence this one; field numbers below are the schema's.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import flatbuffers

_IDENTIFIER = b"M001"
_BUFFER = "TFLITE_METADATA"
# ContentProperties.ImageProperties, ProcessUnitOptions.NormalizationOptions,
# AssociatedFileType.DESCRIPTIONS
_IMAGE_PROPERTIES, _NORMALIZATION, _DESCRIPTIONS = 2, 1, 1
_COLOR_SPACES = {1: 2, 3: 1}  # channels -> GRAYSCALE, RGB; others stay UNKNOWN
_ALIGNMENT = 16  # the model schema's force_align of buffers
_MIN, _MAX = -1.0, 1.0


@dataclass(frozen=True)
class ImageTensor:
    """One tensor of images in [-1, 1].

    Attributes:
      name: of the tensor.
      description: one line.
      size_px: side.
      channels: color channels.
      normalized: whether readers must scale values 0..255 to [-1, 1] first; true of inputs.

    Example:
      >>> given = ImageTensor("images", "a horse", 256, 3, normalized=True)
      >>> made = ImageTensor("translated", "as if a zebra", 256, 3, normalized=False)
      >>> model = with_metadata(model, "horse2zebra_xy", "Horses to zebras.", given, made, {})
    """

    name: str
    description: str
    size_px: int
    channels: int
    normalized: bool


def with_metadata(
    model: bytes,
    name: str,
    description: str,
    given: ImageTensor,
    made: ImageTensor,
    files: Mapping[str, str],
) -> bytes:
    """Put metadata into a model and files behind it; what it computes is untouched.

    Args:
      model: the bytes of a .tflite file.
      name: of the model.
      description: of the model.
      given: its only input.
      made: its only output.
      files: associated files, name -> text.
    """
    from ai_edge_litert import schema_py_generated as schema
    from ai_edge_litert.tools import flatbuffer_utils

    unpacked = flatbuffer_utils.read_model_from_bytearray(bytearray(model))
    unpacked.description = description
    unpacked.metadata = [
        entry for entry in unpacked.metadata or [] if entry.name != _BUFFER.encode()
    ]
    buffer = schema.BufferT()
    buffer.data = _model_metadata(name, description, given, made, list(files))
    entry = schema.MetadataT()
    entry.name, entry.buffer = _BUFFER, len(unpacked.buffers)
    unpacked.buffers.append(buffer)
    unpacked.metadata.append(entry)
    packed = packed_model(unpacked)
    stream = io.BytesIO()
    stream.write(packed)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        for file, text in files.items():
            # a fixed date: the same export gives the same bytes
            archive.writestr(zipfile.ZipInfo(file), text, zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def packed_model(unpacked: object) -> bytes:
    """Pack a model object of `schema_py_generated`, buffers aligned as its schema demands."""
    from ai_edge_litert import schema_py_generated as schema

    class AlignedBuffer(schema.BufferT):
        # The generated code aligns bytes to 1; kernels read float32 weights out of them where they
        # lie.
        def Pack(self, builder):  # noqa: N802 -- the generated code's name
            data = None if self.data is None else _vector_of_bytes(builder, bytes(self.data))
            schema.BufferStart(builder)
            if data is not None:
                schema.BufferAddData(builder, data)
            return schema.BufferEnd(builder)

    for buffer in unpacked.buffers:  # type: ignore[attr-defined]
        buffer.__class__ = AlignedBuffer
    builder = flatbuffers.Builder(1024)
    builder.Finish(unpacked.Pack(builder), file_identifier=b"TFL3")  # type: ignore[attr-defined]
    return bytes(builder.Output())


def _vector_of_bytes(builder: flatbuffers.Builder, data: bytes) -> int:
    builder.StartVector(1, len(data), _ALIGNMENT)
    builder.head -= len(data)
    builder.Bytes[builder.head : builder.head + len(data)] = data
    return builder.EndVector()


def _model_metadata(
    name: str, description: str, given: ImageTensor, made: ImageTensor, files: Sequence[str]
) -> bytes:
    builder = flatbuffers.Builder(1024)
    text = builder.CreateString
    inputs = _vector(builder, [_tensor(builder, given)])
    outputs = _vector(builder, [_tensor(builder, made)])
    subgraph = _table(builder, 5, {0: text(name), 2: inputs, 3: outputs})
    listed = [
        _table(builder, 5, {0: text(file)}, {2: (builder.PrependInt8Slot, _DESCRIPTIONS)})
        for file in files
    ]
    fields = {
        0: text(name),
        1: text(description),
        3: _vector(builder, [subgraph]),
        4: text("cyclegan_tf"),
        6: _vector(builder, listed),
        7: text("1.0.0"),  # the oldest reader that knows all fields used here
    }
    builder.Finish(_table(builder, 8, fields), file_identifier=_IDENTIFIER)
    return bytes(builder.Output())


def _tensor(builder: flatbuffers.Builder, image: ImageTensor) -> int:
    size = _table(
        builder,
        2,
        {},
        {
            0: (builder.PrependUint32Slot, image.size_px),
            1: (builder.PrependUint32Slot, image.size_px),
        },
    )
    properties = _table(
        builder, 2, {1: size}, {0: (builder.PrependInt8Slot, _COLOR_SPACES.get(image.channels, 0))}
    )
    content = _table(
        builder, 3, {1: properties}, {0: (builder.PrependUint8Slot, _IMAGE_PROPERTIES)}
    )
    units = []
    if image.normalized:
        # (value - mean) / std scales 0..255 to [-1, 1]
        half = 255 / (_MAX - _MIN)
        numbers = {
            0: _floats(builder, [half] * image.channels),
            1: _floats(builder, [half] * image.channels),
        }
        options = _table(builder, 2, numbers)
        units = [_table(builder, 2, {1: options}, {0: (builder.PrependUint8Slot, _NORMALIZATION)})]
    fields = {
        0: builder.CreateString(image.name),
        1: builder.CreateString(image.description),
        3: content,
        4: _vector(builder, units),
        5: _table(
            builder,
            2,
            {
                0: _floats(builder, [_MAX] * image.channels),
                1: _floats(builder, [_MIN] * image.channels),
            },
        ),
    }
    return _table(builder, 7, fields)


def _table(
    builder: flatbuffers.Builder,
    slots: int,
    offsets: Mapping[int, int],
    scalars: Mapping[int, tuple[Callable[[int, int, int], None], int]] | None = None,
) -> int:
    builder.StartObject(slots)
    for slot, offset in offsets.items():
        builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    for slot, (prepend, value) in (scalars or {}).items():
        prepend(slot, value, 0)
    return builder.EndObject()


def _vector(builder: flatbuffers.Builder, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return builder.EndVector()


def _floats(builder: flatbuffers.Builder, values: Sequence[float]) -> int:
    builder.StartVector(4, len(values), 4)
    for value in reversed(values):
        builder.PrependFloat32(value)
    return builder.EndVector()
