"""The page of figures 15 and 16: every column there, complete in itself."""

import re

import numpy as np
from PIL import Image

from benchmarks.quality import style_page
from cyclegan_tf.data import demo
from tests.helpers import tiny_vgg


def test_the_page_holds_every_column(tiny_run, tmp_path, capsys):
    weights = tiny_vgg.save(tmp_path / "vgg.npz")
    words = [str(tiny_run.parent / "images"), str(tmp_path / "page.html"), "--run", str(tiny_run)]
    options = ["--weights", str(weights), "--count", "2", "--steps", "1", "--style_images", "3"]
    image = tmp_path / "page.png"
    assert style_page.main([*words, *options, "--size", "24", "--image", str(image)]) == 0
    page = (tmp_path / "page.html").read_text()
    assert re.findall(r"<th>([\w ]+)<", page) == list(style_page.COLUMNS)
    assert page.count("<img ") == 2 + 2 * 5
    assert "3 images" in page
    assert not re.search(r'(src|href)="(?!data:)', page)
    with Image.open(image) as drawn:
        assert drawn.width > 5 * 24
    assert re.search(r"seconds: CycleGAN \d+, style 1 \d+, style 2 \d+, collection \d+", page)
    assert "seconds: CycleGAN" in capsys.readouterr().out


def test_the_demos_images_become_a_data_set(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "TEST_IMAGES", 1)
    folder = style_page.demo_files(tmp_path, 2)
    counts = {name: len(list((folder / name).iterdir())) for name in ("trainA", "trainB", "testA")}
    assert counts == {"trainA": 2, "trainB": 2, "testA": 1}
    with Image.open(folder / "trainB" / "001.png") as image:
        np.testing.assert_array_equal(image, demo.train_image("y", 1, demo.SIZE_PX))
