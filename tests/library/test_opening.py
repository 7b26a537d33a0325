"""`cyclegan_tf.load`: one image, one answer, whatever kind of file the model comes from."""

import numpy as np
import pytest
from PIL import Image

import cyclegan_tf
from cyclegan_tf.translate import command as translate
from tests.helpers.errors import refused

IMAGE = np.random.default_rng(0).integers(0, 256, (21, 30, 3), np.uint8)


@pytest.fixture(scope="module")
def by_command(tiny_run, tmp_path_factory):
    """What the command makes of the image."""
    folder = tmp_path_factory.mktemp("command")
    Image.fromarray(IMAGE).save(folder / "a.png")
    words = [str(tiny_run), str(folder / "a.png"), str(folder / "b.png"), "--quiet"]
    assert translate.main(words) == 0
    return np.asarray(Image.open(folder / "b.png"))


def test_a_run_gives_what_the_command_gives(tiny_run, by_command):
    np.testing.assert_array_equal(cyclegan_tf.load(tiny_run).translate(IMAGE), by_command)


def test_a_keras_file_knows_its_direction_by_its_name(tiny_run):
    run = cyclegan_tf.load(str(tiny_run))
    for direction in ("xy", "yx"):
        model = cyclegan_tf.load(tiny_run / f"generator_{direction}.keras")
        assert model.directions == (direction,)
        np.testing.assert_array_equal(model.translate(IMAGE), run.translate(IMAGE, direction))


def test_an_export_its_model_and_its_version(tiny_export, by_command):
    export = cyclegan_tf.load(tiny_export)
    assert set(export.directions) == {"xy", "yx"}
    (name,) = (tiny_export / "saved_model").glob("*_xy")
    for model in (export, cyclegan_tf.load(name), cyclegan_tf.load(name / "1")):
        # float rounding of another graph: a level at most, in few pixels
        difference = np.abs(model.translate(IMAGE).astype(int) - by_command)
        assert difference.max() <= 1
        assert (difference > 0).mean() < 0.01


def test_a_pth_file(tiny_run, tmp_path):
    pytest.importorskip("torch")
    from cyclegan_tf.convert import command as convert

    target = str(tmp_path / "net.pth")
    assert convert.main([str(tiny_run), target, "--to", "pytorch", "--quiet"]) == 0
    # by which the scale of its training is known
    (tmp_path / "train_opt.txt").write_text(
        "----- Options -----\nload_size: 18\ncrop_size: 16\n----- End -----\n"
    )
    wanted = cyclegan_tf.load(tiny_run, checkpoint="last").translate(IMAGE)
    difference = np.abs(cyclegan_tf.load(target).translate(IMAGE).astype(int) - wanted)
    assert difference.max() <= 1


@pytest.mark.parametrize("name", ["nothing", "empty"])
def test_what_is_no_model_is_refused(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with refused("missing", str(tmp_path / name)):
        cyclegan_tf.load(tmp_path / name)
