"""The whole way through real processes: train, kill -9, resume, translate, evaluate; signals and
locks."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cyclegan_tf.images import io as image_io
from tests.helpers import tiny

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent


def command(module, *words):
    return [sys.executable, "-m", f"cyclegan_tf.{module}", *map(str, words)]


def environment():
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
    }


def run(module, *words, **kwargs):
    return subprocess.run(
        command(module, *words),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **kwargs,
    )


def start(*words):
    return subprocess.Popen(
        command("train", *words),
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def wait_for(condition, process, seconds=180):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return tiny.folder(tmp_path_factory.mktemp("images"))


STEPS = 100
LONG = [
    f"--training.max_steps={STEPS}",
    "--training.constant_epochs=500",
    "--training.checkpoint_every_steps=5",
]


def test_train_kill_resume_translate(source, tmp_path):
    """kill -9 in mid-training, resumed, equals never killed; then the images go through."""
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    first = start(*tiny.words(source, killed, *LONG))
    try:
        wait_for(lambda: len(list((killed / "checkpoints").glob("step_*.npz"))) >= 2, first)
        first.send_signal(signal.SIGSTOP)  # or it might be done before the second has even started
        second = run("train", "--run_dir", killed)
        assert second.returncode == 2
        assert f"in use by another process (number {first.pid})" in second.stderr
    finally:
        first.kill()
        first.communicate()
    assert not (killed / "generator_xy.keras").exists()

    resumed = run("train", "--run_dir", killed, "--resume", "required")
    assert resumed.returncode == 0, resumed.stderr
    step = int(re.search(r"resumed from .*, step (\d+)", resumed.stdout)[1])
    assert 0 < step < STEPS
    undisturbed = run("train", *tiny.words(source, whole, *LONG))
    assert undisturbed.returncode == 0, undisturbed.stderr
    tiny.assert_same_outcome(whole, killed)

    evaluated = run("evaluate", killed, "--quiet")
    assert evaluated.returncode == 0, evaluated.stderr
    found = json.loads((killed / "evaluation.json").read_text())
    assert {"xy", "yx"} == set(found["directions"])
    assert (killed / "evaluation.html").read_text().count("data:image/png") >= 6

    translated = run("translate", killed, source / "testA", tmp_path / "out")
    assert translated.returncode == 0, translated.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"0.png", "1.png"}
    assert image_io.read(tmp_path / "out" / "0.png").shape == (20, 20, 3)
    saved = run(
        "translate", whole / "generator_yx.keras", source / "testB" / "0.png", tmp_path / "y.png"
    )
    assert saved.returncode == 0, saved.stderr


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_saves_and_tells_how_to_go_on(source, tmp_path, number, status):
    process = start(
        *tiny.words(
            source,
            tmp_path / "run",
            "--training.max_steps=100000",
            "--training.constant_epochs=100000",
        )
    )
    wait_for(lambda: (tmp_path / "run" / "metrics.jsonl").exists() and
             (tmp_path / "run" / "metrics.jsonl").stat().st_size > 0, process)  # fmt: skip
    process.send_signal(number)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == status, output
    assert f"go on with: python -m cyclegan_tf.train --run_dir {tmp_path / 'run'}" in output
    assert len(list((tmp_path / "run" / "checkpoints").glob("step_*.npz"))) == 1


def test_a_mistake_is_one_line_and_status_2(tmp_path):
    wrong = run("train", "--data.source", tmp_path / "nowhere", "--run_dir", tmp_path / "run")
    assert wrong.returncode == 2
    lines = [line for line in wrong.stderr.splitlines() if line.startswith("error:")]
    assert lines == [f"error: data.source: the folder {tmp_path / 'nowhere'} does not exist."]
    assert "Traceback" not in wrong.stderr
    assert not (tmp_path / "run").exists()


def test_an_unwritable_directory_is_one_line_and_status_2(source, tmp_path):
    (tmp_path / "file").write_text("in the way")
    wrong = run("train", *tiny.words(source, tmp_path / "file" / "run"))
    assert wrong.returncode == 2
    assert "cannot be written" in wrong.stderr
    assert "Traceback" not in wrong.stderr
