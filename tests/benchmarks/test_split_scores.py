"""Scores of a test split, by hand on made splits, and the weights they are taken from."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from benchmarks.quality import animals, split_scores
from cyclegan_tf import assembly
from cyclegan_tf.config.experiment import Data, Discriminator, Experiment, Generator, Training
from cyclegan_tf.data import demo
from cyclegan_tf.evaluate.split import Split
from cyclegan_tf.metrics.segmentation import Palette
from cyclegan_tf.runs import checkpoints, state
from cyclegan_tf.runs.run_directory import RunDirectory
from tests.helpers.errors import refused

PALETTE = Palette(
    np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0]], np.uint8), ("black", "white", "red")
)


def drawn(color, count=1):
    """(count, 4, 4, 3) in one color, 0 to 1 -> [-1, 1]."""
    return np.full((count, 4, 4, 3), 2 * np.array(color, np.float32) - 1, np.float32)


def negative(image):
    return -image


@pytest.fixture
def evaluator():
    """Pairs of images that are each other's negative."""
    rng = np.random.default_rng(0)
    x = [rng.uniform(-1, 1, (32, 32, 3)).astype(np.float32) for _ in range(3)]
    names = ("a", "b", "c")
    split = Split(x, [-image for image in x], names, names, ((0, 0), (1, 1), (2, 2)))
    masks = np.zeros((3, 32, 32), bool)
    masks[:, :8] = True
    return split_scores.SplitEvaluator(
        split, {"x": x, "y": [-image for image in x]}, masks, PALETTE
    )


def test_color_shift_by_hand():
    truth = np.concatenate([drawn((0, 0, 0)), drawn((1, 1, 1))])
    images = np.concatenate([drawn((0.5, 0, 0)), drawn((1, 1, 0.25))])
    assert split_scores.color_shift(images, truth) == pytest.approx((1.0 + 1.5) / 6)
    checkered = truth.copy()
    checkered[0, ::2] += 0.5
    checkered[0, 1::2] -= 0.5
    assert split_scores.color_shift(checkered, truth) == pytest.approx(0)


def test_labels_are_read_through_the_palette_in_one_direction():
    truth = [drawn((0, 0, 0))[0], drawn((1, 1, 1))[0]]
    split = Split([-image for image in truth], truth, ("a", "b"), ("a", "b"), ((0, 0), (1, 1)))
    white = [drawn((1, 1, 1))[0], drawn((0.8, 0.9, 1))[0], drawn((0, 0, 0))[0]]
    evaluator = split_scores.SplitEvaluator(split, {"x": white, "y": white}, None, PALETTE)

    def translate(image):  # black stays; of white a quarter, the rest becomes red
        found = np.broadcast_to(drawn((0.9, 0.1, 0)), image.shape).copy()
        found[:, :1] = 1
        return np.where(image > 0, -1, found)

    scores = evaluator.scores(translate, None, "xy")
    assert scores["pixel_accuracy"] == pytest.approx(20 / 32)
    assert scores["class_accuracy"] == scores["class_iou"] == pytest.approx((1 + 0.25) / 2)
    assert "pixel_accuracy" not in evaluator.scores(translate, None, "yx")
    constant = evaluator.baselines("xy")[
        "constant"
    ]  # white, the most frequent of the training targets
    assert constant["pixel_accuracy"] == constant["class_accuracy"] == 0.5
    assert constant["class_iou"] == 0.25


def test_a_perfect_generator(evaluator):
    both = split_scores.both_directions(evaluator, {"xy": negative, "yx": negative})
    for direction, found in both.items():
        assert found["psnr"] == np.inf, direction
        assert (
            found["mae"]
            == found["color_shift"]
            == found["animals_mae"]
            == found["cycle_error"]
            == 0
        )
        assert found["nearer"] == 3
        assert found["identity_color_shift"] == pytest.approx(
            np.mean([np.abs(2 * image.mean((0, 1))) for image in evaluator.split.x])
        )
    assert both["xy"]["pixel_accuracy"] == 1
    assert "pixel_accuracy" not in both["yx"]


def test_brief_scores_are_the_same_with_nothing_translated_but_the_inputs(evaluator):
    shown = []

    def translate(image):
        shown.append(np.asarray(image))
        return 0.5 * image

    whole = split_scores.both_directions(evaluator, {"xy": translate, "yx": translate})
    shown.clear()
    brief = split_scores.both_directions(evaluator, {"xy": translate, "yx": translate}, brief=True)
    assert len(shown) == 6
    for direction, found in brief.items():
        assert {
            "swd",
            "color_swd",
            "psnr",
            "ssim",
            "mae",
            "checkerboard",
            "animals_mae",
        } <= found.keys()
        assert found == {name: whole[direction][name] for name in found}


def test_baselines_stand_beside_with_the_same_scores(evaluator):
    found = evaluator.baselines("xy")
    scores = evaluator.scores(lambda image: image, None, "xy")
    for name in (
        "psnr",
        "mae",
        "ssim",
        "animals_mae",
        "animals_psnr",
        "nearer",
        "checkerboard",
        "pixel_accuracy",
    ):
        assert found["unchanged input"][name] == pytest.approx(scores[name]), name
    assert set(found) == {"unchanged input", "constant", "random real", "truth"}
    assert found["constant"]["checkerboard"] == pytest.approx(0)


def test_animals_are_scored_by_their_pixels_alone():
    truth = np.zeros((2, 4, 4, 3), np.float32)
    inputs, outputs = truth + 0.4, truth + 0.9
    masks = np.zeros((2, 4, 4), bool)
    masks[0, 0, 0] = masks[1, :2] = True
    outputs[0, 0, 0], outputs[1, :2] = 0.1, 0.5
    found = animals.on_animals(outputs, inputs, truth, masks)
    assert found["nearer"] == 1
    assert found["animals_mae"] == pytest.approx(0.3)
    assert found["animals_psnr"] == pytest.approx(10 * np.log10(4 / ((0.1**2 + 8 * 0.5**2) / 9)))


def test_masks_are_those_of_the_demo():
    masks = animals.animal_masks(3, demo.SIZE_PX)
    assert np.array_equal(
        masks, np.stack([demo.test_pair(index, demo.SIZE_PX)[2] for index in range(3)])
    )
    small = animals.animal_masks(3, 64)
    assert small.shape == (3, 64, 64)
    assert small.mean() == pytest.approx(masks.mean(), rel=0.1)


# Where weights come from.


@pytest.fixture
def run(tmp_path):
    """A run whose checkpoint holds generators and, as their averages, twice their weights."""
    folder = tmp_path / "data"
    for name in ("trainA", "trainB", "testA", "testB"):
        (folder / name).mkdir(parents=True)
        for index in range(2):
            Image.fromarray(np.full((16, 16, 3), 40 * index, np.uint8)).save(
                folder / name / f"{index}.png"
            )
    experiment = Experiment(
        data=Data(source=str(folder), load_size_px=16, crop_size_px=16),
        generator=Generator("resnet_6blocks", filters=2, blocks=1),
        discriminator=Discriminator(filters=2, n_layers=1),
        training=Training(precision="float32"),
    )
    made = RunDirectory(tmp_path / "run")
    made.create(experiment, {})
    raw, averages = {}, {}
    for direction in ("xy", "yx"):
        network = assembly.build_generator(experiment, direction)
        raw |= state.snapshot(state.network_variables(network, f"generator_{direction}"))
        averages |= {
            f"average/generator_{direction}/{weight.path}": 2 * weight.numpy()
            for weight in network.trainable_variables
        }
    checkpoints.write(made.checkpoints, 7, raw | averages, {"step": 7, "seconds": 90.0}, keep=1)
    return made


def test_raw_and_averaged_weights_of_the_last_step(run):
    image = tf.random.stateless_uniform((1, 16, 16, 3), (1, 2), -1, 1)
    for direction in ("xy", "yx"):
        network = assembly.build_generator(run.experiment(), direction)
        raw = network(image).numpy()
        for weight in network.trainable_variables:
            weight.assign(2 * weight.numpy())
        doubled = network(image).numpy()
        assert np.abs(raw - doubled).max() > 1e-4
        assert split_scores.of_run(run.path)[direction](image).numpy() == pytest.approx(
            raw, abs=1e-6
        )
        averaged = split_scores.of_run(run.path, averaged=True)[direction](image).numpy()
        assert averaged == pytest.approx(doubled, abs=1e-6)


def test_a_run_without_averages_is_refused(run):
    last = checkpoints.select(run.checkpoints, checkpoints.LAST)
    raw = {name: array for name, array in last.arrays.items() if not name.startswith("average/")}
    checkpoints.write(run.checkpoints, 8, raw, {"step": 8, "seconds": 90.0}, keep=1)
    with refused("missing", match=r"trained without training\.ema_half_life_images"):
        split_scores.of_run(run.path, averaged=True)


def test_weights_of_files(run, tmp_path):
    network = assembly.build_generator(run.experiment(), "xy")
    network.save(tmp_path / "one.keras")
    image = tf.random.stateless_uniform((1, 16, 16, 3), (1, 2), -1, 1)
    (translate,) = split_scores.of_files({"xy": tmp_path / "one.keras"}).values()
    assert translate(image).numpy() == pytest.approx(network(image).numpy(), abs=1e-6)


def test_the_test_split_of_a_folder_must_be_paired(run):
    evaluator = split_scores.SplitEvaluator.of(run.experiment())
    assert evaluator.split.pairs == ((0, 0), (1, 1))
    assert evaluator.masks is None
    assert [len(images) for images in evaluator.training.values()] == [2, 2]
    test_y = Path(run.experiment().data.source) / "testB"
    (test_y / "1.png").rename(test_y / "other.png")
    with refused("missing", "data.source", match="has no pairs"):
        split_scores.SplitEvaluator.of(run.experiment())
