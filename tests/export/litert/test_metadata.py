"""Metadata of .tflite files, read back field by field as the schema numbers them."""

import io
import json
import zipfile

import flatbuffers
import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

from cyclegan_tf.export.litert.metadata import ImageTensor, with_metadata
from tests.helpers import tiny_tflite


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return tiny_tflite.convolution(tmp_path_factory.mktemp("model"), 3)


@pytest.fixture(scope="module")
def described(plain):
    given = ImageTensor("images", "a zebra", 8, 3, normalized=True)
    made = ImageTensor("translated", "a horse", 8, 1, normalized=False)
    return with_metadata(
        plain, "zebra_xy", "Zebras to horses.", given, made, {"card.json": '{"name": "zebra"}'}
    )


def output(model):
    interpreter = Interpreter(model_content=bytes(model))
    interpreter.allocate_tensors()
    image = np.random.default_rng(1).uniform(-1, 1, (1, 8, 8, 3)).astype(np.float32)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


class Table:
    """Reads a FlatBuffer by slot numbers, knowing nothing of the writer."""

    def __init__(self, buffer, position):
        self.table = flatbuffers.table.Table(buffer, position)

    def at(self, slot):
        return self.table.Offset(4 + 2 * slot)

    def text(self, slot):
        return self.table.String(self.at(slot) + self.table.Pos).decode()

    def child(self, slot):
        return Table(self.table.Bytes, self.table.Indirect(self.at(slot) + self.table.Pos))

    def union(self, slot):
        child = flatbuffers.table.Table(bytearray(), 0)
        self.table.Union(child, self.at(slot))
        return Table(child.Bytes, child.Pos)

    def children(self, slot):
        start, count = self.table.Vector(self.at(slot)), self.table.VectorLen(self.at(slot))
        return [Table(self.table.Bytes, self.table.Indirect(start + 4 * i)) for i in range(count)]

    def number(self, slot, kind):
        return self.table.Get(kind, self.at(slot) + self.table.Pos)

    def floats(self, slot):
        flags = flatbuffers.number_types.Float32Flags
        start, count = self.table.Vector(self.at(slot)), self.table.VectorLen(self.at(slot))
        return [self.table.Get(flags, start + 4 * i) for i in range(count)]


@pytest.fixture(scope="module")
def root(described):
    model = schema.Model.GetRootAs(bytearray(described), 0)
    entries = [model.Metadata(i) for i in range(model.MetadataLength())]
    (entry,) = [entry for entry in entries if entry.Name() == b"TFLITE_METADATA"]
    data = bytearray(model.Buffers(entry.Buffer()).DataAsNumpy().tobytes())
    assert data[4:8] == b"M001"
    return Table(data, flatbuffers.encode.Get(flatbuffers.packer.uoffset, data, 0))


def test_the_model_computes_the_same(plain, described):
    np.testing.assert_array_equal(output(plain), output(described))
    assert described[4:8] == b"TFL3"


def test_every_buffer_is_aligned_as_the_schema_demands(described):
    data = np.frombuffer(described, np.uint8)
    model = schema.Model.GetRootAs(described, 0)
    places = []
    for index in range(model.BuffersLength()):
        held = model.Buffers(index)
        if held.DataLength() > 1:
            content = held.DataAsNumpy()
            places.append(
                content.__array_interface__["data"][0] - data.__array_interface__["data"][0]
            )
    assert len(places) >= 2
    assert [place % 16 for place in places] == [0] * len(places)


def test_what_the_model_says_of_itself(root):
    assert root.text(0) == "zebra_xy"
    assert root.text(1) == "Zebras to horses."
    assert root.text(7) == "1.0.0"
    (file,) = root.children(6)
    assert (file.text(0), file.number(2, flatbuffers.number_types.Int8Flags)) == ("card.json", 1)


def test_what_its_tensors_are(root):
    (subgraph,) = root.children(3)
    (given,), (made,) = subgraph.children(2), subgraph.children(3)
    assert (given.text(0), given.text(1)) == ("images", "a zebra")
    assert (made.text(0), made.text(1)) == ("translated", "a horse")
    for tensor, color, channels in ((given, 1, 3), (made, 2, 1)):  # RGB, GRAYSCALE
        content = tensor.child(3)
        assert content.number(0, flatbuffers.number_types.Uint8Flags) == 2  # ImageProperties
        properties = content.union(1)
        assert properties.number(0, flatbuffers.number_types.Int8Flags) == color
        size = properties.child(1)
        assert [size.number(slot, flatbuffers.number_types.Uint32Flags) for slot in (0, 1)] == [
            8,
            8,
        ]
        stats = tensor.child(5)
        assert (stats.floats(0), stats.floats(1)) == ([1.0] * channels, [-1.0] * channels)
    (unit,) = given.children(4)
    assert unit.number(0, flatbuffers.number_types.Uint8Flags) == 1  # NormalizationOptions
    assert (unit.union(1).floats(0), unit.union(1).floats(1)) == ([127.5] * 3, [127.5] * 3)
    assert made.children(4) == []


def test_any_unzip_program_lists_the_files_behind_it(described):
    archive = zipfile.ZipFile(io.BytesIO(described))
    assert archive.testzip() is None
    assert json.loads(archive.read("card.json")) == {"name": "zebra"}


def test_described_twice_it_holds_one_description(described, plain):
    image = ImageTensor("a", "b", 8, 3, normalized=False)
    again = with_metadata(described, "other", "Other.", image, image, {})
    model = schema.Model.GetRootAs(bytearray(again), 0)
    names = [model.Metadata(i).Name() for i in range(model.MetadataLength())]
    assert names.count(b"TFLITE_METADATA") == 1
    np.testing.assert_array_equal(output(plain), output(again))
