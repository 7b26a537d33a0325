"""In what experiments differ; what keeps a run from going on is in test_run_directory.py."""

from cyclegan_tf.config.experiment import Data, Experiment, Logging
from cyclegan_tf.runs.differences import conflicts, differences


def test_differences_are_named():
    other = Experiment(data=Data(crop_size_px=128))
    assert differences(Experiment(), other) == [("data.crop_size_px", 256, 128)]
    assert conflicts(Experiment(), other) == differences(Experiment(), other)


def test_what_decides_no_result_is_no_conflict():
    other = Experiment(logging=Logging(log_every_steps=7))
    assert [name for name, _, _ in differences(Experiment(), other)] == ["logging.log_every_steps"]
    assert conflicts(Experiment(), other) == []
