"""Triton's config and the folder it looks for; beside a real ONNX file: test_onnx.py."""

import os
import re

import pytest

from cyclegan_tf.export.triton import config_text, write_repository

SHAPES = {"images": ["unk__1", None, "width", 3]}, {"translated": [1, 64, 64, 1]}


def parsed(text):
    """What a config says of its name, batches and tensors."""
    found = {
        kind: (name, dtype, [int(size) for size in dims.split(",")])
        for kind, name, dtype, dims in re.findall(
            r'(input|output) \[\s*\{ name: "(\w+)" data_type: (\w+) dims: \[([-\d, ]+)\] \}\s*\]',
            text,
        )
    }
    (name,) = re.findall(r'^name: "(.*)"$', text, re.MULTILINE)
    return {"name": name, **found}


def test_names_types_and_sizes():
    text = config_text("m_xy", *SHAPES)
    assert parsed(text) == {
        "name": "m_xy",
        "input": ("images", "TYPE_FP32", [-1, -1, -1, 3]),
        "output": ("translated", "TYPE_FP32", [1, 64, 64, 1]),
    }
    assert 'backend: "onnxruntime"' in text
    assert "max_batch_size: 0" in text


def test_triton_reads_the_same():
    messages = pytest.importorskip("tritonclient.grpc.model_config_pb2", reason="no tritonclient")
    from google.protobuf import text_format

    config = text_format.Parse(config_text("m_xy", *SHAPES), messages.ModelConfig())
    assert (config.name, config.backend, config.max_batch_size) == ("m_xy", "onnxruntime", 0)
    assert [list(each.dims) for each in (*config.input, *config.output)] == [
        [-1, -1, -1, 3],
        [1, 64, 64, 1],
    ]
    assert {each.data_type for each in (*config.input, *config.output)} == {messages.TYPE_FP32}


@pytest.mark.parametrize("links", [True, False])
def test_the_version_holds_the_model(tmp_path, monkeypatch, links):
    if not links:
        monkeypatch.setattr(os, "link", lambda *_: (_ for _ in ()).throw(OSError("no links")))
    (tmp_path / "model.onnx").write_bytes(b"model")
    write_repository(tmp_path, tmp_path / "model.onnx", "m_xy", *SHAPES)
    assert (tmp_path / "1" / "model.onnx").read_bytes() == b"model"
    assert (tmp_path / "config.pbtxt").is_file()
