"""Images that spoil a training, found by content whatever their names, formats and caches."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf.data import screening
from cyclegan_tf.data.cache import open_cache
from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.data.sources import open_folder
from cyclegan_tf.data.transforms import ImageTransform

TRANSFORM = ImageTransform("resize_and_crop", 20, 16)


def image(seed, size=24):
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


@pytest.fixture
def source(tmp_path):
    for name in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / name).mkdir()
    for seed in range(4):
        Image.fromarray(image(seed)).save(tmp_path / "trainA" / f"{seed}.png")
        Image.fromarray(image(100 + seed)).save(tmp_path / "testA" / f"{seed}.png")
        Image.fromarray(image(200 + seed)).save(tmp_path / "trainB" / f"{seed}.png")
    Image.fromarray(image(2)).save(
        tmp_path / "testA" / "other_name.bmp"
    )  # another format, the same values
    Image.fromarray(image(201)).save(tmp_path / "testA" / "of_the_other_domain.png")
    Image.new("RGB", (30, 30), (9, 8, 7)).save(tmp_path / "trainA" / "flat.png")
    Image.new("RGB", (30, 30), (9, 8, 7)).save(tmp_path / "testA" / "flat.png")
    return open_folder(tmp_path, 3, 3, 10**6)


@pytest.mark.parametrize("kind", ["memory", "disk", "off"])
def test_flat_and_leaked_images_are_named(source, tmp_path, kind):
    cache = open_cache(source.train_x, TRANSFORM, kind, tmp_path / "cache", "x")
    flat, leaked, dark = screening.find_flat_and_leaked(
        source.train_x, cache, source.test_x, TRANSFORM
    )
    assert dark is None
    assert flat == ["trainA/flat.png", "testA/flat.png"]
    assert leaked == ["testA/other_name.bmp"]


def shapes(seed):
    """Soft shapes, as photographs have."""
    small = Image.fromarray(np.random.default_rng(seed).integers(60, 190, (6, 6, 3), np.uint8))
    return small.resize((96, 96), Image.Resampling.BICUBIC)


def leaked_of(training, test, tmp_path, dtype=np.uint8):
    """Names of those in the test split that are training images, of PIL images."""

    def images(those, letter):
        arrays = [
            np.asarray(one).astype(dtype) * (257 if dtype == np.uint16 else 1) for one in those
        ]
        return ImageList(tuple(f"{letter}{i}" for i in range(len(those))), 3, arrays.__getitem__)

    known, asked = images(training, "train"), images(test, "test")
    cache = open_cache(known, TRANSFORM, "memory", tmp_path, "x")
    return screening.find_flat_and_leaked(known, cache, asked, TRANSFORM)[1]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_copies_that_were_saved_again_are_named(tmp_path, dtype):
    shapes(2).resize((120, 120), Image.Resampling.BICUBIC).save(tmp_path / "again.jpg", quality=60)
    with Image.open(tmp_path / "again.jpg") as again:
        again.load()
    lighter = Image.fromarray(np.asarray(shapes(3)) + np.uint8(4))
    of_the_same_mean = shapes(3).transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    test = [shapes(10), again, lighter, of_the_same_mean, shapes(3)]
    assert leaked_of([shapes(seed) for seed in range(5)], test, tmp_path, dtype) == [
        "test1",
        "test4",
    ]


def test_two_tiles_of_water_are_no_copies(tmp_path):
    rng = np.random.default_rng(1)
    # nearer to each other than copies may be
    shore = np.linspace(150, 162, 96).round().astype(np.uint8)[:, np.newaxis, np.newaxis]
    water = [Image.fromarray(shore + rng.integers(0, 3, (96, 96, 3), np.uint8)) for _ in range(4)]
    assert leaked_of(water[:3], water[3:], tmp_path) == []
    assert leaked_of(water, water[1:2], tmp_path) == ["test0"]  # the very same it is


def test_deep_training_images_are_compared_with_shallow_test_images(tmp_path):
    deep = [(image(seed).astype(np.uint16) * 257) for seed in range(2)]
    images = ImageList(("a", "b"), 3, deep.__getitem__)
    test = ImageList(("t",), 3, lambda _: image(1))
    cache = open_cache(images, TRANSFORM, "memory", tmp_path, "x")
    found = screening.find_flat_and_leaked(images, cache, test, TRANSFORM)
    assert found == ([], ["t"], None)


def test_twelve_bits_in_sixteen_are_dark_and_not_flat(tmp_path):
    pale = [900 + image(seed).astype(np.uint16) % 20 for seed in range(2)]
    images = ImageList(("a", "b"), 3, pale.__getitem__)
    cache = open_cache(images, TRANSFORM, "memory", tmp_path, "x")
    found = screening.find_flat_and_leaked(
        images, cache, ImageList((), 3, pale.__getitem__), TRANSFORM
    )
    assert found.flat == []
    assert found.used == pytest.approx(19 / 65535, abs=1e-4)


def test_a_constant_image_among_dark_ones_is_flat(tmp_path):
    dark = [image(seed).astype(np.uint16) % 400 for seed in range(2)]
    dark.append(np.full_like(dark[0], 7))
    images = ImageList(("a", "b", "constant"), 3, dark.__getitem__)
    cache = open_cache(images, TRANSFORM, "memory", tmp_path, "x")
    found = screening.find_flat_and_leaked(
        images, cache, ImageList((), 3, dark.__getitem__), TRANSFORM
    )
    assert found.flat == ["constant"]
    assert found.used < 0.01


def test_no_more_than_a_sample_is_decoded(tmp_path, source, monkeypatch):
    monkeypatch.setattr(screening, "MAX_SAMPLED", 2)
    cache = open_cache(source.train_x, TRANSFORM, "off", tmp_path, "x")
    assert [name for name, _ in screening.training_sample(source.train_x, cache)] == [
        "trainA/0.png",
        "trainA/2.png",
    ]
    kept = open_cache(source.train_x, TRANSFORM, "memory", tmp_path, "x")
    assert len(list(screening.training_sample(source.train_x, kept))) == 5
    monkeypatch.setattr(screening, "MAX_SAMPLED_BYTES", 3 * 20 * 20 * 3)
    assert len(list(screening.training_sample(source.train_x, kept))) == 3
    assert len(list(screening.test_sample(source.test_x, TRANSFORM, np.dtype(np.uint8)))) == 2


@pytest.mark.parametrize(
    ("image_values", "flat"),
    [
        (np.full((40, 40, 3), 7, np.uint8), True),
        (
            np.full((40, 40, 3), 7, np.uint8) + np.eye(40, dtype=np.uint8)[..., None],
            True,
        ),  # one step here and there
        (image(1), False),
        (
            np.dstack(
                [np.full((40, 40), 7, np.uint8), np.arange(1600, dtype=np.uint8).reshape(40, 40)]
            ),
            False,
        ),
        (np.full((40, 40, 1), 60_000, np.uint16), True),
        ((np.arange(1600, dtype=np.uint16) * 40).reshape(40, 40, 1), False),
    ],
)
def test_flat(image_values, flat):
    assert screening.is_flat(image_values) is flat
    assert screening.is_flat(tf.constant(image_values).numpy()) is flat
