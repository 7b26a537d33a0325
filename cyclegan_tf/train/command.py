"""`python -m cyclegan_tf.train`: trains CycleGAN; without arguments, on the built-in demo."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from jsonargparse import Namespace

from cyclegan_tf import cli
from cyclegan_tf.config import files as config_files
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.devices import tf_config as cluster
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.init_from import InitFrom, load_initial_weights

if TYPE_CHECKING:
    from cyclegan_tf.devices.strategy import DistributionContext

DEFAULT_CONFIG = "demo"
PRINT_CONFIG = "--print_config"
_IMAGES = ("--data.source", "--data.x_dir", "--data.y_dir")


def build_parser() -> cli.Parser:
    """The command's options: its own, and every field of the experiment."""
    parser = cli.Parser(
        prog="python -m cyclegan_tf.train",
        description="Trains CycleGAN. Without arguments: the built-in demo. An existing --run_dir "
        "goes on with its own config.",
    )
    parser.add_argument(
        "--config", type=str, help="Experiment file, or the name of one that comes along (maps)."
    )
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
    parser.add_argument(
        "--init_from",
        nargs="+",
        type=str,
        help="For fine-tuning: a run to take weights and architecture from, or one or two .keras "
        "files (X to Y, Y to X); everything else starts anew.",
    )
    parser.add_argument(
        "--init_checkpoint",
        type=str,
        help="Of --init_from: best (the default: by the scores of its training; else the newest), "
        "last, or a step.",
    )
    parser.add_argument("--quiet", action="store_true", help="Print problems only.")
    parser.add_argument(
        "--print_config",
        action="store_true",
        help="Print the resolved experiment as YAML and exit.",
    )
    config_files.add_experiment(parser)
    return parser


def resolve(argv: Sequence[str]) -> tuple[Namespace, Experiment, RunDirectory]:
    """From words to an experiment: built-in defaults < config file or existing run < --init_from's
    networks < options.

    Raises:
      UserError: bad options or config.
    """
    first = build_parser().parse(argv)
    origin = InitFrom.of(first.init_from, first.init_checkpoint)
    base = _base(first, argv)
    arguments = build_parser().parse([*config_files.to_arguments(base), *argv])
    run = RunDirectory(Path(first.run_dir or Path("runs") / _name(arguments)))
    if origin is not None:
        origin.apply_architecture(base, run)
        arguments = build_parser().parse([*config_files.to_arguments(base), *argv])
        if arguments.generator.architecture != base["generator"].get(
            "architecture", arguments.generator.architecture
        ):
            base["generator"]["blocks"] = (
                None  # the number belongs to the architecture it comes with
            )
            arguments = build_parser().parse([*config_files.to_arguments(base), *argv])
    return arguments, config_files.experiment_from(arguments), run


def _base(first: Namespace, argv: Sequence[str]) -> dict[str, Any]:
    """What the options are laid over."""
    if first.config:
        return config_files.load_yaml(config_files.find_config(first.config))
    if first.run_dir and RunDirectory(Path(first.run_dir)).exists():
        run = RunDirectory(Path(first.run_dir))
        return run.with_absolute_paths(config_files.load_yaml(run.config_path))
    if any(word.startswith(_IMAGES) for word in argv):
        return {}
    if first.init_from:
        raise UserError(
            "--init_from takes networks only; name the images to train on with --data.source (or "
            "--data.x_dir and --data.y_dir), or with a --config."
        )
    return config_files.load_yaml(config_files.find_config(DEFAULT_CONFIG))


def _name(arguments: Namespace) -> str:
    """A run's name after its config file, else after its images."""
    if arguments.config:
        return Path(arguments.config).stem
    data = arguments.data
    if data.x_dir:
        return f"{Path(data.x_dir).name}2{Path(data.y_dir or '').name}"
    return Path(data.source.removeprefix("tfds:")).name or "run"


def main(argv: Sequence[str]) -> int:
    """Trains; returns the exit status."""
    # jsonargparse keeps this option's name for a form of its own, which wants a value.
    printing = PRINT_CONFIG in argv
    arguments, experiment, run = resolve([word for word in argv if word != PRINT_CONFIG])
    if printing:
        import yaml

        print(yaml.safe_dump(experiment.as_dict(), sort_keys=False), end="")
        return 0
    others = cluster.of_environment(os.environ)
    if others and not others.is_chief:
        with _private_run() as private:
            return _train(experiment, private, arguments)
    going_on = run.exists()
    if arguments.resume == "required" and not going_on:
        raise UserError(f"--resume required, but {run.path} holds no run.")
    if arguments.resume == "never" and going_on:
        raise UserError(
            f"--resume never, but {run.path} holds a run already; give another --run_dir."
        )
    with run.locked():
        if going_on:
            run.check_resumable(experiment)
            if origin := InitFrom.of(arguments.init_from, arguments.init_checkpoint):
                origin.check_same(run)
        return _train(experiment, run, arguments)


@contextlib.contextmanager
def _private_run() -> Iterator[RunDirectory]:
    """For a machine that is not the chief, which writes nothing that is kept and takes its state
    from the chief."""
    with tempfile.TemporaryDirectory(prefix="cyclegan_tf_") as folder:
        yield RunDirectory(Path(folder) / "run")


def _told_of_origin(
    origin: dict[str, Any] | None, goes_on: bool, experiment: Experiment, arguments: Namespace
) -> list[str]:
    """What there is to say of the weights a training starts from."""
    if origin is not None:
        return origin["told"]
    if arguments.init_from is not None:
        return ["the weights of --init_from were taken when this run began"]
    if (
        experiment.training.freeze != "none"
        and not goes_on
        and not experiment.generator.network_files
    ):
        return [
            f"the {experiment.training.freeze} stays at random weights; --init_from gives it "
            f"trained ones"
        ]
    return []


def _given_way(experiment: Experiment, arguments: Namespace) -> list[str]:
    """What is otherwise in the networks of --init_from than a config file says of networks."""
    if not (arguments.config and arguments.init_from):
        return []
    asked, values = (
        config_files.load_yaml(config_files.find_config(arguments.config)),
        experiment.as_dict(),
    )
    names = [
        f"{section}.{name}"
        for section in ("generator", "discriminator")
        for name, value in (asked.get(section) or {}).items()
        if values[section][name] != value
    ]
    return (
        [f"of --config, {', '.join(names)} give way to the networks of --init_from"]
        if names
        else []
    )


def _train(experiment: Experiment, run: RunDirectory, arguments: Namespace) -> int:
    # TensorFlow takes seconds to import: a mistake in the options is told before that.
    with suppress_startup_logs():
        from cyclegan_tf import assembly
        from cyclegan_tf.devices.strategy import DistributionContext

        assembly.check_sizes(experiment)
        chosen = assembly.precision_and_jit(experiment)
    devices = DistributionContext(experiment.training.strategy, os.environ)
    with devices.watching(lambda: "while all got ready"):
        return _train_on(devices, experiment, run, arguments, *chosen)


def _train_on(
    devices: DistributionContext,
    experiment: Experiment,
    run: RunDirectory,
    arguments: Namespace,
    policy: str,
    jit: bool,
    choices: dict[str, str],
) -> int:
    from cyclegan_tf import assembly
    from cyclegan_tf.runs import state
    from cyclegan_tf.train import data_dependent_init as beginning
    from cyclegan_tf.train import multi_worker as workers
    from cyclegan_tf.train.trainer import Trainer

    if devices.strategy is not None:
        devices.check(experiment.data.batch_size, policy, sorted(assembly.norms(experiment)))
        # gradients travel in the middle of a step, which a compiled one could not
        jit = False
        choices |= {"XLA": "off (several devices)", "devices": devices.told}
    quiet = arguments.quiet or not devices.is_chief

    def say(what: str, text: str) -> None:
        if not quiet:
            print(f"{what:<10}{text}", flush=True)

    workers.check_same(devices, workers.experiment_fingerprint(experiment, policy))
    if not run.exists():
        run.check_new()
    cache = "lazy" if devices.workers > 1 and experiment.data.cache == "auto" else None
    feed, notes = assembly.open_training_data(
        experiment, run.cache, run.data_split(), sys.stderr.isatty() and not quiet, cache
    )
    workers.check_same(devices, workers.data_fingerprint(feed.source))
    notes = [*notes, *_given_way(experiment, arguments)]
    experiment, decided = beginning.chosen(experiment, feed, run, devices)
    choices |= decided
    with devices.scope():
        model = assembly.build_model(experiment, policy, jit)
    # before moving averages start from the weights
    asked = InitFrom.of(arguments.init_from, arguments.init_checkpoint)
    named = {
        name: network for name in state.NETWORKS if (network := getattr(model, name)) is not None
    }
    origin = load_initial_weights(named, run, asked) if devices.is_chief else None
    trainer = Trainer(experiment, run, feed, model, arguments.quiet, devices)
    if not run.exists() and devices.is_chief:
        # Only now, with every image read: a start that fails leaves no run behind.
        run.create(experiment, feed.source.record(), origin)
    say("data", feed.source.description)
    for note in notes:
        say("note", note)
    for what, choice in choices.items():
        say(what, choice)
    minutes = experiment.training.max_minutes
    limit = f", at most {minutes:g} minutes" if minutes else ""
    say("length", f"{trainer.budget.steps} steps, {feed.order.steps_per_epoch} per epoch{limit}")
    say("run", f"{run.path} (watch: tensorboard --logdir {run.logs})")

    told = trainer.resume() if devices.is_chief else []
    if told is None and arguments.resume == "required":
        raise UserError(f"--resume required, but {run.path} has no checkpoint.")
    if told is None and origin is None:
        for what, found in beginning.start(experiment, model, feed).items():
            say(what, found)
    trainer.share_start()
    # colors led around the generators come with the weights
    beginning.settle(experiment, model)
    for line in _told_of_origin(origin, told is not None, experiment, arguments):
        say("init", line)
    for line in told or []:
        say("resume", line)
    if trainer.finished:
        say(
            "done",
            f"this run is finished (step {trainer.step}); a longer one needs another --run_dir",
        )
        return 0
    status = trainer.train()
    if status and devices.is_chief:
        print(
            f"go on with: python -m cyclegan_tf.train --run_dir {shlex.quote(str(run.path))}",
            flush=True,
        )
    else:
        say("done", f"step {trainer.step}; images in {run.samples}, generators in {run.path}")
    return status


def run(argv: Sequence[str] | None = None) -> NoReturn:
    """`cli.run` for this command; a training on several devices ends at once.

    TensorFlow's threads would wait for machines that have ended, and for each other, some of them
    for ever.
    """
    try:
        cli.run(main, argv)
    except BaseException as end:
        distribution = sys.modules.get("cyclegan_tf.devices.strategy")
        if distribution is None or not distribution.DistributionContext.in_use:
            raise
        if not isinstance(end, SystemExit):
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(
            end.code if isinstance(end, SystemExit) and isinstance(end.code, int) else cli.FAILED
        )
