"""Files of a run directory and of a folder of PyTorch's, for the commands that go on with them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from benchmarks.quality.mutations.checkpoint_samples import tiny_run, without
from benchmarks.quality.mutations.samples import EVERYWHERE, Sample
from cyclegan_tf.runs.run_directory import RunDirectory

_OPTIONS = """----------------- Options ---------------
               batch_size: 1
                    beta1: 0.5
                crop_size: 256
                direction: AtoB              \t[default: AtoB]
                 gan_mode: lsgan
                 lambda_A: 10.0
                 lambda_B: 10.0
          lambda_identity: 0.5
                load_size: 286
                       lr: 0.0002            \t[default: 0.0002]
                lr_policy: linear
                    model: cycle_gan
                 n_epochs: 100
           n_epochs_decay: 100
               no_dropout: True
                  no_flip: False
                pool_size: 50
               preprocess: resize_and_crop
----------------- End -------------------
"""


def prepare(folder: Path) -> list[Sample]:
    """Makes a finished run that began with weights of another, and a train_opt.txt."""
    run = RunDirectory(tiny_run(folder))
    record = {"from": ["runs/other"], "messages": ["generator_xy of runs/other"]}
    run.origin_path.write_text(json.dumps(record, indent=2) + "\n")
    early = RunDirectory(folder / "early")  # as runs were before configs had a checksum
    shutil.rmtree(early.path, ignore_errors=True)
    shutil.copytree(run.path, early.path)
    early.config_path.write_text(run.config_path.read_text().partition("\n")[2])
    options = folder / "options" / "train_opt.txt"
    options.parent.mkdir(exist_ok=True)
    options.write_text(_OPTIONS)
    train, inspect = _begun(run), _inspected(run)
    rows: list[tuple[str, Path, Callable[[], Any]]] = [
        ("config.yaml, train", run.config_path, train),
        ("config.yaml unsealed, all of train", early.config_path, _trained(early)),
        ("config.yaml unsealed, inspect", early.config_path, _inspected(early)),
        ("config.yaml, inspect", run.config_path, inspect),
        ("data.json, train", run.data_path, train),
        ("data.json, inspect", run.data_path, inspect),
        ("finished.json, train", run.finished_path, train),
        ("init.json, train", run.origin_path, train),
        ("init.json, inspect", run.origin_path, inspect),
        (".lock, train", run.path / ".lock", train),
        ("metrics.jsonl, train", run.metrics_path, train),
        ("metrics.jsonl, inspect", run.metrics_path, inspect),
        ("environment.json, inspect", run.path / "environment.json", inspect),
        ("events, train", next(iter(sorted(run.logs.glob("train/events*")))), train),
        ("train_opt.txt, convert", options, lambda: _options(options.parent)),
    ]
    roots = (run.path, early.path, options.parent)
    return [
        Sample(
            name,
            path,
            next(root for root in roots if root in path.parents),
            read,
            EVERYWHERE if path == run.config_path else (),
            # a damaged mark counts as none: the end of the training is repeated
            without(path, read) if path == run.finished_path else lambda: (),
        )
        for name, path, read in rows
    ]


def _begun(run: RunDirectory) -> Callable[[], Any]:
    """All that a training reads before it builds networks, and the logs that it cuts."""
    from cyclegan_tf.assembly import training_data
    from cyclegan_tf.runs.metrics_log import rows
    from cyclegan_tf.train import command, session
    from cyclegan_tf.train.monitoring.rewind import rewind
    from cyclegan_tf.train.plan import plan_training

    def read() -> Any:
        with command._claimed(plan_training(["--run_dir", str(run.path)])) as plan:
            split, sums = run.data_split(), run.data_sums()
            _, notes = training_data.open_training_data(
                plan.experiment, run.cache, split, False, "off", sums
            )
            rewind(run, 4)
            notes += session._init_messages(plan, run.init_record(), True)
            plain = plan.experiment.as_dict(), split, sums, notes
            return [plain, run.finished_step(), list(rows(run.metrics_path))]

    return read


def _trained(run: RunDirectory) -> Callable[[], Any]:
    """The command, up to its first step."""
    from cyclegan_tf.train import command, trainer

    def read() -> Any:
        found: list[Any] = []

        def resume(self: Any) -> Any:
            found.extend([self.experiment.as_dict(), self.budget.steps])
            return plain(self)

        plain = trainer.Trainer.resume
        with (
            mock.patch.object(trainer.Trainer, "train", return_value=0),
            mock.patch.object(trainer.Trainer, "resume", resume),
        ):
            command.main(["--run_dir", str(run.path), "--quiet"])
        return found

    return read


def _inspected(run: RunDirectory) -> Callable[[], Any]:
    from cyclegan_tf.inspect import inspector, render

    def read() -> Any:
        report = inspector.inspect_path(run.path, 16)
        render.render_report(report)
        return json.dumps(report)

    return read


def _options(folder: Path) -> Any:
    from cyclegan_tf.convert.pytorch import training_options

    found = training_options.read(folder)
    return found and [found.fields, found.notes, found.is_b_to_a]
