"""Checkpoints are whole or absent, and damage is noticed."""

import io
import os
import zipfile

import numpy as np
import pytest

from cyclegan_tf.errors import UserError
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.leftovers import tidy_checkpoints
from tests.helpers.errors import refused


def state_at(step):
    return {"step": step, "seconds": 1.5}


def write(folder, step, keep=3):
    return checkpoints.write(
        folder, step, {"a/b": np.full((2, 3), step, np.float32)}, state_at(step), keep
    )


def test_round_trip(tmp_path):
    path = write(tmp_path, 7)
    arrays, state = checkpoints.read(path)
    assert state == state_at(7)
    assert list(arrays) == ["a/b"]
    np.testing.assert_array_equal(arrays["a/b"], np.full((2, 3), 7, np.float32))
    assert checkpoints.step_of(path) == 7


def test_the_newest_are_kept(tmp_path):
    for step in (5, 10, 15, 20):
        write(tmp_path, step, keep=2)
    assert [checkpoints.step_of(path) for path in checkpoints.list_checkpoints(tmp_path)] == [
        20,
        15,
    ]


@pytest.mark.parametrize("keep_bytes", [0, 10, 200, -1])
def test_a_truncated_checkpoint_is_named_and_the_one_before_taken(tmp_path, keep_bytes):
    write(tmp_path, 5)
    newest = write(tmp_path, 10)
    data = newest.read_bytes()
    newest.write_bytes(data[:keep_bytes])
    _, arrays, state, complaints = checkpoints.load_latest(tmp_path)
    assert (state["step"], arrays["a/b"][0, 0]) == (5, 5)
    assert len(complaints) == 1
    assert newest.name in complaints[0]


@pytest.mark.parametrize("keep", [1, 2])
def test_a_damaged_newest_one_takes_no_place(tmp_path, keep):
    write(tmp_path, 10)
    (tmp_path / "step_000000099.npz").write_bytes(b"cut short")
    for step in (13, 16, 19):
        assert write(tmp_path, step, keep).is_file()
    steps = [checkpoints.step_of(path) for path in checkpoints.list_checkpoints(tmp_path)]
    assert steps == [99, 19, 16][: keep + 1]
    assert checkpoints.load_latest(tmp_path)[2]["step"] == 19


def test_before_a_training_goes_on_what_is_damaged_or_replaced_goes_aside(tmp_path, caplog):
    for step in (5, 10, 20, 30):
        write(tmp_path, step, keep=None)
    worse = write_best(tmp_path, 20, 3.0)
    data = worse.read_bytes()
    write_best(tmp_path, 10, 2.0)
    worse.write_bytes(data)  # a kill between rename and removal
    (tmp_path / "best" / "step_000000015.npz").write_bytes(b"cut short")
    tidy_checkpoints(tmp_path / "step_000000010.npz", keep=1)
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / name} cannot be read whole: kept as {name}.damaged"
        for name in ("step_000000030.npz", "step_000000020.npz")
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best",
        "step_000000010.npz",
        "step_000000020.npz.damaged",
        "step_000000030.npz.damaged",
    ]
    assert sorted(path.name for path in (tmp_path / "best").iterdir()) == [
        "step_000000010.npz",
        "step_000000015.npz",
    ]


def test_a_flipped_bit_is_noticed(tmp_path):
    path = write(tmp_path, 5)
    data = bytearray(path.read_bytes())
    data[data.index(np.float32(5).tobytes() * 6)] ^= 1
    path.write_bytes(data)
    with pytest.raises(checkpoints.CorruptCheckpointError):
        checkpoints.read(path)


def test_every_flipped_bit_of_the_headers_is_damage_or_changes_nothing(tmp_path):
    """zip has errors of its own for a method, flag or version that it does not know."""
    write(tmp_path, 5)
    path = write(tmp_path, 10)
    whole, arrays = path.read_bytes(), checkpoints.read(path)[0]
    fallbacks = 0
    for at in range(len(whole)):
        damaged = bytearray(whole)
        damaged[at] ^= 1 << at % 8
        path.write_bytes(damaged)
        found, values, state, _ = checkpoints.load_latest(tmp_path)
        fallbacks += found != path
        if found == path:
            assert state == state_at(10)
            np.testing.assert_array_equal(values["a/b"], arrays["a/b"])
    assert fallbacks > len(whole) / 2


def archive(path, stored, **arrays):
    """A checkpoint of the name, whatever its state."""
    with path.open("wb") as file:
        np.savez(file, **{"state.json": np.frombuffer(stored, np.uint8)}, **arrays)


@pytest.mark.parametrize(
    "stored",
    [
        b"[]",
        b"5",
        b"null",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        b'{"step": "10", "seconds": 1}',
        b'{"step": true, "seconds": 1}',
        b'{"step": -1, "seconds": 1}',
        b'{"step": 10, "seconds": "1"}',
        b'{"step": 10, "seconds": NaN}',
        b'{"step": 10, "seconds": 1, "guards": []}',
        b'{"step": 10, "seconds": 1, "best": {"score": 1}}',
        b'{"step": 10, "score": null}',
        b'{"step": 10, "score": 1, "higher_is_better": 1, "weights": "raw", "best_by": "mae"}',
    ],
)
def test_a_state_that_is_none_is_damage(tmp_path, stored):
    write(tmp_path, 5)
    path = tmp_path / "step_000000010.npz"
    archive(path, stored)
    for read in (checkpoints.read, checkpoints.read_state):
        with pytest.raises(checkpoints.CorruptCheckpointError, match="is damaged"):
            read(path)
    assert checkpoints.load_latest(tmp_path)[2] == state_at(5)


def test_a_header_that_asks_for_less_than_is_stored_is_noticed(tmp_path):
    """NumPy would read half of the bytes, as numbers of 16 bits, and compare no checksum."""
    arrays = {"weights": np.arange(64, dtype=np.float32)}
    path = checkpoints.write(tmp_path, 1, arrays, {"step": 1}, keep=None)
    data = path.read_bytes()
    assert data.count(b"'<f4'") == 1
    path.write_bytes(data.replace(b"'<f4'", b"'<f2'"))
    with pytest.raises(checkpoints.CorruptCheckpointError, match="is damaged"):
        checkpoints.read(path)


@pytest.mark.parametrize("content", [b"no array", np.lib.format.magic(1, 0), None])
def test_a_part_that_is_no_array_of_numbers_is_damage(tmp_path, content):
    path = checkpoints.write(tmp_path, 1, {}, {"step": 1}, keep=None)
    with zipfile.ZipFile(path, "a") as archive:
        if content is None:
            stream = io.BytesIO()
            np.save(stream, np.array(["words"]))
            content = stream.getvalue()
        archive.writestr("weights.npy", content)
    with pytest.raises(checkpoints.CorruptCheckpointError, match="is damaged"):
        checkpoints.read(path)


def test_other_files_of_the_name_are_damage(tmp_path):
    write(tmp_path, 5)
    path = tmp_path / "step_000000010.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    assert checkpoints.load_latest(tmp_path)[2] == state_at(5)
    head = np.lib.format.magic(1, 0)
    text = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999,), }\n"
    huge = head + len(text).to_bytes(2, "little") + text
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.npy", huge)
    assert checkpoints.load_latest(tmp_path)[2] == state_at(5)
    path.unlink()
    path.mkdir()
    assert checkpoints.load_latest(tmp_path)[2] == state_at(5)


def test_only_damaged_ones_left_is_an_error(tmp_path):
    write(tmp_path, 5).write_bytes(b"")
    with pytest.raises(UserError, match=r"All checkpoints in .* are damaged") as caught:
        checkpoints.load_latest(tmp_path)
    assert (caught.value.code, caught.value.field) == ("unreadable", str(tmp_path))


def test_none_at_all(tmp_path):
    assert checkpoints.load_latest(tmp_path / "absent") is None


def test_leftovers_of_an_interrupted_write_are_not_taken(tmp_path):
    write(tmp_path, 5)
    (tmp_path / "step_000000010.partial").write_bytes(b"half")
    assert checkpoints.load_latest(tmp_path)[2] == state_at(5)


def test_a_full_disk_leaves_the_old_checkpoint_and_no_rubbish(tmp_path, monkeypatch):
    write(tmp_path, 5)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"No space left on device.*earlier ones are untouched"):
        write(tmp_path, 10)
    assert [path.name for path in tmp_path.iterdir()] == ["step_000000005.npz"]
    assert checkpoints.load_latest(tmp_path)[2] == state_at(5)


def write_best(folder, step, score, higher=False, weights="raw"):
    state = {
        "step": step,
        "score": score,
        "higher_is_better": higher,
        "best_by": "mae",
        "weights": weights,
    }
    return checkpoints.write_best(folder, step, {"g/w": np.full(3, score, np.float32)}, state)


class TestBest:
    def test_moves_only_to_a_strictly_better_score(self, tmp_path):
        first = write_best(tmp_path, 20, 3.0)
        assert first == tmp_path / "best" / "step_000000020.npz"
        assert write_best(tmp_path, 30, 3.0) is None
        assert write_best(tmp_path, 40, 3.5) is None
        assert [path.name for path in (tmp_path / "best").iterdir()] == ["step_000000020.npz"]
        # a resumed run may find a better one at a step before that of the file
        second = write_best(tmp_path, 10, 2.0)
        assert list((tmp_path / "best").iterdir()) == [second]

    def test_higher_can_be_better(self, tmp_path):
        write_best(tmp_path, 10, 3.0, higher=True)
        assert write_best(tmp_path, 20, 2.0, higher=True) is None
        assert write_best(tmp_path, 30, 4.0, higher=True) is not None

    def test_the_newest_checkpoints_do_not_see_it(self, tmp_path):
        write(tmp_path, 5)
        write_best(tmp_path, 10, 1.0)
        assert checkpoints.load_latest(tmp_path)[2] == state_at(5)

    def test_after_a_kill_between_rename_and_removal_the_better_of_two_counts(self, tmp_path):
        worse = write_best(tmp_path, 20, 3.0)
        data = worse.read_bytes()
        better = write_best(tmp_path, 10, 2.0)
        worse.write_bytes(data)
        (tmp_path / "best" / "step_000000030.partial").write_bytes(b"half")
        assert checkpoints.select(tmp_path).path == better
        assert write_best(tmp_path, 40, 2.5) is None
        write_best(tmp_path, 50, 1.0)
        assert [path.name for path in checkpoints.list_checkpoints(tmp_path / "best")] == [
            "step_000000050.npz"
        ]

    def test_a_whole_checkpoint_among_them_is_none(self, tmp_path):
        write(tmp_path, 5)
        write(tmp_path / "best", 20)
        assert checkpoints.select(tmp_path).path.name == "step_000000005.npz"
        with refused("unreadable", "--checkpoint"):
            checkpoints.select(tmp_path, "20")
        better = write_best(tmp_path, 10, 2.0)
        assert checkpoints.select(tmp_path).path == better

    def test_a_full_disk_keeps_the_one_before(self, tmp_path, monkeypatch):
        kept = write_best(tmp_path, 20, 3.0)

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", full)
        with pytest.raises(UserError) as caught:
            write_best(tmp_path, 30, 1.0)
        assert caught.value.code == "unwritable"
        assert list((tmp_path / "best").iterdir()) == [kept]


class TestChoose:
    @pytest.fixture
    def folder(self, tmp_path):
        for step in (10, 20):
            write(tmp_path, step)
        write_best(tmp_path, 15, 2.5, weights="averaged")
        return tmp_path

    def test_best(self, folder):
        chosen = checkpoints.select(folder)
        assert (chosen.step, chosen.weights) == (15, "averaged")
        np.testing.assert_array_equal(chosen.arrays["g/w"], np.full(3, 2.5, np.float32))
        assert (
            chosen.origin
            == f"{folder}/best/step_000000015.npz (step 15, averaged weights, best mae: 2.5)"
        )

    def test_last_and_steps(self, folder):
        assert [checkpoints.select(folder, wanted).step for wanted in ("last", "10", "20", "15",
        "0010")] == [
            20, 10, 20, 15, 10
        ]  # fmt: skip
        assert (
            checkpoints.select(folder, "last").origin
            == f"{folder}/step_000000020.npz (step 20, raw weights, newest)"
        )

    @pytest.mark.parametrize(
        ("wanted", "code"),
        [("11", "missing"), ("newest", "unknown"), ("-5", "unknown"), ("", "unknown")],
    )
    def test_what_is_not_there_lists_what_is(self, folder, wanted, code):
        with pytest.raises(
            UserError, match=r"--checkpoint is .*best, last, or one of the steps .*: 10, 15, 20\."
        ) as caught:
            checkpoints.select(folder, wanted)
        assert (caught.value.code, caught.value.field) == (code, "--checkpoint")

    def test_without_a_best_one_the_newest_is_taken_and_it_is_said(self, tmp_path):
        assert checkpoints.select(tmp_path) is None
        assert checkpoints.select(tmp_path, "last") is None
        write(tmp_path, 10)
        assert checkpoints.select(tmp_path).origin.endswith(
            "raw weights, newest; no scores have chosen a best one)"
        )

    def test_a_damaged_best_one_is_said_too(self, folder):
        path = folder / "best" / "step_000000015.npz"
        data = bytearray(path.read_bytes())
        data[data.index(np.float32(2.5).tobytes() * 3)] ^= 1
        path.write_bytes(data)
        chosen = checkpoints.select(folder)
        assert chosen.step == 20
        assert "step_000000015.npz is damaged" in chosen.origin
        path.write_bytes(b"")
        assert (
            "step_000000015.npz is damaged; the newest is taken"
            in checkpoints.select(folder).origin
        )
        (folder / "step_000000010.npz").write_bytes(b"")
        with pytest.raises(
            UserError, match=r"step_000000010.npz is damaged.*another --checkpoint"
        ) as caught:
            checkpoints.select(folder, "10")
        assert (caught.value.code, caught.value.field) == ("unreadable", "--checkpoint")
