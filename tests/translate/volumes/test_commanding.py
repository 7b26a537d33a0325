"""Volumes of a command line: what is skipped, what is said."""

import numpy as np
import pytest

from cyclegan_tf.images.ranges import RangePair, ValueRange
from cyclegan_tf.images.training_scale import TrainingScale
from cyclegan_tf.translate import command
from cyclegan_tf.translate.sizing import Sizing
from cyclegan_tf.translate.tasks import Task
from cyclegan_tf.translate.volumes import commanding
from cyclegan_tf.volumes.opening import open_volume
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


def test_the_command_translates_volumes(tiny_run, tmp_path, capsys):
    values = np.clip(volumes.ball((20, 18, 4), inside=90, outside=10), 0, 255).astype(np.uint8)
    volumes.write_nifti(tmp_path / "in" / "a.nii.gz", values)
    volumes.write_nifti(tmp_path / "in" / "b.nii", values)
    words = [str(tiny_run), str(tmp_path / "in"), str(tmp_path / "out")]
    assert command.main(words) == 0
    assert "2 of 2 volumes translated" in capsys.readouterr().out
    for name in ("a.nii.gz", "b.nii"):
        found = open_volume(tmp_path / "out" / name)
        assert (found.voxels.shape, found.voxels.dtype) == (values.shape, np.uint8)
        assert not np.array_equal(found.voxels, values)
        assert np.array_equal(found.geometry.affine, volumes.AFFINE)
    with refused("exists"):
        command.main(words)
    (tmp_path / "out" / "b.nii").unlink()
    assert command.main([*words, "--skip_existing", "--directions", "3"]) == 0
    assert "1 of 1 volumes translated" in capsys.readouterr().out
    with refused("mismatch", "--tile_px"):
        command.main([*words, "--tile_px", "64"])
