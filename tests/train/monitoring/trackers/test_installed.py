"""A package that is missing is said before anything else happens."""

import sys

from cyclegan_tf.train import command
from cyclegan_tf.train.monitoring.trackers import installed
from tests.helpers.errors import refused


def test_a_missing_package_is_one_sentence_with_the_command(monkeypatch):
    monkeypatch.setattr(installed, "find_spec", lambda name: None)
    with refused(
        "dependency",
        "logging.to",
        match=r'^--logging.to wandb: the package wandb is not installed: pip install "\.\[wandb\]"',
    ):
        installed.check_installed(["wandb"])


def test_a_folder_of_runs_is_no_package(tmp_path, monkeypatch):
    (tmp_path / "trackio").mkdir()
    monkeypatch.delitem(sys.modules, "trackio", raising=False)
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    with refused("dependency", "logging.to"):
        installed.check_installed(["trackio"])


def test_it_is_asked_of_the_command_before_tensorflow_is_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(installed, "find_spec", lambda name: None)
    words = ["--config=demo", f"--run_dir={tmp_path / 'run'}", "--logging.to=mlflow"]
    with refused("dependency", "logging.to"):
        command.main(words)
    assert not (tmp_path / "run").exists()
