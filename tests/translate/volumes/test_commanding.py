"""Volumes of a command line: what is skipped, what is said."""

import pytest

from cyclegan_tf.images.ranges import RangePair, ValueRange
from cyclegan_tf.images.training_scale import TrainingScale
from cyclegan_tf.translate.sizing import Sizing
from cyclegan_tf.translate.tasks import Task
from cyclegan_tf.translate.volumes import commanding
from tests.helpers import volumes
from tests.helpers.errors import refused
from tests.translate.volumes.test_translation import Network

CT = ValueRange(-1000, 800, "int16")
SIZING = Sizing.of("full", TrainingScale("area", 8))


def run(tasks, **options):
    translate = commanding.VolumeTranslator(Network(), RangePair(CT, CT), ("axial",))
    defaults = {"skips": True, "replace": False, "show_progress": False}
    return commanding.translate_volumes(translate, tasks, SIZING, **{**defaults, **options})


@pytest.fixture
def tasks(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "bad.nii").write_bytes(b"no volume")
    volumes.write_nifti(tmp_path / "in" / "good.nii", volumes.ball())
    names = ("bad.nii", "good.nii")
    return [Task(tmp_path / "in" / name, tmp_path / "out" / name) for name in names]


def test_what_cannot_be_used_is_skipped_among_others(tasks, capsys, caplog):
    assert run(tasks) == 1
    assert "skipped" in capsys.readouterr().err
    assert [task.target.exists() for task in tasks] == [False, True]
    said = caplog.text
    assert "slices are more than 1.5 times larger" in said
    assert "lay outside the range of training, -1000 to 800 (int16), and were clipped" in said


def test_one_that_cannot_be_used_is_the_error(tasks):
    with refused("unreadable", tasks[0].source):
        run(tasks[:1], skips=False)


def test_what_cannot_be_written_stops(tasks, tmp_path):
    (tmp_path / "out").write_text("a file where a folder belongs")
    with refused("unwritable", tasks[1].target):
        run(tasks)


def test_progress_counts_slices(tasks, capsys):
    assert run(tasks[1:], show_progress=True) == 0
    assert "16/16" in capsys.readouterr().err
