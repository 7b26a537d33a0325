"""`distill`: options, refusals before TensorFlow's work, what a signal leaves."""

import pytest

from cyclegan_tf.distill import command, session
from cyclegan_tf.distill.settings import Settings
from cyclegan_tf.runs.lock import FolderLock
from tests.helpers.errors import refused


@pytest.fixture
def jobs(monkeypatch):
    """Jobs that would have been done."""
    seen = []

    def distill(job):
        seen.append(job)
        return 0

    monkeypatch.setattr(session, "distill", distill)
    return seen


def test_both_directions_by_default(tiny_run, tmp_path, jobs):
    assert command.main([str(tiny_run), str(tmp_path / "out")]) == 0
    assert jobs[0].settings == Settings()
    assert jobs[0].directions == ("xy", "yx")
    assert not (tmp_path / "out").exists()  # nothing has begun


def test_options_become_settings(tiny_run, tmp_path, jobs):
    words = "--direction YX --filters 8 --architecture fast_style --max_minutes 1.5 --looks 2"
    assert command.main([str(tiny_run), str(tmp_path / "out"), *words.split()]) == 0
    expected = Settings("fast_style", 8, max_minutes=1.5, looks=2)
    assert (jobs[0].settings, jobs[0].directions) == (expected, ("yx",))


def test_a_file_holds_one_direction(tmp_path, tiny_run, jobs):
    words = [str(tiny_run / "generator_yx.keras"), str(tmp_path / "out")]
    with refused("missing", "--images", match="does not record which images it was trained on"):
        command.main(words)
    words += ["--images", str(tiny_run.parent / "images" / "trainB")]
    assert command.main(words) == 0
    assert jobs[0].directions == ("yx",)
    with refused("mismatch", "--direction", match="holds one generator"):
        command.main([*words, "--direction", "both"])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("nowhere out", "missing"),
        ("RUN out --images nowhere", "missing"),
        ("RUN out --filters 0", "invalid"),
        ("RUN out --checkpoint 99", "missing"),
        ("RUN RUN", "exists"),
    ],
)
def test_mistakes_make_nothing(words, code, tiny_run, tmp_path, monkeypatch, jobs):
    monkeypatch.chdir(tmp_path)
    with refused(code):
        command.main(words.replace("RUN", str(tiny_run)).split())
    assert (jobs, list(tmp_path.iterdir())) == ([], [])


def test_another_process_is_at_work_there(tiny_run, tmp_path, jobs):
    lock = FolderLock(tmp_path / ".lock")
    lock.acquire()
    with refused("in_use", tmp_path, match="in use by another process"):
        command.main([str(tiny_run), str(tmp_path)])
    lock.release()


def test_a_signal_says_how_to_go_on(tiny_run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(session, "distill", lambda job: 130)
    out = str(tmp_path / "out")
    assert command.main([str(tiny_run), out, "--quiet"]) == 130
    assert capsys.readouterr().out == f"go on with: cyclegan-tf distill {tiny_run} {out} --quiet\n"
