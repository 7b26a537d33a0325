"""In what experiments differ; what keeps a run from going on is in test_run_directory.py."""

from cyclegan_tf.config.experiment import Data, Experiment, Logging, Training
from cyclegan_tf.runs.differences import check_same, conflicts, differences
from tests.helpers.errors import refused


def test_differences_are_named():
    other = Experiment(data=Data(crop_size_px=128))
    assert differences(Experiment(), other) == [("data.crop_size_px", 256, 128)]
    assert conflicts(Experiment(), other) == differences(Experiment(), other)


def test_what_decides_no_result_is_no_conflict():
    other = Experiment(data=Data(name_x="apples"), logging=Logging(log_every_steps=7))
    found = [name for name, _, _ in differences(Experiment(), other)]
    assert found == ["data.name_x", "logging.log_every_steps"]
    assert conflicts(Experiment(), other) == []


def test_a_longer_run_is_offered_what_makes_it_longer(tmp_path):
    check_same(tmp_path, Experiment(), Experiment())
    with refused("mismatch", "training.max_minutes", match=r"--training\.more_minutes N makes it"):
        check_same(tmp_path, Experiment(), Experiment(training=Training(max_minutes=60)))
