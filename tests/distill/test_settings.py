"""What a distillation is asked for, and what its folder was begun with."""

import dataclasses

import pytest

from cyclegan_tf.distill import settings as asked
from cyclegan_tf.distill.settings import Settings
from tests.helpers.errors import refused


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"filters": 0}, "--filters"),
        ({"blocks": 0}, "--blocks"),
        ({"size_px": 8}, "--size_px"),
        ({"batch_size": 0}, "--batch_size"),
        ({"looks": 0}, "--looks"),
        ({"max_steps": 0}, "--max_steps"),
        ({"seed": -1}, "--seed"),
        ({"max_minutes": 0.0}, "--max_minutes"),
        ({"learning_rate": float("nan")}, "--learning_rate"),
        ({"ssim": -1.0}, "--ssim"),
        ({"l1": 0.0, "ssim": 0.0, "feature_weight": 0.0, "statistics": 0.0}, "--l1"),
    ],
)
def test_numbers_out_of_range(values, field):
    with refused("invalid", field):
        Settings(**values).check()


def test_ten_minutes_where_nothing_else_ends_it():
    assert Settings().seconds == 600
    assert Settings(max_steps=3).seconds is None
    assert Settings(max_steps=3, max_minutes=0.5).seconds == 30


def test_a_folder_remembers(tmp_path):
    settings = Settings(filters=8, max_steps=5)
    asked.begin(tmp_path, settings, {"xy": "step 3"})
    asked.begin(tmp_path, dataclasses.replace(settings, max_steps=9), {"yx": "step 3"})
    assert asked.read(tmp_path)["teachers"] == {"xy": "step 3", "yx": "step 3"}
    with refused("mismatch", "--filters", match="was begun with 8; give that, or another OUT"):
        asked.begin(tmp_path, dataclasses.replace(settings, filters=4), {"xy": "step 3"})
    with refused("mismatch", tmp_path, match="begun with the teacher step 3, and this is step 4"):
        asked.begin(tmp_path, settings, {"xy": "step 4"})


def test_what_is_no_folder_for_it(tmp_path):
    file = tmp_path / "file"
    file.write_text("mine")
    with refused("exists", file, match="is a file"):
        asked.check_out(file)
    with refused("exists", tmp_path, match="holds file and no distillation"):
        asked.check_out(tmp_path)
    asked.check_out(tmp_path / "new")
    (tmp_path / asked.CONFIG).write_text("[]")
    asked.check_out(tmp_path)
    with refused("unreadable", tmp_path / asked.CONFIG, match="cannot be read; give another OUT"):
        asked.read(tmp_path)
