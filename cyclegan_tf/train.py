"""`python -m cyclegan_tf.train`: trains CycleGAN; without arguments, on the built-in demo."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import Namespace

from cyclegan_tf import cli
from cyclegan_tf.config import Experiment
from cyclegan_tf.errors import UserError
from cyclegan_tf.runs import RunDirectory

DEFAULT_CONFIG = "demo"
PRINT_CONFIG = "--print_config"


def build_parser() -> cli.Parser:
    """The command's options: its own, and every field of the experiment."""
    parser = cli.Parser(
        prog="python -m cyclegan_tf.train",
        description="Trains CycleGAN. Without arguments: the built-in demo. An existing --run_dir goes on with "
        "its own config.",
    )
    parser.add_argument("--config", type=str, help="Experiment file, or the name of one that comes along (maps).")
    parser.add_argument(
        "--run_dir",
        type=str,
        help="Directory of the run; runs/NAME after the config or the source by default.",
    )
    parser.add_argument(
        "--resume",
        choices=["auto", "never", "required"],
        default="auto",
        help="Going on with an existing run.",
    )
    parser.add_argument("--quiet", action="store_true", help="Print problems only.")
    parser.add_argument("--print_config", action="store_true", help="Print the resolved experiment as YAML and exit.")
    cli.add_experiment(parser)
    return parser


def resolve(argv: Sequence[str]) -> tuple[Namespace, Experiment, RunDirectory]:
    """From words to an experiment: built-in defaults < config file or existing run < options.

    Raises:
      UserError: bad options or config.
    """
    first = build_parser().parse(argv)
    base: dict = {}
    run_dir = first.run_dir
    if first.config:
        base = cli.load_yaml(cli.named_config(first.config))
    elif run_dir and RunDirectory(Path(run_dir)).exists():
        base = cli.load_yaml(RunDirectory(Path(run_dir)).config_path)
    elif not any(word.startswith(("--data.source", "--data.x_dir", "--data.y_dir")) for word in argv):
        base = cli.load_yaml(cli.named_config(DEFAULT_CONFIG))
    arguments = build_parser().parse([*cli.as_words(base), *argv])
    experiment = cli.experiment_from(arguments)
    return arguments, experiment, RunDirectory(Path(run_dir or Path("runs") / _name(first, experiment)))


def _name(arguments: Namespace, experiment: Experiment) -> str:
    """A run's name after its config file, else after its pictures."""
    if arguments.config:
        return Path(arguments.config).stem
    if experiment.data.x_dir:
        return f"{Path(experiment.data.x_dir).name}2{Path(experiment.data.y_dir or '').name}"
    return Path(experiment.data.source.removeprefix("tfds:")).name or "run"


def main(argv: Sequence[str]) -> int:
    """Trains; returns the exit status."""
    # jsonargparse keeps this option's name for a form of its own, which wants a value.
    printing = PRINT_CONFIG in argv
    arguments, experiment, run = resolve([word for word in argv if word != PRINT_CONFIG])
    if printing:
        import yaml

        print(yaml.safe_dump(experiment.as_dict(), sort_keys=False), end="")
        return 0
    going_on = run.exists()
    if arguments.resume == "required" and not going_on:
        raise UserError(f"--resume required, but {run.path} holds no run.")
    if arguments.resume == "never" and going_on:
        raise UserError(f"--resume never, but {run.path} holds a run already; give another --run_dir.")
    with run.locked():
        if going_on:
            run.check_same(experiment)
        return _train(experiment, run, arguments)


def _train(experiment: Experiment, run: RunDirectory, arguments: Namespace) -> int:
    # TensorFlow takes seconds to import: a mistake in the options is told before that.
    with cli.quiet_start():
        from cyclegan_tf import assembly
        from cyclegan_tf.training import Trainer

        policy, jit, choices = assembly.precision_and_jit(experiment)

    def say(what: str, text: str) -> None:
        if not arguments.quiet:
            print(f"{what:<10}{text}", flush=True)

    assembly.check_sizes(experiment)
    if not run.exists():
        run.check_new()
    feed, notes = assembly.open_feed(experiment, run, sys.stderr.isatty() and not arguments.quiet)
    model = assembly.build_model(experiment, policy, jit)
    trainer = Trainer(experiment, run, feed, model, arguments.quiet)
    if not run.exists():
        # Only now, with every picture read: a start that fails leaves no run behind.
        run.begin(experiment, feed.source.record())
    say("data", feed.source.description)
    for note in notes:
        say("note", note)
    for what, choice in choices.items():
        say(what, choice)
    minutes = experiment.training.max_minutes
    limit = f", at most {minutes:g} minutes" if minutes else ""
    say("length", f"{trainer.budget.steps} steps, {feed.order.steps_per_epoch} per epoch{limit}")
    say("run", f"{run.path} (watch: tensorboard --logdir {run.logs})")

    told = trainer.resume()
    if told is None and arguments.resume == "required":
        raise UserError(f"--resume required, but {run.path} has no checkpoint.")
    if told is None:
        for what, found in assembly.start(experiment, model, feed).items():
            say(what, found)
    else:
        assembly.settle(experiment, model)
    for line in told or []:
        say("resume", line)
    if trainer.finished:
        say("done", f"this run is finished (step {trainer.step}); a longer one needs another --run_dir")
        return 0
    status = trainer.train()
    if status:
        print(f"go on with: python -m cyclegan_tf.train --run_dir {shlex.quote(str(run.path))}", flush=True)
    else:
        say("done", f"step {trainer.step}; pictures in {run.samples}, generators in {run.path}")
    return status


if __name__ == "__main__":
    cli.run(main)
