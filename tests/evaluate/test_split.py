"""Partners by name, and the test split read as the networks see it."""

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.data import sources
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.evaluate.split import pairs_by_stem, read_images, read_split, spread
from cyclegan_tf.images import io as image_io


@pytest.mark.parametrize(
    ("names_x", "names_y", "pairs"),
    [
        (("testA/b.jpg", "testA/a.jpg"), ("testB/a.png", "testB/b.png"), ((0, 1), (1, 0))),
        (
            ("a.jpg", "sub/a.jpg"),
            ("sub/a.png", "a.png"),
            ((0, 1), (1, 0)),
        ),  # folders below the split count
        (("testA/a.jpg", "testA/b.jpg", "testA/c.jpg"), ("testB/c.jpg",), ((2, 0),)),
        (("testA/a.jpg",), ("testB/c.jpg", "testB/a.jpg"), ((0, 1),)),
        (("testA/a.jpg", "testA/b.jpg"), ("testB/a.jpg", "testB/c.jpg"), ()),  # b has no partner
        (("a.jpg", "a.png"), ("a.jpg", "b.jpg"), ()),  # which a?
        (("a.jpg",), ("a.jpg", "a.png"), ()),
        (("a.v1.png",), ("a.v2.png",), ()),
        (("test/0000", "test/0001"), ("test/0000", "test/0001"), ((0, 0), (1, 1))),  # the demo's
        (("testA/00000",), ("testB/00000",), ()),  # tensorflow-datasets numbers its images
        ((), ("testB/a.png",), ()),
    ],
)
def test_pairs_by_stem(names_x, names_y, pairs):
    assert pairs_by_stem(names_x, names_y) == pairs


@pytest.mark.parametrize(
    ("length", "count", "indices"),
    [
        (5, None, [0, 1, 2, 3, 4]),
        (5, 9, [0, 1, 2, 3, 4]),
        (10, 4, [0, 2, 5, 7]),
        (0, None, []),
        (0, 3, []),
    ],
)
def test_spread(length, count, indices):
    assert spread(length, count) == indices


@pytest.fixture
def root(tmp_path):
    """Ten pairs and two more images of X, each of one gray of its own; 24 x 20 px."""
    for folder, count, offset in (
        ("trainA", 1, 0),
        ("trainB", 3, 0),
        ("testA", 12, 0),
        ("testB", 10, 100),
    ):
        (tmp_path / folder).mkdir()
        for index in range(count):
            name = f"{chr(ord('a') + (index if folder != 'testB' else 9 - index))}.png"
            value = offset + (ord(name[0]) - ord("a"))
            Image.new("RGB", (24, 20), (value,) * 3).save(tmp_path / folder / name)
    return tmp_path


def values(images):
    return [int(image_io.from_signed(image)[0, 0, 0]) for image in images]


def test_read_as_the_networks_see_it(root):
    source = sources.open_folder(root, 3, 1, 10**6)
    split = read_split(source, ImageTransform("resize_and_crop", 18, 16))
    assert {image.shape for image in split.x} == {(16, 16, 3)}
    assert {image.shape for image in split.y} == {(16, 16, 1)}
    assert {image.dtype for image in split.x + split.y} == {np.dtype(np.float32)}
    assert values(split.x) == list(range(12))
    assert split.names_x[11] == "testA/l.png"
    assert split.pairs == tuple((i, i) for i in range(10))  # both lists are sorted by name
    assert values(read_images(source.train_y, ImageTransform("none", 1, 1))) == [0, 1, 2]
    assert values(read_images(source.train_y, ImageTransform("none", 1, 1), 2)) == [0, 1]


def test_a_part_keeps_pairs_together(root):
    (root / "testA" / "a.png").unlink()  # so that indices of partners differ
    (root / "testB" / "a.png").unlink()
    (root / "testA" / "0.png").write_bytes((root / "testA" / "l.png").read_bytes())
    split = read_split(sources.open_folder(root, 3, 3, 10**6), ImageTransform("none", 1, 1), 4)
    assert values(split.x) == [1, 3, 5, 7]
    assert values(split.y) == [101, 103, 105, 107]
    assert split.pairs == ((0, 0), (1, 1), (2, 2), (3, 3))
    assert split.names_y == ("testB/b.png", "testB/d.png", "testB/f.png", "testB/h.png")


def test_a_part_of_an_unpaired_split(root):
    (root / "testB" / "a.png").rename(root / "testB" / "z.png")
    split = read_split(sources.open_folder(root, 3, 3, 10**6), ImageTransform("none", 1, 1), 3)
    assert split.pairs == ()
    assert values(split.x) == [0, 4, 8]
    assert values(split.y) == [101, 104, 107]


def test_partners_of_different_sizes_are_no_pairs(root):
    Image.new("RGB", (32, 20), (103, 103, 103)).save(root / "testB" / "d.png")
    source = sources.open_folder(root, 3, 3, 10**6)
    assert read_split(source, ImageTransform("none", 1, 1)).pairs == ()
    assert len(read_split(source, ImageTransform("resize_and_crop", 16, 16)).pairs) == 10


def test_an_empty_test_split_is_an_empty_split(root):
    for path in (root / "testA").iterdir():
        path.unlink()
    split = read_split(sources.open_folder(root, 3, 3, 10**6), ImageTransform("none", 1, 1))
    assert split.x == []
    assert split.pairs == ()
