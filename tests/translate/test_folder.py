"""Many files through a generator: order and content, groups, bounds of memory, errors, Ctrl-C."""

import contextlib
import errno
import os
import threading
import time
import weakref
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.stacks import Stack, read_stack, save_stack
from cyclegan_tf.translate import folder as folder_module
from cyclegan_tf.translate.folder import translate_files
from cyclegan_tf.translate.tasks import Task
from cyclegan_tf.translate.translator import Translator
from tests.helpers.errors import refused


class Negative(keras.layers.Layer):
    """White for black: the translation of every image is known, and its own."""

    def call(self, inputs):
        return -inputs


@pytest.fixture
def translator():
    inputs = keras.Input((None, None, 3))
    return Translator(keras.Model(inputs, Negative()(inputs)), 4)


@pytest.fixture
def batches(translator, monkeypatch):
    """How many images each call of the network was given."""
    sizes, batch = [], translator.batch

    def noting(images):
        sizes.append(len(images))
        return batch(images)

    monkeypatch.setattr(translator, "batch", noting)
    return sizes


def make(folder, sizes, suffix=".png", dtype=np.uint8):
    """Tasks for random images 00.png, 01.png, ... of these sizes."""
    rng, tasks = np.random.default_rng(7), []
    for index, size in enumerate(sizes):
        task = Task(folder / "in" / f"{index:02d}{suffix}", folder / "out" / f"{index:02d}{suffix}")
        image_io.save(
            task.source, rng.integers(0, np.iinfo(dtype).max + 1, (*size, 3)).astype(dtype)
        )
        tasks.append(task)
    return tasks


def assert_negative(task):
    before, after = image_io.read(task.source), image_io.read(task.target)
    assert (after.shape, after.dtype) == (before.shape, before.dtype)
    assert (
        np.abs(np.iinfo(before.dtype).max - before.astype(int) - after).max() <= before.itemsize - 1
    )


def no_threads_left():
    return not [thread for thread in threading.enumerate() if thread.name.startswith("images")]


@pytest.mark.parametrize("batch_size", [0, 1, 3])
def test_mixed_sizes_depths_and_kinds_come_out_in_order_and_right(translator, tmp_path, batch_size):
    tasks = [
        *make(tmp_path / "a", [(16, 16), (15, 14), (40, 9), (16, 16), (16, 16), (13, 16)]),
        *make(tmp_path / "b", [(16, 16), (20, 31)], dtype=np.uint16),
        *make(tmp_path / "c", [(20, 30), (8, 8)], ".bmp"),
        *make(tmp_path / "d", [(8, 8), (30, 20)], ".npy", np.uint16),
    ]
    outcomes = list(translate_files(translator, tasks, batch_size))
    assert [outcome.task for outcome in outcomes] == tasks
    assert {outcome.error for outcome in outcomes} == {None}
    for task in tasks:
        assert_negative(task)
    assert no_threads_left()


def test_neighbors_of_one_padded_size_go_together(translator, batches, tmp_path):
    a, b = (16, 16), (20, 20)
    tasks = make(tmp_path, [a, (15, 13), a, b, a, a, b, b, b, b])
    assert all(outcome.error is None for outcome in translate_files(translator, tasks, 2))
    assert batches == [2, 1, 1, 2, 2, 2]


@pytest.mark.parametrize(
    ("size", "expected"), [((16, 16), [8, 3]), ((64, 64), [4, 4, 3]), ((132, 128), [1] * 11)]
)
def test_on_a_cpu_only_small_images_go_together_unasked(
    translator, batches, tmp_path, size, expected
):
    list(translate_files(translator, make(tmp_path, [size] * 11)))
    assert batches == expected


@pytest.mark.parametrize("batch_size", [0, 2])
def test_pages_go_through_one_by_one_into_a_file_of_as_many(
    translator, batches, tmp_path, batch_size
):
    tasks = make(tmp_path, [(16, 16), (16, 16), (16, 16)], ".tif")
    pages = [image_io.read(task.source) for task in tasks]
    save_stack(tasks[1].source, Stack([*pages, pages[0], pages[1]]))
    outcomes = list(translate_files(translator, tasks, batch_size))
    assert [(each.task, each.error, each.remarks) for each in outcomes] == [
        (task, None, ()) for task in tasks
    ]
    translated = read_stack(image_io.probe(tasks[1].target), 3).images
    for page, found in zip([*pages, pages[0], pages[1]], translated, strict=True):
        np.testing.assert_array_equal(found, 255 - page)
    assert batches == ([1, 5, 1] if batch_size == 0 else [1, 2, 2, 1, 1])


def test_pages_of_unlike_sizes_are_refused(translator, tmp_path):
    (task,) = make(tmp_path, [(16, 16)], ".tif")
    first, second = Image.new("RGB", (16, 16), "red"), Image.new("RGB", (9, 16))
    first.save(task.source, save_all=True, append_images=[second])
    (outcome,) = translate_files(translator, [task])
    assert "has several pages or frames, of which some differ in size" in str(outcome.error)
    assert not task.target.exists()


@pytest.mark.parametrize("batch_size", [1, 4])
def test_a_broken_image_in_the_middle_is_named_and_skipped(translator, tmp_path, batch_size):
    tasks = make(tmp_path, [(16, 16)] * 7)
    tasks[2].source.write_bytes(tasks[2].source.read_bytes()[:60])
    tasks[5].source.unlink()
    outcomes = list(translate_files(translator, tasks, batch_size))
    assert [outcome.task for outcome in outcomes] == tasks
    for index, outcome in enumerate(outcomes):
        if index in (2, 5):
            assert str(outcome.error).startswith(f"{tasks[index].source}: ")
            assert not tasks[index].target.exists()
        else:
            assert outcome.error is None
            assert_negative(tasks[index])


def test_of_two_images_for_one_target_the_first_that_can_be_read_is_written(translator, tmp_path):
    tasks = make(tmp_path, [(16, 16)] * 6)
    same = tasks[0].target
    tasks = [tasks[0], *(Task(task.source, same) for task in tasks[1:3]), *tasks[3:]]
    tasks[0].source.write_text("no image")
    outcomes = list(translate_files(translator, tasks, 3))
    assert [outcome.task for outcome in outcomes] == tasks
    assert [outcome.error is None for outcome in outcomes] == [False, True, False, True, True, True]
    assert (
        str(outcomes[2].error) == f"{tasks[2].source}: another image was already written to {same}"
    )
    for index in (1, 3, 4, 5):
        assert_negative(tasks[index])


@pytest.mark.parametrize(("waiting_bytes", "most"), [(2**30, 4 + 3), (1, 1 + 3)])
def test_only_so_much_is_read_ahead(translator, tmp_path, monkeypatch, waiting_bytes, most):
    """Alive are those ahead, the one being translated, the one before it, and one being read."""
    monkeypatch.setattr(folder_module, "WAITING_IMAGES", 4)
    monkeypatch.setattr(folder_module, "WAITING_BYTES", waiting_bytes)
    alive, counts, read = weakref.WeakValueDictionary(), [], image_io.read

    def counting(path, channels, **kept):
        image = read(path, channels, **kept)
        alive[path] = image
        counts.append(len(alive))
        return image

    monkeypatch.setattr(image_io, "read", counting)
    tasks = make(tmp_path, [(16, 16)] * 40)
    assert all(outcome.error is None for outcome in translate_files(translator, tasks, 1))
    assert len(counts) == 40
    assert max(counts) <= most


@pytest.mark.parametrize(("waiting_bytes", "most"), [(2**30, 4), (1, 0)])
def test_only_so_much_waits_to_be_written(
    translator, batches, tmp_path, monkeypatch, waiting_bytes, most
):
    monkeypatch.setattr(folder_module, "WAITING_IMAGES", 4)
    monkeypatch.setattr(folder_module, "WAITING_BYTES", waiting_bytes)
    tasks = make(tmp_path, [(16, 16)] * 20)
    saved, waiting, save = [], [], image_io.save

    def slow(path, image, **kept):
        waiting.append(len(batches) - len(saved))
        time.sleep(0.01)
        save(path, image, **kept)
        saved.append(path)

    monkeypatch.setattr(image_io, "save", slow)
    assert all(outcome.error is None for outcome in translate_files(translator, tasks, 1))
    assert max(waiting) <= most + 1  # one is being translated meanwhile


def test_a_target_that_cannot_hold_the_result_is_skipped(tmp_path):
    inputs = keras.Input((None, None, 3))
    two_channels = keras.Model(inputs, keras.layers.Conv2D(2, 1)(inputs))
    tasks = make(tmp_path, [(16, 16)] * 3)
    tasks[1] = Task(tasks[1].source, tasks[1].target.with_suffix(".jpg"))
    outcomes = list(translate_files(Translator(two_channels, 4), tasks, 2))
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    assert str(tasks[1].target) in str(outcomes[1].error)


@pytest.mark.parametrize(
    "name",
    [*("n" * length for length in (200, 223, 224, 240, 251)), "\u5b57" * 83],
    ids=lambda name: f"{len(name.encode())} bytes",
)
def test_names_may_be_as_long_as_the_file_system_takes(translator, tmp_path, name):
    (task,) = make(tmp_path, [(16, 16)])
    task = Task(task.source, task.target.with_name(f"{name}.png"))
    (outcome,) = translate_files(translator, [task])
    assert outcome.error is None
    assert_negative(task)


@pytest.mark.parametrize("number", [errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ])
def test_a_name_that_the_file_system_refuses_is_skipped(translator, tmp_path, monkeypatch, number):
    tasks, save = make(tmp_path, [(16, 16)] * 3), image_io.save

    def refusing(target, image, **kept):
        if target == tasks[1].target:
            raise OSError(number, os.strerror(number), str(target))
        save(target, image, **kept)

    monkeypatch.setattr(image_io, "save", refusing)
    outcomes = list(translate_files(translator, tasks, 1))
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    assert (outcomes[1].error.code, outcomes[1].error.field) == ("unwritable", str(tasks[1].target))


def test_a_full_disk_ends_it_with_one_sentence(translator, tmp_path, monkeypatch):
    tasks = make(tmp_path, [(16, 16)] * 30)
    write, save, attempts = Path.write_bytes, image_io.save, []
    thread = threading.local()

    def noting(target, image, **kept):
        thread.target = target
        save(target, image, **kept)

    def full(path, data):
        attempts.append(path)
        if thread.target == tasks[3].target:
            write(path, data[:20])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(image_io, "save", noting)
    monkeypatch.setattr(Path, "write_bytes", full)
    outcomes = []
    with refused("unwritable", match=r"written: No space left on device\.$") as caught:
        outcomes.extend(translate_files(translator, tasks, 1))
    assert (caught.value.code, caught.value.field) == ("unwritable", str(tasks[3].target))
    assert [outcome.task for outcome in outcomes] == tasks[:3]
    assert len(attempts) < 30
    assert not list((tmp_path / "out").glob(".*"))
    assert not tasks[3].target.exists()
    assert no_threads_left()


def test_ctrl_c_leaves_whole_files_only_and_reads_no_more(translator, tmp_path, monkeypatch):
    tasks = make(tmp_path, [(16, 16)] * 60)
    batch, replace, read, reads, calls = (
        translator.batch,
        os.replace,
        image_io.read,
        [],
        [],
    )

    def interrupted(images):
        calls.append(1)
        if len(calls) == 4:
            wait_until(lambda: list((tmp_path / "out").glob(".partial-*")))
            raise KeyboardInterrupt
        return batch(images)

    def slow(partial, path):
        time.sleep(0.1)
        replace(partial, path)

    def counting(path, channels=3, **kept):
        reads.append(path)
        return read(path, channels, **kept)

    monkeypatch.setattr(translator, "batch", interrupted)
    monkeypatch.setattr(os, "replace", slow)
    monkeypatch.setattr(image_io, "read", counting)
    with pytest.raises(KeyboardInterrupt):
        list(translate_files(translator, tasks, 1))
    assert no_threads_left()
    assert not list((tmp_path / "out").glob(".*"))
    assert len(reads) <= 4 + folder_module.WAITING_IMAGES
    written = [task for task in tasks if task.target.exists()]
    assert written
    for task in written:
        assert_negative(task)


def wait_until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_closing_stops_early(translator, batches, tmp_path):
    tasks = make(tmp_path, [(16, 16)] * 60)
    with contextlib.closing(translate_files(translator, tasks, 1)) as outcomes:
        assert next(outcomes).task == tasks[0]
    assert no_threads_left()
    assert len(batches) < 60
    assert not list((tmp_path / "out").glob(".*"))


def test_what_cannot_go_together_goes_alone(translator, batches, tmp_path, monkeypatch):
    """One NaN, or too little memory for all, is not the end of the others."""
    tasks = make(tmp_path, [(16, 16)] * 4)
    image_io.save(tasks[1].source, np.zeros((16, 16, 3), np.uint8))
    noting = translator.batch

    def failing(images):
        results = noting(images)
        if len(images) > 1:
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        if not images[0].any():
            raise UserError("the image holds NaN")
        if np.array_equal(images[0], third):
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor")
        return results

    third = image_io.read(tasks[2].source)
    monkeypatch.setattr(translator, "batch", failing)
    outcomes = list(translate_files(translator, tasks, 4))
    assert batches == [4, 1, 1, 1, 1]
    assert [outcome.error and str(outcome.error) for outcome in outcomes] == [
        None,
        f"{tasks[1].source}: the image holds NaN",
        f"{tasks[2].source}: needs more memory than this device has free",
        None,
    ]
    assert_negative(tasks[3])
