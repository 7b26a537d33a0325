"""Tensors of old PyTorch files as PyTorch reads them; damaged and malicious files are refused."""

import collections
import io
import os
import pickle
import pickletools
import struct

import numpy as np
import pytest

from cyclegan_tf.foreign.torch_files import read_tensors
from tests.helpers.errors import refused

torch = pytest.importorskip("torch")


def save(path, content):
    torch.save(content, path, _use_new_zipfile_serialization=False)
    return path


def test_tensors_whatever_their_order_in_memory(tmp_path):
    rows = torch.arange(24, dtype=torch.float32).reshape(2, 3, 4)
    given = collections.OrderedDict(
        strided=rows.permute(2, 0, 1),
        part=rows[1, 1:],
        half=torch.tensor([1.5, -2.0], dtype=torch.float16),
        count=torch.tensor(7),
    )
    found = read_tensors(save(tmp_path / "a.pth", given))
    assert list(found) == list(given)
    for name, tensor in given.items():
        np.testing.assert_array_equal(found[name], tensor.numpy())
        assert found[name].dtype == tensor.numpy().dtype
        assert found[name].flags.c_contiguous


class Evil:
    """What runs a command where it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ("/nowhere/it was run",)


def test_code_in_a_file_is_named_and_not_run(tmp_path):
    path = save(tmp_path / "evil.pth", {"a": Evil()})
    with refused("unreadable", path, match=r"asks for posix\.mkdir, which could run any code"):
        read_tensors(path)


def parts(path):
    """The bytes of a file: up to its third pickle, that pickle, and what comes after it."""
    data = path.read_bytes()
    file = io.BytesIO(data)
    ends = []
    for _ in range(4):
        list(pickletools.genops(file))
        ends.append(file.tell())
    return data[: ends[2]], data[ends[2] : ends[3]], data[ends[3] :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda head, body, tail: head[:20],
        lambda head, body, tail: head + body,
        lambda head, body, tail: head + body + tail[:-4],
        lambda head, body, tail: head.replace(b"\xfc\x9c", b"\xfc\x9d") + body + tail,
        lambda head, body, tail: head + pickle.dumps([1, 2], 2) + tail,
        lambda head, body, tail: head + pickle.dumps({"a": 1}, 2) + tail,
        lambda head, body, tail: head + pickle.dumps({(1, 2): 1}, 2) + tail,
        lambda head, body, tail: head + pickle.dumps({"a": {1}}, 4) + tail,
        # three rows of a storage of four numbers, five at a time
        lambda head, body, tail: head + body.replace(b"K\x02K\x02\x86", b"K\x03K\x05\x86") + tail,
        lambda head, body, tail: head + body + tail.replace(struct.pack("<q", 4), b"\xff" * 8),
    ],
)
def test_damaged_files(tmp_path, damage):
    path = save(tmp_path / "a.pth", {"a": torch.zeros(2, 2)})
    path.write_bytes(damage(*parts(path)))
    with refused("unreadable", path):
        read_tensors(path)


def test_newer_files_and_missing_ones(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "new.pth")
    with refused("unreadable", match="before PyTorch 1.6"):
        read_tensors(tmp_path / "new.pth")
    with refused("missing"):
        read_tensors(tmp_path / "none.pth")
