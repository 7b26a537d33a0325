"""Folders of a data set, and their images as training reads them."""

from pathlib import Path

import numpy as np
import pytest

from cyclegan_tf.check import folders
from cyclegan_tf.images.ranges import ValueRange


def test_domains_by_name():
    assert [folders.domain_of(name) for name in ("trainA", "testA", "X")] == ["X"] * 3
    assert [folders.domain_of(name) for name in ("trainB", "testB", "Y")] == ["Y"] * 3


@pytest.mark.parametrize(
    ("known", "levels"), [(ValueRange(0, 100, "uint8"), 13107), (None, 20)], ids=str
)
def test_images_are_read_through_the_range(tmp_path, known, levels):
    np.save(tmp_path / "a.npy", np.full((3, 4), 20, np.uint8))
    folder = folders.Folder("trainA", tmp_path, 1, (), {}, known)
    assert folder.read(tmp_path / "a.npy")[0, 0, 0] == levels  # 20 / 100 * 65535


def test_some_names_and_the_number_of_the_rest():
    assert folders.some(["a", "b"]) == "a, b"
    assert folders.some([str(number) for number in range(10)]).endswith("6, 7, 2 more")
    assert folders.Finding("note", "a").level == "note"
    assert Path("a") == folders.ImageReport(Path("a")).path
