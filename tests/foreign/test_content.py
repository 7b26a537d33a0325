"""Pipes, pointers, web pages, empty files and zip bombs are known before anything opens them."""

import os
import zipfile

import pytest

from cyclegan_tf.foreign import content
from cyclegan_tf.foreign.content import (
    refuse_damaged_zip,
    refuse_foreign_file,
    refuse_zip_bomb,
    require_beginning,
    require_keras_archive,
    what_it_is,
)
from tests.helpers.errors import refused

POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0123456789abcdef\nsize 45634404\n"
)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty (0 bytes)"),
        (POINTER, "git lfs pull"),
        (b"\n<!DOCTYPE html>\n<title>Sign in</title>", "is a web page"),
        (b"<html lang='en'>", "is a web page"),
    ],
)
def test_what_is_not_the_file_itself_is_named(tmp_path, data, words):
    (tmp_path / "a.onnx").write_bytes(data)
    assert words in what_it_is(tmp_path / "a.onnx")
    with refused("unreadable", tmp_path / "a.onnx"):
        refuse_foreign_file(tmp_path / "a.onnx")


def test_all_other_content_passes(tmp_path):
    for data in (b"x", b"PK\3\4", b"\x89PNG", b"version 2", bytes(600)):
        (tmp_path / "a").write_bytes(data)
        refuse_foreign_file(tmp_path / "a")
    assert what_it_is(tmp_path) is None
    with refused("missing", tmp_path / "none"):
        refuse_foreign_file(tmp_path / "none")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.keras")
    with refused("unreadable", match="is a pipe, a socket or a device, not a file"):
        refuse_foreign_file(tmp_path / "a.keras")


def test_a_zip_bomb_is_refused_by_what_it_claims(tmp_path, monkeypatch):
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", "{}" + " " * 2**16)
        archive.writestr("weights", os.urandom(2**20 + 1))
    refuse_zip_bomb(path)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("weights2", bytes(2**21))
    with refused("memory", path, match="weights2 in it claims 2,097,152 bytes"):
        refuse_zip_bomb(path)
    monkeypatch.setattr(content, "MAX_TEXT_BYTES", 2**15)
    with refused("memory", path, match=r"config\.json"):
        refuse_zip_bomb(path)
    path.write_bytes(b"no zip file")
    refuse_zip_bomb(path)


def test_every_part_of_a_zip_file_is_compared_with_its_checksum(tmp_path):
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"first")
        archive.writestr("b", b"second")
    refuse_damaged_zip(path)
    path.write_bytes(path.read_bytes().replace(b"second", b"secend"))
    with refused("unreadable", path, match="it is damaged"):
        refuse_damaged_zip(path)
    path.write_bytes(b"no archive")
    with refused("unreadable", path):
        refuse_damaged_zip(path)


def test_files_of_weights_by_their_beginning(tmp_path):
    old_torch = b"storages".ljust(257, b"\0") + b"ustar"
    for name, data in {
        "a.pth": old_torch,
        "b.pt": b"\x80\x02}",
        "c.h5": b"\x89HDF\r\n\x1a\n",
        "d.keras": b"PK\x03\x04",
        "e.onnx": b"whatever",
    }.items():
        (tmp_path / name).write_bytes(data)
        require_beginning(tmp_path / name)
    for name in ("a.pth", "c.h5", "d.keras"):
        (tmp_path / name).write_bytes(b"milk, bread")
        with refused("unreadable", tmp_path / name, match="is damaged or not"):
            require_beginning(tmp_path / name)


def test_a_keras_file_is_a_zip_archive(tmp_path):
    path = tmp_path / "a.keras"
    path.write_bytes(b"PK, but no archive")
    with refused("unreadable", path, match="which is a zip archive"):
        require_keras_archive(path)
