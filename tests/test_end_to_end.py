"""The commands in a row: train, kill -9, resume, Ctrl-C, resume, evaluate, translate, export.

What only a process of its own proves (a kill, a signal, a lock) has one. All else calls the command
lines in this process.
"""

import importlib
import json
import os
import re
import signal
import time

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf import cli
from cyclegan_tf.images import io as image_io
from cyclegan_tf.runs import checkpoints
from tests.helpers import tiny
from tests.helpers.preloaded import Process

pytestmark = pytest.mark.slow


def start(log, module, *words):
    """Starts a command in a process of its own, with its output in the file `log`."""
    known = {"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore"}
    with log.open("w") as file:
        return Process(f"cyclegan_tf.{module}", words, file.fileno(), os.environ | known)


def wait_for(condition, process, log, seconds=180):
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, "waited too long"
        time.sleep(0.05)


def run(module, *words):
    """Runs a command line in this process; returns its exit status."""
    main = importlib.import_module(f"cyclegan_tf.{module}.command").main
    with pytest.raises(SystemExit) as ended:
        cli.run(main, [str(word) for word in words])
    return ended.value.code


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return tiny.folder(tmp_path_factory.mktemp("images"))


STEPS = 100
LONG = [
    f"--training.max_steps={STEPS}",
    "--training.constant_epochs=500",
    "--training.checkpoint_every_steps=5",
]


def kill_in_mid_training(source, folder, log):
    """Trains FOLDER up to kill -9, and tries to train it twice at once."""
    first = start(log, "train", *tiny.words(source, folder, *LONG))
    try:
        wait_for(lambda: len(checkpoints.list_checkpoints(folder / "checkpoints")) >= 2, first, log)
        first.send_signal(signal.SIGSTOP)  # or it might be done before the second has even started
        second = start(log.with_name("second.log"), "train", "--run_dir", folder)
        assert second.wait(120) == 2
        (line,) = log.with_name("second.log").read_text().splitlines()
        assert line.startswith("error: ")
        assert f"in use by another process (number {first.pid})" in line
    finally:
        first.kill()
        first.wait()
    assert not (folder / "generator_xy.keras").exists()


def resume_until_ctrl_c(folder, log):
    """Resumes FOLDER in another process, and interrupts it some steps later."""
    process = start(log, "train", "--run_dir", folder, "--resume", "required")
    try:
        wait_for(lambda: "resumed from" in log.read_text(), process, log)
        step = int(re.search(r"resumed from .*, step (\d+)", log.read_text())[1])
        assert 0 < step < STEPS
        wait_for(lambda: last_row(folder) > step, process, log)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 130, log.read_text()
    finally:
        process.kill()
        process.wait()
    assert f"go on with: python -m cyclegan_tf.train --run_dir {folder}" in log.read_text()
    newest = checkpoints.step_of(checkpoints.list_checkpoints(folder / "checkpoints")[0])
    assert step < newest < STEPS
    assert f"stopped at step {newest}, saved" in log.read_text()


def last_row(folder):
    """Step of the last whole row."""
    rows = (folder / "metrics.jsonl").read_text().split("\n")[:-1]
    return json.loads(rows[-1])["step"] if rows else 0


def test_from_train_and_kill_to_export(source, tmp_path):
    """After kill -9 and Ctrl-C, a run equals one that never stopped; then it is put to use."""
    stopped, whole = tmp_path / "stopped", tmp_path / "whole"
    kill_in_mid_training(source, stopped, tmp_path / "killed.log")
    resume_until_ctrl_c(stopped, tmp_path / "resumed.log")
    assert run("train", "--run_dir", stopped, "--resume", "required") == 0
    assert run("train", *tiny.words(source, whole, *LONG)) == 0
    tiny.assert_same_outcome(whole, stopped)

    assert run("evaluate", stopped, "--quiet") == 0
    found = json.loads((stopped / "evaluation.json").read_text())
    assert {"xy", "yx"} == set(found["directions"])
    assert (stopped / "evaluation.html").read_text().count("data:image/png") >= 6

    assert run("translate", stopped, source / "testA", tmp_path / "out") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"0.png", "1.png"}
    translated = image_io.read(tmp_path / "out" / "0.png")
    assert translated.shape == (20, 20, 3)
    image = source / "testB" / "0.png"
    assert run("translate", whole / "generator_yx.keras", image, tmp_path / "y.png") == 0
    assert image_io.read(tmp_path / "y.png").shape == (20, 20, 3)

    words = ["--direction", "xy", "--format", "saved_model", "--name", "maps"]
    assert run("export", stopped, tmp_path / "export", *words) == 0
    served = tf.saved_model.load(str(tmp_path / "export" / "saved_model" / "maps_xy" / "1"))
    batch = image_io.read(source / "testA" / "0.png")[None] / np.float32(127.5) - 1
    output = served.signatures["serving_default"](images=tf.constant(batch))["translated"]
    np.testing.assert_allclose((output[0] + 1) * 127.5, translated, atol=1)


def test_a_mistake_is_one_line_and_status_2(source, tmp_path, capsys):
    assert run("train", "--data.source", tmp_path / "nowhere", "--run_dir", tmp_path / "run") == 2
    errors = capsys.readouterr().err.splitlines()
    assert errors == [f"error: data.source: the folder {tmp_path / 'nowhere'} does not exist."]
    assert not (tmp_path / "run").exists()

    (tmp_path / "file").write_text("in the way")
    assert run("train", *tiny.words(source, tmp_path / "file" / "run")) == 2
    (error,) = capsys.readouterr().err.splitlines()
    assert "cannot be written" in error
