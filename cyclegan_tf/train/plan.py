"""What one training command asks for, decided once from its options."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclegan_tf import cli
from cyclegan_tf.config import files as config_files
from cyclegan_tf.config.experiment import SECTIONS, Experiment
from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign.paths import meant
from cyclegan_tf.runs import seal
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.runs.targets import is_run
from cyclegan_tf.train.initialization.init_from import InitFrom

DEFAULT_CONFIG = "demo"
_IMAGES = ("source", "x_dir", "y_dir")

Values = Mapping[str, Mapping[str, Any] | None]
"""Section -> field -> value, as in a config file."""


@dataclass(frozen=True)
class TrainPlan:
    """What to train, where, and from which weights.

    Attributes:
      experiment: defaults < config file or existing run < networks of --init_from < options.
      run: where to train.
      init: where the first weights come from; None for random ones.
      resume: "auto", "never" or "required".
      quiet: print problems only.
      estimate: only say how long it takes.
      more_minutes: how long to go on with the run; None as it was planned.
      overridden: fields of the config file that the networks of --init_from replace.

    Example:
      >>> plan = plan_training(["--data.source=demo", "--run_dir=runs/first"])
      >>> plan.experiment.data.source
      'demo'
    """

    experiment: Experiment
    run: RunDirectory
    init: InitFrom | None = None
    resume: str = "auto"
    quiet: bool = False
    estimate: bool = False
    overridden: tuple[str, ...] = ()
    more_minutes: float | None = None


_COMMON = (
    "--data.source",
    "--data.x_dir",
    "--data.y_dir",
    "--run_dir",
    "--config",
    "--data.load_size_px",
    "--data.crop_size_px",
    "--data.batch_size",
    "--training.max_minutes",
    "--training.more_minutes",
    "--training.precision",
    "--init_from",
)


def build_parser() -> cli.Parser:
    """The command's options: its own, and every field of the experiment."""
    parser = cli.Parser(
        command="train",
        most_used=_COMMON,
        example="--data.source images --run_dir runs/mine --training.max_minutes 60",
        description="Trains CycleGAN. Without arguments: the built-in demo. An existing --run_dir "
        "is resumed with its own config.",
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
        help="Whether to resume an existing run.",
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
        "--estimate",
        action="store_true",
        help="Say how long the training takes on this machine, by its first steps, and exit; "
        "nothing is kept.",
    )
    parser.add_argument(
        "--print_config",
        action="store_true",
        help="Print the resolved experiment as YAML and exit.",
    )
    config_files.add_experiment(parser)
    return parser


def plan_training(argv: Sequence[str]) -> TrainPlan:
    """Decides what a command line asks for; reads files, writes nothing.

    Args:
      argv: options, as typed.

    Raises:
      UserError: bad options, config file, run, or networks.
    """
    parser = build_parser()
    typed = parser.parse(argv, defaults=False).as_dict()
    options = {name: value for name, value in typed.items() if name not in SECTIONS}
    fields: Values = {name: value for name, value in typed.items() if name in SECTIONS}
    init = InitFrom.from_options(options.get("init_from"), options.get("init_checkpoint"))
    config = _load_config(options.get("config"))
    base = config if config is not None else _without_config(options, fields)
    run = RunDirectory(Path(options.get("run_dir") or Path("runs") / _name(options, base, fields)))
    below = base if init is None else _with_networks(init.apply_architecture(base, run), fields)
    asked = Experiment.from_dict(parser.check(_merged(below, fields)))
    experiment = _without_more_minutes(asked)
    return TrainPlan(
        experiment,
        run,
        init,
        options.get("resume", "auto"),
        options.get("quiet", False),
        options.get("estimate", False),
        () if init is None or config is None else _overridden(config, experiment),
        asked.training.more_minutes,
    )


def _without_more_minutes(asked: Experiment) -> Experiment:
    """Takes off how long to go on: it is of this command, not of the run."""
    training = dataclasses.replace(asked.training, more_minutes=None)
    return dataclasses.replace(asked, training=training)


def _load_config(name: str | None) -> Values | None:
    if name is None:
        return None
    values = config_files.load_yaml(config_files.find_config(name))
    if not any(values.values()):
        raise UserError(
            f"--config {name} is empty; fill it, or give --config {DEFAULT_CONFIG} for the demo.",
            field="--config",
        )
    return values


def _without_config(options: Mapping[str, Any], fields: Values) -> Values:
    """What the options are laid over where they name no config file."""
    run_dir = options.get("run_dir")
    if run_dir and is_run(Path(run_dir)):
        run = RunDirectory(Path(run_dir))
        seal.check(run.config_path)
        return run.with_absolute_paths(config_files.load_yaml(run.config_path))
    if any(name in (fields.get("data") or {}) for name in _IMAGES):
        return {}
    if options.get("init_from"):
        raise UserError(
            "--init_from takes networks only; name the images to train on with --data.source (or "
            "--data.x_dir and --data.y_dir), or with a --config.",
            code="missing",
            field="--data.source",
        )
    if run_dir:
        raise UserError(
            f"{run_dir} holds no run to go on with{meant(Path(run_dir), is_run) or '.'} A new one "
            f"needs images (--data.source) or a --config; for the demo give --config "
            f"{DEFAULT_CONFIG}.",
            code="missing",
            field="--run_dir",
        )
    return config_files.load_yaml(config_files.find_config(DEFAULT_CONFIG))


def _name(options: Mapping[str, Any], base: Values, fields: Values) -> str:
    """A run's name after its config file, else after its images."""
    if options.get("config"):
        return Path(options["config"]).stem
    data = {**(base.get("data") or {}), **(fields.get("data") or {})}
    if data.get("x_dir"):
        return f"{Path(data['x_dir']).name}2{Path(data.get('y_dir') or '').name}"
    source = str(data.get("source", "demo"))
    for scheme in ("tfds:", "hf:"):
        source = source.removeprefix(scheme)
    return Path(source.partition("@")[0]).name.replace(":", "_") or "run"


def _with_networks(base: Values, fields: Values) -> Values:
    """Leaves out a number of blocks that belongs to another architecture than is asked for."""
    here = (base.get("generator") or {}).get("architecture")
    asked = (fields.get("generator") or {}).get("architecture")
    if None in (here, asked) or here == asked:
        return base
    return _merged(base, {"generator": {"blocks": None}})


def _merged(below: Values, above: Values) -> dict[str, dict[str, Any]]:
    return {
        section: {**(below.get(section) or {}), **(above.get(section) or {})}
        for section in SECTIONS
    }


def _overridden(config: Values, experiment: Experiment) -> tuple[str, ...]:
    """Fields of networks in a config file that are otherwise in the experiment."""
    values = experiment.as_dict()
    return tuple(
        f"{section}.{name}"
        for section in ("generator", "discriminator")
        for name, value in (config.get(section) or {}).items()
        if values[section][name] != value
    )
