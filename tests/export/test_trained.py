"""What is exported and with which images: runs, files, folders."""

import shutil

import numpy as np
import pytest
import yaml

from cyclegan_tf.data.image_lists import ImageList
from cyclegan_tf.export.trained import calibration_images, open_trained
from cyclegan_tf.images import io as image_io
from cyclegan_tf.runs import generators
from tests.helpers import tiny
from tests.helpers.errors import refused


def change_config(run, section, **values):
    """Writes other values into the resolved config of a run."""
    path = run / "config.yaml"
    config = yaml.safe_load(path.read_text())
    config[section].update(values)
    path.write_text(yaml.safe_dump(config))


@pytest.fixture(scope="module")
def run(tiny_run, tmp_path_factory):
    """The tiny run as one that was trained in bfloat16: its config and its .keras file say so."""
    run = shutil.copytree(tiny_run, tmp_path_factory.mktemp("trained") / "run")
    change_config(run, "training", precision="bfloat16")
    network, _ = generators.load_generator(run, "xy")
    assert "bfloat16" in {layer.compute_dtype for layer in network.layers}
    network.save(run / "generator_xy.keras")
    return run


def test_a_run(run):
    for direction, names in (
        ("xy", ["testA/0.png", "testA/1.png"]),
        ("yx", ["testB/0.png", "testB/1.png"]),
    ):
        trained = open_trained(run, direction)
        assert trained.network.name == f"generator_{direction}"
        assert {layer.compute_dtype for layer in trained.network.layers} == {"float32"}
        assert "step_000000003.npz" in trained.origin
        assert (trained.size_px, trained.size_divisor_px) == (16, 4)
        assert list(trained.test_images().names) == names
        assert len(trained.training_images()) == {"xy": 5, "yx": 4}[direction]
        assert trained.experiment["generator"]["filters"] == 2
        assert trained.scores["step"] == 3
        assert {"cycle_x", "adversarial_y", "swd_xy", "swd_yx"} <= set(trained.scores)
        assert trained.scores["weights"] == "raw"
        assert "best" in trained.origin


def test_a_file_is_the_same_network_in_float32(run):
    of_file = open_trained(run / "generator_xy.keras", "xy")
    assert {layer.compute_dtype for layer in of_file.network.layers} == {"float32"}
    image = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32)
    np.testing.assert_array_equal(of_file.network(image), open_trained(run, "xy").network(image))
    assert of_file.size_px is None


def test_a_file_does_not_know_its_images(run, tmp_path):
    trained = open_trained(run / "generator_xy.keras", "xy")
    with refused("missing", "--images", match="give a folder of them with --images") as caught:
        trained.training_images()
    assert (caught.value.code, caught.value.field) == ("missing", "--images")
    image_io.save(tmp_path / "a.png", np.zeros((8, 8, 3), np.uint8))
    assert open_trained(run / "generator_xy.keras", "xy", tmp_path).training_images().names == (
        "a.png",
    )
    assert open_trained(run, "xy", tmp_path).test_images().names == ("a.png",)
    (tmp_path / "none").mkdir()
    with refused("missing", "--images", match=r"--images .* holds no images") as caught:
        open_trained(run, "xy", tmp_path / "none").test_images()
    assert (caught.value.code, caught.value.field) == ("missing", "--images")


def test_a_run_whose_images_are_gone_says_what_to_give(tiny_run_copy, tmp_path):
    change_config(tiny_run_copy, "data", source=str(tmp_path / "gone"))
    with refused("missing", "data.source", match=r"does not exist\..*--images"):
        open_trained(tiny_run_copy, "xy").training_images()


def test_without_a_test_split_training_images_are_compared(tiny_run_copy, tmp_path):
    source = tiny.folder(tmp_path / "images", (3, 3, 0, 0))
    change_config(tiny_run_copy, "data", source=str(source))
    assert len(open_trained(tiny_run_copy, "xy").test_images()) == 3


def test_another_checkpoint_may_be_asked_for(run):
    assert open_trained(run, "xy", None, "last").origin.endswith("newest)")
    with refused("missing", "--checkpoint"):
        open_trained(run, "xy", None, "9")


def test_calibration_images_keep_shapes_and_spread_over_the_list(tmp_path):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 255  # the middle third is what a square at the center holds
    images = ImageList(
        tuple("abcdefg"),
        3,
        lambda index: wide if index == 0 else np.full((9, 7, 3), index, np.uint8),
    )
    batch = calibration_images(images, 3, 16)
    assert batch.shape == (3, 16, 16, 3)
    assert batch.dtype == np.float32
    assert batch[0, :, 3:13].min() > 0.99
    assert [image_io.from_signed(image)[8, 8, 0] for image in batch[1:]] == [3, 6]
    assert len(calibration_images(images, 50, 16)) == 7
