"""Notes in a `.keras` file."""

import os
import sys
import zipfile

import keras
import numpy as np
import pytest

from cyclegan_tf.foreign.keras_notes import read_notes, save_with_notes
from cyclegan_tf.networks.builders import build_generator
from tests.helpers.errors import refused


def test_keras_reads_the_file_and_we_the_notes(tmp_path):
    network = build_generator("resnet_6blocks", filters=2, blocks=1)
    save_with_notes(network, tmp_path / "g.keras", {"a": {"b": 1}})
    assert read_notes(tmp_path / "g.keras") == {"a": {"b": 1}}
    loaded = keras.saving.load_model(tmp_path / "g.keras")
    for one, other in zip(network.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_other_files_have_none(tmp_path):
    build_generator("resnet_6blocks", filters=2, blocks=1).save(tmp_path / "g.keras")
    (tmp_path / "b.keras").write_bytes(b"no archive")
    for name in ("g.keras", "b.keras", "missing.keras"):
        assert read_notes(tmp_path / name) == {}


@pytest.mark.skipif(sys.platform == "win32", reason="pipes have no names in folders there")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.keras")
    assert read_notes(tmp_path / "pipe.keras") == {}


@pytest.mark.parametrize("place", [6, 8, 10], ids=["version", "flags", "method"])
def test_damage_of_any_kind_is_left_to_who_opens_the_network(tmp_path, place):
    path = tmp_path / "g.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cyclegan_tf.json", "{}")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + place] ^= 0x41
    path.write_bytes(content)
    assert read_notes(path) == {}


def test_notes_nested_without_end_are_damaged(tmp_path):
    with zipfile.ZipFile(tmp_path / "g.keras", "w") as archive:
        archive.writestr("cyclegan_tf.json", "[" * 100_000)
    assert read_notes(tmp_path / "g.keras") == {}


def test_notes_that_would_fill_the_memory_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "g.keras", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cyclegan_tf.json", " " * (17 * 2**20))
    with refused("memory", str(tmp_path / "g.keras")):
        read_notes(tmp_path / "g.keras")
