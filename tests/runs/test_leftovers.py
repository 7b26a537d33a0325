"""Half-written files go with the next start."""

import pytest

from cyclegan_tf.atomic import partial_name
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.runs import lock
from cyclegan_tf.runs.leftovers import remove_leftovers
from cyclegan_tf.runs.run_directory import RunDirectory

FORMER = {
    ".": ["metrics.jsonl.partial", "config.yaml.partial", "generator_xy.partial.keras"],
    "checkpoints": ["step_000000010.partial"],
    "checkpoints/best": ["step_000000008.partial"],
    "samples": [".step_000000010_xy.png.4711-139.partial"],
    "cache": ["train_x.partial"],
}
OTHERS = ["notes.partial", ".partial-4711-abcd", "step_000000010.npz", "step_10.partial"]


@pytest.fixture
def run(tmp_path):
    run = RunDirectory(tmp_path / "run")
    run.create(Experiment(), {})
    for folder, names in FORMER.items():
        (run.path / folder).mkdir(parents=True, exist_ok=True)
        for name in [*names, *OTHERS, partial_name(".npz")]:
            (run.path / folder / name).write_bytes(b"half")
    return run


def halves(run):
    return sorted(
        path.name
        for path in run.path.rglob("*")
        if path.is_file() and path.name not in OTHERS and "partial" in path.name
    )


def test_the_next_start_removes_them_and_nothing_else(run):
    assert len(halves(run)) == 12
    with run.locked():
        assert halves(run) == []
    for folder in FORMER:
        assert {path.name for path in (run.path / folder).iterdir()} >= set(OTHERS)


def test_without_a_lock_they_may_be_somebodys_work(run, monkeypatch):
    def without(_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(lock, "_lock_at_once", without)
    with run.locked():
        assert len(halves(run)) == 12


def test_folders_that_are_not_there(tmp_path):
    remove_leftovers([tmp_path / "absent"])
