"""Checkpoints of a tiny run, for resuming, translating and starting from."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.quality import kill_test
from benchmarks.quality.mutations.samples import EVERYWHERE, Sample
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.run_directory import RunDirectory


def tiny_run(folder: Path) -> Path:
    """Trains a run of seven steps, once; gives a copy of it to damage."""
    from cyclegan_tf.train import command

    whole, copy = folder / "whole", folder / "run"
    if not (whole / "finished.json").exists():
        source = kill_test.tiny_images(folder / "images")
        command.main([*kill_test.TINY, f"--data.source={source}", f"--run_dir={whole}", "--quiet"])
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(whole, copy)
    return copy


def opened(run: Path) -> Any:
    """A run's trainer, as the command makes it, before its first step."""
    from cyclegan_tf.train import command, trainer

    found: list[Any] = []

    def note(self: Any) -> int:
        found.append(self)
        return 0

    with mock.patch.object(trainer.Trainer, "train", note):
        (run / "finished.json").unlink()  # a finished one is not trained
        assert command.main(["--run_dir", str(run), "--quiet"]) == 0
    return found[0]


def prepare(folder: Path) -> list[Sample]:
    """Makes the run, and one with a single checkpoint, which none is before."""
    run = RunDirectory(tiny_run(folder))
    trainer = opened(run.path)
    newest, before, *_ = checkpoints.list_checkpoints(run.checkpoints)
    best = checkpoints.best_file(run.checkpoints)
    assert best is not None
    single = RunDirectory(folder / "single")
    shutil.rmtree(single.path, ignore_errors=True)
    shutil.copytree(run.path, single.path)
    for path in checkpoints.list_checkpoints(single.checkpoints)[1:]:
        path.unlink()
    alone = checkpoints.list_checkpoints(single.checkpoints)[0]

    def resume(of: RunDirectory) -> Callable[[], Any]:
        return lambda: _resumed(trainer, of)

    step = str(checkpoints.step_of(before))
    rows: list[tuple[str, Path, RunDirectory, Callable[[], Any]]] = [
        ("newest, resume", newest, run, resume(run)),
        ("only one, resume", alone, single, resume(single)),
        ("newest, translate", newest, run, lambda: _generator(run, checkpoints.LAST)),
        ("best, translate", best, run, lambda: _generator(run, checkpoints.BEST)),
        ("a step, translate", before, run, lambda: _generator(run, step)),
        ("newest, inspect", newest, run, lambda: _inspected(run)),
        ("best, inspect", best, run, lambda: _inspected(run)),
    ]  # fmt: skip
    return [
        Sample(name, path, of.path, read, EVERYWHERE, without(path, read))
        for name, path, of, read in rows
    ]


def without(path: Path, read: Callable[[], Any]) -> Callable[[], list[Any]]:
    """What is right for a damaged file that others can take the place of: all without it."""

    def found() -> list[Any]:
        from cyclegan_tf.errors import UserError

        data = path.read_bytes()
        path.unlink()
        try:
            return [read()]
        except UserError:
            return []
        finally:
            path.write_bytes(data)

    return found


def _resumed(trainer: Any, run: RunDirectory) -> Any:
    from cyclegan_tf.runs import state

    trainer.run_directory = run
    trainer.resume()
    arrays = state.snapshot(trainer._variables)
    return [trainer.step, trainer.seconds, trainer.monitor.state_dict(), arrays]


def _generator(run: RunDirectory, checkpoint: str) -> Any:
    from cyclegan_tf.runs import generators

    network, _ = generators.load_generator(run.path, "xy", "float32", checkpoint)
    return network.get_weights()


def _inspected(run: RunDirectory) -> Any:
    """What `inspect` says of the training, its networks left out: they are those of the config."""
    from cyclegan_tf.inspect import training_run

    training, _ = training_run._training(run, run.experiment())
    return [training, training_run._best(run)]
