"""Which statistics: by the training, unless one is asked for."""

import pytest
import yaml

from cyclegan_tf.images.training_scale import FULL, TrainingScale
from cyclegan_tf.networks.builders import build_generator
from cyclegan_tf.runs import generators, seal
from cyclegan_tf.translate.tiling.statistics import patch_px
from tests.helpers.errors import refused


@pytest.fixture
def on_crops(tiny_run_copy):
    path = tiny_run_copy / "config.yaml"
    fields = yaml.safe_load(path.read_text())
    fields["data"]["preprocess"] = "crop"
    path.write_text(seal.sealed(yaml.safe_dump(fields)))
    return tiny_run_copy


def test_a_run_on_crops_of_images_as_they_are_is_local(on_crops, tiny_run):
    assert patch_px(on_crops, "xy", "auto") == 16
    assert patch_px(on_crops, "xy", "local", 32) == 32
    assert patch_px(on_crops, "xy", "whole") == 0
    assert patch_px(tiny_run, "xy", "auto") == 0  # resized first
    assert patch_px(tiny_run, "xy", "local") == 16


def test_a_file_says_its_scale_or_nothing(tmp_path):
    network = build_generator("resnet_6blocks", filters=2, blocks=1)
    for name, scale in (("old", None), ("crops", FULL), ("area", TrainingScale("area", 64))):
        generators.save_generator(network, tmp_path / f"{name}.keras", scale)
        assert patch_px(tmp_path / f"{name}.keras", "xy", "auto") == 0
    assert patch_px(tmp_path / "area.keras", "xy", "local") == 64
    for name in ("old", "crops"):
        with refused("missing", "--patch_px", match="does not say how large the crops"):
            patch_px(tmp_path / f"{name}.keras", "xy", "local")


def test_a_size_is_for_patches(tiny_run):
    with refused("mismatch", "--patch_px", match="for --statistics local"):
        patch_px(tiny_run, "xy", "whole", 64)
