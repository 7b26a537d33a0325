"""`stylize`: one style, several, a folder; mistakes before TensorFlow; nothing half written."""

import importlib.util
import sys

import numpy as np
import pytest

from cyclegan_tf import cli
from cyclegan_tf.images import io as image_io
from cyclegan_tf.stylize import command as stylize
from cyclegan_tf.stylize import optimizers
from tests.helpers import image_files, tiny_vgg
from tests.helpers.errors import refused


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return tiny_vgg.save(tmp_path_factory.mktemp("weights") / "vgg.npz")


OBJECTIVES: dict = {}


@pytest.fixture(autouse=True)
def _one_graph(monkeypatch):
    tiny_vgg.share_objectives(monkeypatch, OBJECTIVES)


@pytest.fixture
def here(tmp_path, monkeypatch, weights):
    """A content image, a style image and a folder of two; the current folder."""
    monkeypatch.chdir(tmp_path)
    image_io.save("photo.jpg", image_files.smooth(20, 30))
    for name in ("monet.png", "paintings/1.png", "paintings/in/2.png"):
        image_io.save(name, image_files.noise(24, 16))
    return tmp_path


def run(weights, *words):
    return stylize.main([*words, "--weights", str(weights), "--steps", "2"])


def test_one_style(here, weights, capsys, monkeypatch):
    # the file of weights has been read before TensorFlow is imported, and is not read again
    monkeypatch.setattr("cyclegan_tf.features.loading.read_convolutions", None)
    assert run(weights, "photo.jpg", "monet.png", "out.png", "--octaves", "2") == 0
    assert image_io.read("out.png").shape == (20, 30, 3)
    said = capsys.readouterr().out
    assert "style     monet.png" in said
    assert "photo.jpg at 15 x 10, 30 x 20 px, 2 steps each" in said


def test_a_collection_and_a_folder_of_contents(here, weights, capsys):
    words = ("monet.png", "paintings", "out/", "--size", "16")
    assert run(weights, "photo.jpg", *words) == 0
    assert "style     mean of 3 images" in capsys.readouterr().out
    first = image_io.read("out/photo.jpg")
    image_io.save("photos/photo.jpg", image_io.read("photo.jpg"))
    (here / "photos" / "broken.jpg").write_bytes(b"none")
    assert run(weights, "photos", *words, "--skip_existing") == 1
    assert "skipped: " in capsys.readouterr().err
    np.testing.assert_array_equal(image_io.read("out/photo.jpg"), first)
    assert run(weights, "photo.jpg", *words, "--overwrite", "--style_images", "2") == 0
    assert "style     mean of 2 images" in capsys.readouterr().out


MISTAKES = [
    ("phto.jpg monet.png o.png", "missing", "phto.jpg"),
    ("photo.jpg money.png o.png", "missing", "money.png"),
    ("photo.jpg empty o.png", "missing", "empty"),
    ("photo.jpg monet.png o.xyz", "unsupported", "o.xyz"),
    ("photo.jpg monet.png photo.jpg --overwrite", "exists", "photo.jpg"),
    ("photo.jpg paintings monet.png paintings/1.png --overwrite", "exists", "paintings/1.png"),
    ("photo.jpg paintings monet.png", "exists", "monet.png"),
    ("photo.jpg bad.png o.png", "unreadable", "bad.png"),
    ("bad.png monet.png o.png", "unreadable", "bad.png"),
    ("photo.jpg monet.png o.png --steps 0", "invalid", "--steps"),
    ("photo.jpg monet.png o.png --octaves -1", "invalid", "--octaves"),
    ("photo.jpg monet.png o.png --style_weight nan", "invalid", "--style_weight"),
    ("photo.jpg monet.png o.png --content_weight 1e300", "invalid", "--content_weight"),
    ("photo.jpg monet.png o.png --weights no.npz", "missing", "--weights"),
    ("photo.jpg monet.png o.png --features alexnet", "invalid", "--features"),
]


@pytest.mark.parametrize(("words", "code", "field"), MISTAKES)
def test_mistakes_are_answered_before_tensorflow_is_asked(here, monkeypatch, words, code, field):
    (here / "empty").mkdir()
    (here / "bad.png").write_bytes(b"none")
    monkeypatch.setitem(sys.modules, "cyclegan_tf.features.loading", None)
    with refused(code, field):
        stylize.main(words.split())


def test_a_forgotten_output_is_one_sentence(here):
    with refused("invalid") as caught:
        stylize.main(["photo.jpg", "monet.png"])
    assert "out" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_packages_that_are_not_there_name_the_extra(here, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    words = ["photo.jpg", "monet.png", "o.png"]
    for more, field in (
        (["--features", "vgg16_hed"], "--features"),
        (["--optimizer", "lbfgs"], "--optimizer"),
    ):
        with refused("dependency", field) as caught:
            stylize.main([*words, *more])
        assert '".[features]"' in str(caught.value)


def test_ctrl_c_leaves_nothing_behind(here, weights, monkeypatch, capsys):
    def interrupted(*given):
        raise KeyboardInterrupt

    monkeypatch.setitem(optimizers.OPTIMIZERS, "adam", interrupted)
    words = ["photo.jpg", "monet.png", "new/o.png", "--weights", str(weights)]
    with pytest.raises(SystemExit) as ended:
        cli.run(stylize.main, words)
    assert ended.value.code == 130
    assert not (here / "new").exists()


def test_a_weight_beyond_all_numbers_ends_with_status_1(here, weights, capsys):
    words = ["photo.jpg", "monet.png", "o.png", "--weights", str(weights)]
    with pytest.raises(SystemExit) as ended:
        cli.run(stylize.main, [*words, "--style_weight", "3e38"])
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("error: the loss became")


def test_an_image_too_large_for_the_memory_names_a_size_that_fits(
    here, weights, monkeypatch, capsys
):
    from cyclegan_tf.devices import hardware

    monkeypatch.setattr(hardware, "free_memory_bytes", lambda: 900_000)
    with refused("memory", "--size", match=r"give --size 18 or less"):
        run(weights, "photo.jpg", "monet.png", "o.png")
    assert run(weights, "photo.jpg", "monet.png", "o.png", "--size", "18") == 0
    image_io.save("photos/small.png", np.zeros((12, 12, 3), np.uint8))
    image_io.save("photos/large.png", np.zeros((30, 30, 3), np.uint8))
    (here / "photos" / "phone.psd").write_bytes(b"")
    assert run(weights, "photos", "monet.png", "out/") == 1
    said = capsys.readouterr()
    assert "skipped: " in said.err
    assert "1 files of kinds that are not read (1 .psd)" in said.out + said.err
    assert (here / "out" / "small.png").is_file()
    assert not (here / "out" / "large.png").exists()
