"""Files in tiles: small and large, whole stacks, holes, alpha."""

import logging

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.codecs import Kept, probe, read_alpha
from cyclegan_tf.images.stacks import read_stack
from cyclegan_tf.translate.tasks import Task
from cyclegan_tf.translate.tiling.large_files import translate_large_files
from cyclegan_tf.translate.tiling.tiled import TiledTranslator
from cyclegan_tf.translate.translator import Translator
from tests.helpers import image_files
from tests.translate.tiling.test_tiled import (
    OVERLAP,
    TILE,
    largest_difference,
    network,
    uneven,
)


@pytest.fixture(scope="module")
def plain():
    return network()


@pytest.fixture(scope="module")
def small():
    return network(filters=2)


def test_files_small_and_large_good_and_bad(plain, tmp_path, caplog):
    large, small = uneven(), image_files.smooth()
    image_io.save(tmp_path / "large.tif", large)
    image_io.save(tmp_path / "small.png", small)
    (tmp_path / "bad.tif").write_bytes((tmp_path / "large.tif").read_bytes()[:5000])
    names = ["large.tif", "bad.tif", "small.png", "large.tif"]
    tasks = [Task(tmp_path / name, tmp_path / "out" / name) for name in names]
    tasks.insert(2, Task(tmp_path / "large.tif", tmp_path / "out" / f"{'n' * 252}.tif"))
    whole = Translator(plain, 4)
    caplog.set_level(logging.INFO)
    tiled = TiledTranslator(plain, 4, TILE, OVERLAP)
    outcomes = list(translate_large_files(tiled, whole, tasks, False))
    assert [outcome.error and outcome.error.code for outcome in outcomes] == [
        None, "unreadable", "unwritable", None, "exists"
    ]  # fmt: skip
    errors = [None if outcome.error is None else str(outcome.error) for outcome in outcomes]
    assert errors[0] is errors[3] is None
    assert "bad.tif: is damaged or cut off" in errors[1]
    assert errors[2].endswith(".tif cannot be written: File name too long.")
    assert "another image was already written" in errors[4]
    assert largest_difference(image_io.read(tmp_path / "out" / "large.tif"), whole(large)) <= 1
    np.testing.assert_array_equal(image_io.read(tmp_path / "out" / "small.png"), whole(small))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["large.tif", "small.png"]
    assert caplog.messages[0].startswith("large.tif: 205 x 150 in 6 tiles, 8 rounds that take 1.")


def test_pages_and_alpha(small, tmp_path):
    pages = [Image.fromarray(uneven(40, 48)), Image.fromarray(uneven(40, 48)[::-1])]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    image = pages[0].copy()
    image.putalpha(Image.fromarray(image_files.noise(40, 48, 1)[..., 0]))
    image.save(tmp_path / "alpha.tif")
    pages[0].save(tmp_path / "other.tif", save_all=True, append_images=[pages[1].resize((9, 9))])
    names = ("stack.tif", "alpha.tif", "other.tif")
    tasks = [Task(tmp_path / name, tmp_path / "out" / name) for name in names]
    whole, tiled = Translator(small, 4), TiledTranslator(small, 4, 32, 8)
    *done, failed = translate_large_files(tiled, whole, tasks, False, kept=Kept(alpha=True))
    assert [outcome.error for outcome in done] == [None, None]
    assert "some differ in size" in str(failed.error)
    found = read_stack(probe(tasks[0].target), 3).images
    assert [page.shape for page in found] == [(40, 48, 3)] * 2
    assert largest_difference(*found) > 20
    alpha = read_alpha(probe(tasks[1].target))
    np.testing.assert_array_equal(alpha[..., 0], np.asarray(image)[..., 3])
