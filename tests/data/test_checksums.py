"""Replaced images are noticed by their files."""

import os

import pytest

from cyclegan_tf.data import checksums
from cyclegan_tf.data.sources import open_demo, open_folder
from tests.helpers import tiny


@pytest.fixture
def folder(tmp_path):
    return tiny.folder(tmp_path / "images")


def opened(folder):
    return open_folder(folder, 3, 3, 10**8)


def changed(folder, before, names):
    now = opened(folder)
    return checksums.changed_images(names, before, now, checksums.of_source(now))


def test_sizes_and_sums_of_all_files(folder):
    source = opened(folder)
    sums = checksums.of_source(source)
    assert {name: len(texts) for name, texts in sums.items()} == {
        "train_x": 5,
        "train_y": 4,
        "test_x": 2,
        "test_y": 2,
    }
    size, total = sums["train_x"][2].split()
    assert (int(size), len(total)) == ((folder / "trainA" / "2.png").stat().st_size, 16)
    assert len({text for texts in sums.values() for text in texts}) == 13
    assert changed(folder, sums, source.record()) == []


def test_a_file_of_the_same_size_and_time_is_noticed(folder):
    source = opened(folder)
    before, path = checksums.of_source(source), folder / "trainA" / "2.png"
    times, content = path.stat(), bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert changed(folder, before, source.record()) == ["trainA/2.png"]


def test_one_more_and_one_less_are_no_replacements(folder):
    source = opened(folder)
    before = checksums.of_source(source)
    (folder / "trainA" / "0.png").rename(folder / "trainA" / "new.png")
    assert changed(folder, before, source.record()) == []


def test_runs_of_early_versions_know_nothing(folder):
    assert changed(folder, {}, opened(folder).record()) == []


def test_of_large_data_sets_only_sizes_are_known(folder, monkeypatch):
    source = opened(folder)
    before = checksums.of_source(source)
    monkeypatch.setattr(checksums, "MAX_BYTES", 100)
    assert all(text.isdecimal() for text in checksums.of_source(source)["train_x"])
    assert changed(folder, before, source.record()) == []
    with (folder / "testB" / "1.png").open("ab") as file:
        file.write(b"more")
    assert changed(folder, before, source.record()) == ["testB/1.png"]


def test_images_that_are_no_files_have_none():
    assert checksums.of_source(open_demo()) == {}


def test_a_file_that_cannot_be_read_is_left_to_the_decoder(folder):
    source = opened(folder)
    (folder / "trainA" / "0.png").unlink()
    assert checksums.of_source(source)["train_x"][0] == "0"
