"""Parquet files of images: splits by name, domains by column, label or split."""

from pathlib import Path

import pytest
from PIL import Image

from tests.helpers.errors import refused
from tests.helpers.parquet_sets import encoded, pairs, write

pytest.importorskip("pyarrow")
from cyclegan_tf.data import parquet

LABELS = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["H", "Z"]}}


def unpacked(root, x=None, y=None):
    """What `unpack` writes: folder -> gray value of each image in it."""
    files = sorted((path.relative_to(root).as_posix(), path) for path in root.rglob("*.parquet"))
    out = root.parent / "out"
    out.mkdir()
    parquet.unpack(files, (x, y), out)
    return {
        folder.name: [Image.open(path).getpixel((0, 0))[0] for path in sorted(folder.iterdir())]
        for folder in out.iterdir()
    }


@pytest.mark.parametrize(
    ("name", "split", "part"),
    [
        ("data/train-00000-of-00002-ab12.parquet", "train", "."),
        ("train.parquet", "train", "."),
        ("0000.parquet", "train", "."),
        ("default/test/0000.parquet", "test", "default"),
        ("small/validation-00000-of-00001.parquet", "validation", "small"),
        ("data/trainA-00000-of-00001.parquet", "trainA", "."),
        ("data/horses-00000-of-00001.parquet", "horses", "."),
        ("horse2zebra_train.parquet", "train", "."),
    ],
)
def test_the_names_of_files(name, split, part):
    assert parquet.split_of(name) == split
    assert parquet.part_of(name) == part


def test_two_columns_of_images(tmp_path):
    """As huggan/horse2zebra has them."""
    features = {name: {"_type": "Image"} for name in ("imageA", "imageB")}
    write(tmp_path / "set/data/train-00000-of-00002.parquet", pairs(2), features)
    write(tmp_path / "set/data/train-00001-of-00002.parquet", pairs(1, first=10), features)
    write(tmp_path / "set/data/test-00000-of-00001.parquet", pairs(1, first=20), features)
    assert unpacked(tmp_path / "set") == {
        "trainA": [0, 1, 10], "trainB": [100, 101, 110], "testA": [20], "testB": [120],
    }  # fmt: skip


def test_one_column_and_a_label(tmp_path):
    rows = {"image": [encoded(value) for value in range(5)], "label": [0, 1, 1, 0, 1]}
    write(tmp_path / "set/train.parquet", rows, LABELS)
    write(tmp_path / "set/validation.parquet", {"image": [encoded(9)], "label": [1]}, LABELS)
    assert unpacked(tmp_path / "set") == {"trainA": [0, 3], "trainB": [1, 2, 4], "testB": [9]}


def test_labels_in_words_or_numbers_that_nothing_describes(tmp_path):
    for index, labels in enumerate((["cat", "dog", "cat"], [3, 7, 3])):
        rows = {"image": [encoded(value) for value in range(3)], "label": labels}
        write(tmp_path / f"{index}/set/train.parquet", rows)
        assert unpacked(tmp_path / f"{index}/set") == {"trainA": [0, 2], "trainB": [1]}


def test_splits_that_are_the_domains(tmp_path):
    for value, name in enumerate(("trainA", "trainB", "testA", "testB")):
        rows = {"image": [encoded(value)]}
        write(tmp_path / f"set/data/{name}-00000-of-00001.parquet", rows)
    assert unpacked(tmp_path / "set") == {
        "trainA": [0], "trainB": [1], "testA": [2], "testB": [3],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("x", "y", "made"),
    [
        ("b", "c", {"trainA": [1], "trainB": [2]}),
        ("2", "0", None),
        ("image", "photo", {"trainA": [0, 1, 2], "trainB": [50, 51, 52]}),
    ],
)
def test_domains_that_are_named(tmp_path, x, y, made):
    features = {**LABELS, "photo": {"_type": "Image"}}
    features["label"] = {"_type": "ClassLabel", "names": ["a", "b", "c"]}
    rows = {
        "image": [encoded(value) for value in range(3)],
        "photo": [encoded(50 + value) for value in range(3)],
        "label": [0, 1, 2],
    }
    write(tmp_path / "set/train.parquet", rows, features)
    if made is None:
        with refused("mismatch", "data.hf_x", match="has no '2'.*labels: a, b, c; splits: train"):
            unpacked(tmp_path / "set", x, y)
    else:
        assert unpacked(tmp_path / "set", x, y) == made


def test_named_splits(tmp_path):
    for value, name in enumerate(("horses", "zebras")):
        rows = {"image": [encoded(value)]}
        write(tmp_path / f"set/{name}-00000-of-00001.parquet", rows)
    assert unpacked(tmp_path / "set", "zebras", "horses") == {"trainA": [1], "trainB": [0]}


def test_what_leaves_the_domains_open_says_what_there_is(tmp_path):
    write(tmp_path / "set/train.parquet", {"image": [encoded(1)]})
    with refused("mismatch", "data.hf_x", match="open which.*columns of images: image; splits"):
        unpacked(tmp_path / "set")


def test_a_domain_without_images(tmp_path):
    write(tmp_path / "set/train.parquet", {"image": [encoded(1)], "label": [0]}, LABELS)
    with refused("mismatch", "data.hf_x", match="holds no training images of domain Y"):
        unpacked(tmp_path / "set")


def test_paths_in_place_of_images(tmp_path):
    cell = {"bytes": None, "path": "horse.png"}
    write(tmp_path / "set/train.parquet", {"a": [cell], "b": [encoded(1)]},
          {"a": {"_type": "Image"}, "b": {"_type": "Image"}})  # fmt: skip
    with refused("unsupported", "data.source", match="paths of images in place of images"):
        unpacked(tmp_path / "set")


def test_the_format_of_a_file_is_that_of_its_bytes(tmp_path):
    cells = [encoded(1, "JPEG"), encoded(2, "WEBP"), encoded(3, "BMP"), encoded(4, "TIFF")]
    cells.append({"bytes": b"P5 1 1 255 a", "path": "x/y.PGM"})
    write(tmp_path / "set/train.parquet", {"a": cells, "b": cells})
    files = [("train.parquet", tmp_path / "set/train.parquet")]
    parquet.unpack(files, (None, None), Path(tmp_path))
    assert [path.suffix for path in sorted((tmp_path / "trainA").iterdir())] == [
        ".jpg", ".webp", ".bmp", ".tif", ".pgm",
    ]  # fmt: skip
