"""Cards: their fields, and checksums that an independent program confirms."""

import json
import subprocess

from cyclegan_tf.export.model_card import VALUE_RANGE, card_text, model_card, write_model_card
from cyclegan_tf.export.trained import TrainedGenerator
from cyclegan_tf.images.ranges import RangePair, ValueRange
from cyclegan_tf.networks.builders import build_generator


def trained(**more):
    network = build_generator("fast_style", filters=2, blocks=1, input_channels=1)
    return TrainedGenerator(
        network, "xy", "runs/a/checkpoints/step_000000010.npz", 4, 64, None, None, **more
    )


def test_fields_of_a_card():
    experiment = {"data": {"source": "images", "x_dir": None}, "training": {"seed": 3}}
    card = model_card(
        trained(experiment=experiment, scores={"step": 10, "cycle_x": 0.25}), "a_xy", 64
    )
    assert card["name"] == "a_xy"
    assert card["direction"] == "xy"
    assert card["checkpoint"].endswith("step_000000010.npz")
    assert card["config"]["training"]["seed"] == 3
    assert card["data_source"] == "images"
    assert card["scores"] == {"step": 10, "cycle_x": 0.25}
    assert card["input"]["shape"] == [1, 64, 64, 1]
    assert card["output"]["shape"] == [1, 64, 64, 3]
    assert card["parameters"] == trained().network.count_params()
    assert json.loads(card_text(card)) == card


def test_any_size_and_two_folders():
    experiment = {"data": {"source": "demo", "x_dir": "cats", "y_dir": "dogs"}}
    card = model_card(trained(experiment=experiment), "a_xy")
    assert card["input"]["shape"] == ["N", "any", "any", 1]
    assert card["data_source"] == "cats and dogs"
    assert model_card(trained(), "a_xy")["data_source"] is None


def test_ranges_are_in_the_card():
    ranges = RangePair(None, ValueRange(-1000, 3000, "int16"))
    card = json.loads(card_text(model_card(trained(ranges=ranges), "a_xy")))
    assert RangePair.from_dict(card["value_ranges"]) == ranges
    assert card["input"]["range"] == VALUE_RANGE
    assert card["output"]["range"] == (
        "-1 (-1000 in int16 files) to 1 (3000): number = -1000 + (value + 1) / 2 * 4000"
    )
    assert model_card(trained(), "a_xy")["value_ranges"] is None


def test_checksums_are_those_of_sha256sum(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "a.bin").write_bytes(b"abc" * 700_000)
    (tmp_path / "inner" / "b.txt").write_text("b")
    write_model_card(tmp_path, {"name": "x"}, "inner/card.json")
    card = json.loads((tmp_path / "inner" / "card.json").read_text())
    assert set(card["files"]) == {"a.bin", "inner/b.txt"}
    for name, digest in card["files"].items():
        assert (
            subprocess.run(
                ["sha256sum", tmp_path / name], capture_output=True, text=True
            ).stdout.split()[0]
            == digest
        )
