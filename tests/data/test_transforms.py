"""Sizes before the cache, chance after it; eagerly and inside tf.data."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf.data.transforms import ImageTransform, resize_bicubic


def image(height, width, channels=3, dtype=np.uint8):
    rng = np.random.default_rng(0)
    return rng.integers(0, np.iinfo(dtype).max + 1, (height, width, channels)).astype(dtype)


def smooth(height, width):
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def test_resizing_is_bicubic_and_antialiased():
    source = image(64, 48)
    ours = resize_bicubic(tf.constant(source), 17, 20).numpy().astype(int)
    pillow = np.asarray(Image.fromarray(source).resize((20, 17), Image.Resampling.BICUBIC)).astype(
        int
    )
    nearest = np.asarray(Image.fromarray(source).resize((20, 17), Image.Resampling.NEAREST)).astype(
        int
    )
    assert np.abs(ours - pillow).max() <= 2
    assert np.abs(ours - nearest).mean() > 20


def test_resizing_up_agrees_with_pillow_and_keeps_the_dtype():
    source = smooth(20, 24)
    ours = resize_bicubic(tf.constant(source), 33, 50).numpy()
    pillow = np.asarray(Image.fromarray(source).resize((50, 33), Image.Resampling.BICUBIC))
    assert ours.dtype == np.uint8
    # Pillow rounds between its two passes.
    difference = np.abs(ours.astype(int) - pillow.astype(int))
    assert difference.max() <= 5
    assert difference.mean() < 0.6
    assert resize_bicubic(tf.constant(image(9, 9, 1, np.uint16)), 5, 5).dtype == tf.uint16


@pytest.mark.parametrize(("height", "width"), [(286, 286), (70, 64), (71, 99)])
def test_enlarging_without_antialiasing_is_the_same_filter(height, width):
    source = tf.constant(image(64, 64))
    with_it = tf.image.resize(source, (height, width), method="bicubic", antialias=True)
    expected = np.clip(np.rint(with_it), 0, 255).astype(int)
    difference = np.abs(resize_bicubic(source, height, width).numpy().astype(int) - expected)
    assert difference.max() <= 1
    assert difference.mean() < 0.05


@pytest.mark.parametrize(("height", "width"), [(20, 90), (90, 20)])
def test_a_image_that_shrinks_on_one_side_only_is_antialiased(height, width):
    source = tf.constant(image(64, 64))
    with_it = tf.image.resize(source, (height, width), method="bicubic", antialias=True)
    expected = np.clip(np.rint(with_it), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(resize_bicubic(source, height, width).numpy(), expected)


SIZES = {
    # mode: (prepared from 100 x 60, prepared from 30 x 40, augmented from 100 x 60), load 56, crop
    # 48
    "resize_and_crop": ((56, 56), (56, 56), (48, 48)),
    "scale_width_and_crop": ((93, 56), (48, 56), (48, 48)),
    "crop": ((100, 60), (48, 64), (48, 48)),
    "scale_width": ((93, 56), (42, 56), (92, 56)),
    "none": ((100, 60), (30, 40), (100, 60)),
}


@pytest.mark.parametrize("mode", SIZES)
def test_sizes_of_every_mode(mode):
    transform = ImageTransform(mode, 56, 48)
    large, small, augmented = SIZES[mode]
    prepared = transform.resize(tf.constant(image(100, 60)))
    assert tuple(prepared.shape[:2]) == large
    assert tuple(transform.resize(tf.constant(image(30, 40))).shape[:2]) == small
    assert tuple(transform.augment(prepared, tf.constant([1, 2])).shape[:2]) == augmented
    heights, widths = transform.resized_size(tf.constant([100, 30]), tf.constant([60, 40]))
    assert list(zip(heights.numpy(), widths.numpy(), strict=True)) == [large, small]


@pytest.mark.parametrize(
    ("mode", "size"),
    [
        ("resize_and_crop", (48, 48)),
        ("scale_width_and_crop", (76, 48)),
        ("scale_width", (88, 56)),
        ("crop", (100, 60)),
        ("none", (100, 60)),
    ],
)
def test_a_test_image_is_not_cropped_but_trimmed_to_the_networks_multiple(mode, size):
    source = tf.constant(image(102, 63))
    prepared = ImageTransform(mode, 56, 48).transform_test(source)
    assert tuple(prepared.shape[:2]) == size
    again = ImageTransform(mode, 56, 48).transform_test(source)
    np.testing.assert_array_equal(prepared, again)


def test_augment_cuts_a_window_and_mirrors_half_the_time():
    transform = ImageTransform("crop", 0, 8)
    source = image(20, 20)
    windows = {}
    for top in range(13):
        for left in range(13):
            window = source[top : top + 8, left : left + 8]
            windows[window.tobytes()] = (top, left, False)
            windows[window[:, ::-1].tobytes()] = (top, left, True)
    seen = [
        windows[transform.augment(tf.constant(source), tf.constant([7, i])).numpy().tobytes()]
        for i in range(300)
    ]
    tops, lefts, flips = zip(*seen, strict=True)
    assert set(tops) == set(range(13))
    assert set(lefts) == set(range(13))
    assert 110 < sum(flips) < 190
    assert len({(top, left) for top, left, _ in seen}) > 100


def test_augment_without_flip_never_mirrors():
    transform = ImageTransform("crop", 0, 8, flip=False)
    source = np.tile(np.arange(12, dtype=np.uint8)[None, :, None], (12, 1, 3))
    for i in range(20):
        out = transform.augment(tf.constant(source), tf.constant([0, i])).numpy()
        assert (np.diff(out[0, :, 0].astype(int)) == 1).all()


def test_augment_is_a_function_of_its_seed_eagerly_and_in_tf_data():
    transform = ImageTransform("resize_and_crop", 56, 48)
    source = tf.constant(image(60, 60))

    def both(i):
        return transform.augment(transform.resize(source), tf.stack([3, i]))

    inside = list(tf.data.Dataset.range(6).map(lambda i: both(tf.cast(i, tf.int32))))
    for i, result in enumerate(inside):
        np.testing.assert_array_equal(result, both(tf.constant(i)))
    assert any((a.numpy() != b.numpy()).any() for a, b in itertools.pairwise(inside))
