"""Checkpoints are whole or absent, and damage is noticed."""

import os

import numpy as np
import pytest

from cyclegan_tf import checkpoints
from cyclegan_tf.errors import UserError


def write(folder, step, keep=3):
    return checkpoints.write(folder, step, {"a/b": np.full((2, 3), step, np.float32)}, {"step": step}, keep)


def test_round_trip(tmp_path):
    path = write(tmp_path, 7)
    arrays, state = checkpoints.read(path)
    assert state == {"step": 7}
    assert list(arrays) == ["a/b"]
    np.testing.assert_array_equal(arrays["a/b"], np.full((2, 3), 7, np.float32))
    assert checkpoints.step_of(path) == 7


def test_the_newest_are_kept(tmp_path):
    for step in (5, 10, 15, 20):
        write(tmp_path, step, keep=2)
    assert [checkpoints.step_of(path) for path in checkpoints.listed(tmp_path)] == [20, 15]


@pytest.mark.parametrize("keep_bytes", [0, 10, 200, -1])
def test_a_truncated_checkpoint_is_named_and_the_one_before_taken(tmp_path, keep_bytes):
    write(tmp_path, 5)
    newest = write(tmp_path, 10)
    data = newest.read_bytes()
    newest.write_bytes(data[:keep_bytes])
    _, arrays, state, complaints = checkpoints.newest(tmp_path)
    assert (state["step"], arrays["a/b"][0, 0]) == (5, 5)
    assert len(complaints) == 1
    assert newest.name in complaints[0]


def test_a_flipped_bit_is_noticed(tmp_path):
    path = write(tmp_path, 5)
    data = bytearray(path.read_bytes())
    data[data.index(np.float32(5).tobytes() * 6)] ^= 1
    path.write_bytes(data)
    with pytest.raises(checkpoints.DamagedCheckpoint):
        checkpoints.read(path)


def test_only_damaged_ones_left_is_an_error(tmp_path):
    write(tmp_path, 5).write_bytes(b"")
    with pytest.raises(UserError, match=r"All checkpoints in .* are damaged"):
        checkpoints.newest(tmp_path)


def test_none_at_all(tmp_path):
    assert checkpoints.newest(tmp_path / "absent") is None


def test_leftovers_of_an_interrupted_write_are_not_taken(tmp_path):
    write(tmp_path, 5)
    (tmp_path / "step_000000010.partial").write_bytes(b"half")
    assert checkpoints.newest(tmp_path)[2] == {"step": 5}


def test_a_full_disk_leaves_the_old_checkpoint_and_no_rubbish(tmp_path, monkeypatch):
    write(tmp_path, 5)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"No space left on device.*earlier ones are untouched"):
        write(tmp_path, 10)
    assert [path.name for path in tmp_path.iterdir()] == ["step_000000005.npz"]
    assert checkpoints.newest(tmp_path)[2] == {"step": 5}
