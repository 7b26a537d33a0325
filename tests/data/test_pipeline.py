"""The order of images is a function of (seed, step), and complete."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.data.cache import open_cache
from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.data.pipeline import (
    SamplingOrder,
    evaluation_pairs,
    find_unreadable,
    training_dataset,
)
from cyclegan_tf.data.sources import open_folder
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.images.io import ImageError
from tests.helpers import tiny
from tests.helpers.errors import refused


def numbered(count, size=12):
    """Images that say their index in the red channel and their columns in the green one."""
    arrays = np.zeros((count, size, size, 3), np.uint8)
    arrays[..., 0] = np.arange(count)[:, None, None]
    arrays[..., 1] = np.arange(size) * 10
    return ImageList(tuple(str(i) for i in range(count)), 3, arrays.__getitem__)


@pytest.fixture
def make(tmp_path):
    def make(count_x, count_y, batch_size=1, seed=0, start=0, end=None, crop=8):
        transform = ImageTransform("crop", 12, crop)
        caches = [
            open_cache(numbered(count), transform, "memory", tmp_path, label)
            for count, label in ((count_x, "x"), (count_y, "y"))
        ]
        order = SamplingOrder(count_x, count_y, batch_size, seed)
        end = end or 3 * order.steps_per_epoch
        return list(training_dataset(*caches, order, transform, start, end).as_numpy_iterator())

    return make


def indices(batches, side):
    return [round((value + 1) * 127.5) for batch in batches for value in batch[side][:, 0, 0, 0]]


def test_batches_are_copied_ahead_to_the_one_gpu(make, monkeypatch):
    plain, copied_to = make(5, 3), []
    copy = tf.data.experimental.prefetch_to_device
    monkeypatch.setattr(
        tf.data.experimental,
        "prefetch_to_device",
        lambda name, size: (copied_to.append((name, size)), copy(name, size))[1],
    )
    processor = tf.config.list_logical_devices("CPU")
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: processor[:1])
    for batch, other in zip(plain, make(5, 3), strict=True):
        for side in (0, 1):
            np.testing.assert_array_equal(batch[side], other[side])
    assert copied_to == [(processor[0].name, 2)]


def test_batches_are_float32_in_minus_one_to_one(make):
    real_x, real_y = make(5, 3)[0]
    for real in (real_x, real_y):
        assert real.shape == (1, 8, 8, 3)
        assert real.dtype == np.float32
        assert real.min() >= -1
        assert real.max() <= 1


def test_an_epoch_is_the_larger_domain_and_the_smaller_is_redrawn(make):
    batches = make(4, 7)
    assert len(batches) == 21
    y = np.reshape(indices(batches, 1), (3, 7))
    assert all(sorted(epoch) == list(range(7)) for epoch in y)
    assert len({tuple(epoch) for epoch in y}) == 3
    x = indices(batches, 0)
    # Rounds of the smaller domain go on across epochs: every image equally often.
    assert all(sorted(x[i : i + 4]) == [0, 1, 2, 3] for i in range(0, 20, 4))


def test_pairs_are_never_fixed(make):
    batches = make(6, 6)
    pairs = list(zip(indices(batches, 0), indices(batches, 1), strict=True))
    partners = [{y for x, y in pairs if x == wanted} for wanted in range(6)]
    assert sum(len(partner) for partner in partners) > 10


def test_the_end_waits_for_no_autotuning(tmp_path):
    # its thread sleeps up to a minute, and whoever gives the iterator back waits for it
    transform = ImageTransform("crop", 12, 8)
    cache = open_cache(numbered(3), transform, "memory", tmp_path, "x")
    for size in (1, 2):
        dataset = training_dataset(cache, cache, SamplingOrder(3, 3, size, 0), transform, 0, 1)
        assert dataset.options().autotune.enabled is False


def test_two_epochs_of_one_image_differ(make):
    batches = make(1, 1, end=20)
    assert len({batch[0].tobytes() for batch in batches}) > 8


def test_x_and_y_are_augmented_independently(make):
    batches = make(1, 1, end=30)
    same = sum((batch[0][..., 1] == batch[1][..., 1]).all() for batch in batches)
    assert same < 15


def test_a_resumed_run_sees_what_it_would_have_seen(make):
    whole = make(5, 4, batch_size=2, end=9)
    rest = make(5, 4, batch_size=2, start=4, end=9)
    assert len(rest) == 5
    for a, b in zip(whole[4:], rest, strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])


def test_the_seed_decides(make):
    assert indices(make(9, 9, seed=1), 0) == indices(make(9, 9, seed=1), 0)
    assert indices(make(9, 9, seed=1), 0) != indices(make(9, 9, seed=2), 0)


def test_a_batch_that_does_not_divide_the_domain_shows_no_image_twice(make):
    batches = make(7, 7, batch_size=3)
    epochs = np.reshape(indices(batches, 0), (3, 6))
    assert all(len(set(epoch)) == 6 for epoch in epochs)
    assert len({tuple(sorted(epoch)) for epoch in epochs}) > 1


def test_evaluation_pairs_are_unaugmented_and_the_shorter_list_goes_round():
    transform = ImageTransform("crop", 12, 8)
    pairs = list(evaluation_pairs(numbered(2), numbered(3), transform, 10))
    assert [round((float(x[0, 0, 0, 0]) + 1) * 127.5) for x, _ in pairs] == [0, 1, 0]
    expected = numbered(3).read(2)[None] / 127.5 - 1
    np.testing.assert_allclose(pairs[2][1], expected, atol=1e-6)


def test_the_unreadable_image_of_a_step_is_named():
    def read(index):
        if index == 3:
            raise ImageError("three.jpg", "truncated")
        return numbered(5).read(index)

    order = SamplingOrder(5, 5, 1, 0)
    bad = ImageList(tuple("01234"), 3, read)
    steps = [s for s in range(5) if int(order.image("x", tf.constant(s, tf.int64))) == 3]
    with refused("unreadable", "three.jpg"):
        find_unreadable(order, steps[0], bad, numbered(5))


@pytest.mark.parametrize(
    ("num_shards", "count_x", "count_y"), [(2, 13, 7), (3, 7, 20), (6, 12, 12)]
)
def test_slices_of_all_machines_are_the_batches_of_one(tmp_path, num_shards, count_x, count_y):
    order = SamplingOrder(count_x, count_y, 6, 3)
    transform = ImageTransform("crop", 12, 8)
    whole = _shards(tmp_path, order, transform, 1)[0]
    sliced = _shards(tmp_path, order, transform, num_shards)
    assert {len(batches) for batches in sliced} == {len(whole)} == {2 * order.steps_per_epoch}
    for step, batch in enumerate(whole):
        for side in (0, 1):
            together = np.concatenate([batches[step][side] for batches in sliced])
            np.testing.assert_array_equal(together, batch[side])
    larger = 0 if count_x > count_y else 1
    epoch = indices(whole[: order.steps_per_epoch], larger)
    assert len(set(epoch)) == len(epoch)


def _shards(folder, order, transform, num_shards):
    caches = [
        open_cache(numbered(count), transform, "memory", folder, label)
        for count, label in ((order.count_x, "x"), (order.count_y, "y"))
    ]
    end = 2 * order.steps_per_epoch
    return [
        list(
            training_dataset(
                *caches, order, transform, 0, end, shard, num_shards
            ).as_numpy_iterator()
        )
        for shard in range(num_shards)
    ]


def test_a_machine_decodes_the_images_of_its_slices_only_and_each_once(tmp_path):
    order = SamplingOrder(11, 11, 4, 5)
    transform = ImageTransform("crop", 20, 16)
    root = tiny.folder(tmp_path / "images", (11, 11, 1, 1))
    source = open_folder(root, 3, 3, 10**6)
    positions = range(order.steps_per_epoch * 4)
    shown = [int(order.image("x", tf.constant(position, tf.int64))) for position in positions]
    for shard in (0, 1):
        read = []

        def counted(index, read=read):
            read.append(index)
            return source.train_x.read(index)

        cache_x = open_cache(
            dataclasses.replace(source.train_x, read=counted), transform, "lazy", tmp_path, "x"
        )
        cache_y = open_cache(source.train_y, transform, "lazy", tmp_path, "y")
        assert cache_x.kind == "lazy"
        assert read == []
        end = order.steps_per_epoch
        made = training_dataset(cache_x, cache_y, order, transform, 0, end, shard, 2)
        batches = list(made.as_numpy_iterator())
        assert [batch[0].shape[0] for batch in batches] == [2] * order.steps_per_epoch
        own = [index for position, index in enumerate(shown) if position % 4 // 2 == shard]
        assert sorted(read) == sorted(own)
        again = list(
            training_dataset(cache_x, cache_y, order, transform, 0, 1, shard, 2).as_numpy_iterator()
        )
        np.testing.assert_array_equal(again[0][0], batches[0][0])
        assert sorted(read) == sorted(own)


class TestPairs:
    """Images whose pixels are their own index, row and column."""

    def coordinates(self, count, channels, size):
        index, row, column = np.meshgrid(
            np.arange(count), np.arange(size), np.arange(size), indexing="ij"
        )
        planes = [index, row, column] if channels == 3 else [(row * size + column) % 251]
        arrays = np.stack(planes, axis=-1).astype(np.uint8)
        return ImageList(tuple(str(i) for i in range(count)), channels, arrays.__getitem__)

    def batches(self, folder, counts, pairs, share=0.5, batch_size=1, channels=3, size=20, crop=8,
                seed=0, start=0, end=None, shards=1):  # fmt: skip
        transform = ImageTransform("crop", size, crop)
        caches = [
            open_cache(self.coordinates(n, channels, size), transform, "memory", folder, label)
            for n, label in zip(counts, "xy", strict=True)
        ]
        order = SamplingOrder(*counts, batch_size, seed, pairs, share)
        end = end or 3 * order.steps_per_epoch
        found = [
            list(training_dataset(*caches, order, transform, start, end, shard, shards)
                 .as_numpy_iterator())
            for shard in range(shards)
        ]  # fmt: skip
        return order, (found[0] if shards == 1 else found)

    @pytest.mark.parametrize(
        ("channels", "size", "crop"), [(3, 20, 8), (1, 15, 4), (3, 12, 12), (1, 9, 8)]
    )
    def test_partners_have_one_crop_and_one_flip(self, tmp_path, channels, size, crop):
        pairs = ((0, 2), (1, 0), (3, 1))
        _, found = self.batches(tmp_path, (5, 4), pairs, 1.0, 1, channels, size, crop, end=24)
        first = 1 if channels == 3 else 0
        for x, y, is_paired in found:
            assert is_paired == [1]
            np.testing.assert_array_equal(x[..., first:], y[..., first:])
        assert len({x[..., first:].tobytes() for x, _, _ in found}) > 1

    def test_rounds_of_pairs_among_the_unpaired(self, tmp_path):
        pairs = ((0, 2), (1, 0), (3, 1))
        order, found = self.batches(tmp_path, (5, 4), pairs, end=36)
        shown = [(int(p[0]), *(round((b[0, 0, 0, 0] + 1) * 127.5) for b in (x, y)))
                 for x, y, p in found]  # fmt: skip
        assert [p for p, _, _ in shown] == [0, 1] * 18
        paired = [(x, y) for p, x, y in shown if p]
        assert all(sorted(paired[i : i + 3]) == sorted(pairs) for i in range(0, 18, 3))
        unpaired = [(x, y) for p, x, y in shown if not p]
        plain = dataclasses.replace(order, pairs=())
        for position, (x, y) in enumerate(unpaired):
            place = tf.constant(position, tf.int64)
            assert (x, y) == (int(plain.image("x", place)), int(plain.image("y", place)))

    @pytest.mark.parametrize(("share", "parts"), [(0.001, 1), (0.25, 250), (1 / 3, 333), (1, 1000)])
    @pytest.mark.parametrize("start", [0, 10**15])
    def test_the_share_is_spread_evenly_and_exactly(self, share, parts, start):
        order = SamplingOrder(10, 10, 1, 0, ((1, 1),), share)
        before = order.pairs_before(start + np.arange(2001))
        steps = np.diff(before)
        assert set(steps) <= {0, 1}
        assert before[1000] - before[0] == before[2000] - before[1000] == parts
        assert np.diff(np.flatnonzero(steps)).max(initial=1) <= np.ceil(1000 / parts)

    def test_a_resumed_run_sees_what_it_would_have_seen(self, tmp_path):
        pairs = ((0, 2), (1, 0))
        _, whole = self.batches(tmp_path, (5, 4), pairs, 0.4, batch_size=2, end=9)
        _, rest = self.batches(tmp_path, (5, 4), pairs, 0.4, batch_size=2, start=4, end=9)
        for a, b in zip(whole[4:], rest, strict=True):
            for one, other in zip(a, b, strict=True):
                np.testing.assert_array_equal(one, other)

    def test_slices_of_all_machines_are_the_batches_of_one(self, tmp_path):
        pairs = ((0, 2), (1, 0))
        _, whole = self.batches(tmp_path, (5, 6), pairs, 0.4, batch_size=6, end=4)
        _, sliced = self.batches(tmp_path, (5, 6), pairs, 0.4, batch_size=6, end=4, shards=3)
        for step, batch in enumerate(whole):
            for part in range(3):
                joined = np.concatenate([batches[step][part] for batches in sliced])
                np.testing.assert_array_equal(batch[part], joined)

    def test_an_unreadable_partner_is_named(self):
        def read(index):
            raise ImageError("three.jpg", "truncated")

        order = SamplingOrder(5, 5, 1, 0, ((3, 3),))
        with refused("unreadable", "three.jpg"):
            find_unreadable(order, 0, ImageList(tuple("01234"), 3, read), numbered(5))


def test_partners_are_read_in_their_order():
    transform = ImageTransform("crop", 12, 8)
    found = list(evaluation_pairs(numbered(3), numbered(3), transform, 1, ((2, 1), (0, 0))))
    assert [round((float(i[0, 0, 0, 0]) + 1) * 127.5) for pair in found for i in pair] == [2, 1]
