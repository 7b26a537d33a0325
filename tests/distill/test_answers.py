"""Batches are a function of the step, and the teacher is asked once."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.data.cache import ImageCache, open_cache
from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.distill import answers as module
from cyclegan_tf.distill.answers import NEW_EVERY, Answers

IMAGES = tf.random.stateless_uniform((3, 10, 10, 3), (1, 2), 0, 256, tf.int32)
IMAGES = tf.cast(IMAGES, tf.uint8)
CACHE = ImageCache(lambda index: tf.gather(IMAGES, index), 3, "memory", 0, 0)


def make(asked, looks=2, batch_size=1):
    def teacher(image):
        asked.append(image.numpy())
        return -image

    transform = ImageTransform("resize_and_crop", 10, 8)
    return Answers(teacher, CACHE, transform, looks, batch_size, seed=5)


def test_a_step_is_a_step_whatever_came_before():
    one, other = make([]), make([])
    through = [one.batch(step) for step in range(12)]
    for step in (11, 4, 0):
        for a, b in zip(through[step], other.batch(step), strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_teacher_is_asked_once_about_each_look():
    asked = []
    answers = make(asked)
    for step in range(60):
        images, truths = answers.batch(step)
        np.testing.assert_allclose(truths, -images, atol=1e-3)  # float16
    assert len(asked) == len({image.tobytes() for image in asked}) == 3 * 2


def test_nothing_is_kept_where_there_is_no_memory(monkeypatch):
    asked, kept = [], make([])
    monkeypatch.setattr(module, "free_memory_bytes", lambda: 0)
    answers = make(asked)
    for step in range(6):
        np.testing.assert_array_equal(answers.batch(step)[1], kept.batch(step)[1])
    assert len(asked) == 6


def test_every_third_step_is_new_and_the_others_were_seen():
    answers = make([])
    numbers = [answers.number(step) for step in range(30)]
    assert numbers[::NEW_EVERY] == list(range(10))
    assert all(number <= step // NEW_EVERY for step, number in enumerate(numbers))
    assert answers.steps_per_epoch == 3 * NEW_EVERY


@pytest.mark.parametrize(("asked_for", "made"), [(2, 2), (7, 3)])
def test_a_batch_is_no_larger_than_the_domain(asked_for, made):
    images, truths = make([], batch_size=asked_for).batch(1)
    assert images.shape == truths.shape == (made, 8, 8, 3)


def test_one_thread_reads_lazily_and_resizes(tmp_path):
    """Tests have one thread between operations, as a machine of one core: this hung in a graph."""
    transform = ImageTransform("resize_and_crop", 9, 8)
    drawn = ImageList(("a", "b"), 3, lambda index: IMAGES[index].numpy(), is_drawn=True)
    cache = open_cache(drawn, transform, "auto", tmp_path, "x", False)
    assert cache.kind == "lazy"
    images, truths = Answers(lambda image: -image, cache, transform, 1, 2, 0).batch(0)
    np.testing.assert_allclose(truths, -images, atol=1e-3)
