"""`python -m cyclegan_tf.convert SOURCE TARGET`: brings models from elsewhere here, and ours to the
authors' code."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jsonargparse import Namespace

from cyclegan_tf import cli
from cyclegan_tf.atomic import atomic_directory, refuse_existing
from cyclegan_tf.config import files as config_files
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.convert.pytorch import files as torch_files
from cyclegan_tf.convert.pytorch import folder as run_of_networks
from cyclegan_tf.convert.pytorch import recognize as torch_recognise
from cyclegan_tf.convert.pytorch.layout import ArchitectureSpec, keras_weights
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError
from cyclegan_tf.runs import generators
from cyclegan_tf.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    import keras

    Arrays = Mapping[str, np.ndarray]

TORCH_SUFFIXES = (".pth", ".pt")
LEGACY_SUFFIXES = (".h5", ".hdf5", ".keras", ".index")


@dataclass(frozen=True)
class _Task:
    """What is asked for."""

    source: Path
    target: Path
    arguments: Namespace
    argv: Sequence[str]

    def say(self, what: str, text: str) -> None:
        if not self.arguments.quiet:
            print(f"{what:<12}{text}", flush=True)

    def say_notes(self, notes: Iterable[str]) -> None:
        for note in dict.fromkeys(notes):
            self.say("note", note)

    def say_written(self, *commands: str) -> None:
        self.say("written", str(self.target))
        for command in commands:
            self.say("next", command)

    def tune_command(self) -> str:
        return f"python -m cyclegan_tf.train --init_from {shlex.quote(str(self.target))} --data.source IMAGES"

    def translate_command(self, *words: str) -> str:
        return " ".join(
            [
                "python -m cyclegan_tf.translate",
                shlex.quote(str(self.target)),
                "INPUT OUTPUT",
                *words,
            ]
        )

    def given(self, *options: str) -> bool:
        """Whether one of these was among the words."""
        return any(word.split("=", 1)[0] in options for word in self.argv)


def build_parser() -> cli.Parser:
    """The command's options: its own, and every field of the experiment that a run directory will
    hold."""
    parser = cli.Parser(
        prog="python -m cyclegan_tf.convert",
        description="A .pth file of the authors' PyTorch code, or a model of Keras 2 (.h5, "
        ".keras, SavedModel), becomes a .keras file; a folder with latest_net_G_A.pth, G_B, D_A "
        "and D_B becomes a run directory, in which A is X and B is Y. With --to pytorch a run "
        "directory becomes such a folder (or, for a target that ends in .pth, one generator), and "
        "a .keras file a .pth file.",
    )
    parser.add_argument(
        "source", type=str, help="A .pth, .h5 or .keras file, a folder, or a run directory."
    )
    parser.add_argument(
        "target", type=str, help="What to write: a .keras or .pth file, or a folder."
    )
    parser.add_argument(
        "--to", choices=["keras", "pytorch"], default="keras", help="Which code the target is for."
    )
    parser.add_argument(
        "--architecture",
        choices=["auto", *torch_recognise.ARCHITECTURES],
        default="auto",
        help="Of a .pth file or the generators of a folder: told from the weights; any other than "
        "told is refused.",
    )
    parser.add_argument(
        "--norm",
        choices=["auto", "instance", "batch"],
        default="auto",
        help="Normalization of a PyTorch network, for the few whose weights leave it open.",
    )
    parser.add_argument(
        "--epoch",
        type=str,
        default="latest",
        help="First part of the names of a folder's .pth files.",
    )
    parser.add_argument(
        "--direction", choices=["xy", "yx"], default="xy", help="Which generator, for one file."
    )
    parser.add_argument(
        "--checkpoint",
        type=str,
        default="last",
        help="Of a run, with --to pytorch: last, best (which holds the generators only), or a "
        "step.",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="Replace the target if it is there."
    )
    parser.add_argument("--quiet", action="store_true", help="Print problems only.")
    config_files.add_experiment(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Converts; returns 0."""
    arguments = build_parser().parse(argv)
    source, target = Path(arguments.source), Path(arguments.target)
    if not source.exists():
        raise UserError(f"{source} does not exist.")
    route = _route(source, target, arguments.to)
    _refuse_target(source, target, arguments.overwrite)
    # TensorFlow takes seconds to import: a mistake in the options is told before that.
    with suppress_startup_logs():
        from cyclegan_tf import assembly  # noqa: F401 -- the routes find it loaded
    route(_Task(source, target, arguments, argv))
    return 0


def _route(source: Path, target: Path, to: str) -> Callable[[_Task], None]:
    """What is to be done, told from the kinds of source and target."""
    is_run = RunDirectory(source).exists()
    if to == "pytorch":
        if not is_run and source.suffix != ".keras":
            raise UserError(
                f"{source} is neither a run directory nor a .keras file, of which --to pytorch "
                f"makes .pth."
            )
        if not is_run and target.suffix != ".pth":
            raise UserError(f"{target} must end in .pth: {source} is one network.")
        torch_files.require()
        return _to_torch
    if is_run:
        raise UserError(
            f"{source} is a run directory already; give --to pytorch to write it for the authors' "
            f"code."
        )
    is_folder = run_of_networks.is_folder_of_networks(source)
    if is_folder or source.suffix in TORCH_SUFFIXES:
        torch_files.require()
    elif not (
        source.suffix in LEGACY_SUFFIXES
        if source.is_file()
        else (source / "saved_model.pb").is_file()
    ):
        raise UserError(
            f"{source} is nothing that can be converted: give a .pth, .h5 or .keras file, a folder "
            "with latest_net_G_A.pth and the like, or a SavedModel."
        )
    if is_folder:
        if target.suffix in (".keras", ".pth"):
            raise UserError(
                f"{source} becomes a run directory; give a target that is a folder, or one file "
                f"of it."
            )
        return _folder_to_run
    if target.suffix != ".keras":
        raise UserError(f"{target} must end in .keras: {source} is one network.")
    return _file_to_keras if source.suffix in TORCH_SUFFIXES else _legacy_to_keras


def _refuse_target(source: Path, target: Path, overwrite: bool) -> None:
    """Refuses a target that is there, or that must not be replaced even if asked."""
    if source.resolve() == target.resolve() or target.resolve() in source.resolve().parents:
        raise UserError(f"{target} is, or holds, the source; give another target.")
    if target.suffix in (".keras", ".pth"):
        if target.is_dir() or (target.exists() and not overwrite):
            raise UserError(
                f"{target} exists already; give --overwrite to replace it, or another target."
            )
        return
    refuse_existing(target, overwrite)
    if target.exists() and any(target.iterdir()) and not (
        RunDirectory(target).exists() or run_of_networks.is_folder_of_networks(target)
    ):  # fmt: skip
        raise UserError(
            f"{target} holds something else than a conversion would write; give another target."
        )


# To Keras.


def _file_to_keras(task: _Task) -> None:
    from cyclegan_tf.convert import saving
    from cyclegan_tf.convert.pytorch import networks as torch_networks

    design, arrays = _read(task, task.source, task.arguments.architecture)
    task.say_notes(torch_recognise.notes(design))
    saving.save_checked(torch_networks.build(design, arrays), task.target)
    task.say_written(*(task.translate_command(), task.tune_command()) * design.is_generator)


def _legacy_to_keras(task: _Task) -> None:
    from cyclegan_tf.convert import saving
    from cyclegan_tf.convert.keras2 import open as legacy

    network, notes = legacy.open_model(task.source, direction=task.arguments.direction)
    task.say("recognized", f"{network.name}, {network.count_params():,} parameters")
    task.say_notes(notes)
    saving.save_checked(network, task.target)
    task.say_written(task.translate_command(), task.tune_command())


def _folder_to_run(task: _Task) -> None:
    from cyclegan_tf import assembly
    from cyclegan_tf.convert import saving
    from cyclegan_tf.runs import state

    found: dict[str, tuple[ArchitectureSpec, Arrays]] = {}
    for attribute, path in run_of_networks.find_files(task.source, task.arguments.epoch).items():
        architecture = task.arguments.architecture if attribute in state.GENERATORS else "auto"
        found[attribute] = _read(task, path, architecture)
    designs = {attribute: design for attribute, (design, _) in found.items()}
    experiment = _experiment(task, run_of_networks.experiment_fields(designs))
    task.say_notes(note for design in designs.values() for note in torch_recognise.notes(design))
    images = None
    if task.given("--data.source", "--data.x_dir"):
        images = assembly.open_source(experiment).record()
    else:
        task.say(
            "note",
            "training here would go on with the demo's images: --data.source names others, now or "
            "never",
        )
        task.say(
            "note", "later, others can be had in a new run: python -m cyclegan_tf.train --init_from"
        )
    networks, named = _training(experiment, found)
    with atomic_directory(task.target, task.arguments.overwrite) as partial:
        run = RunDirectory(partial)
        run.begin(experiment, images or {})
        if images is None:
            run.data_path.unlink()  # an empty record would be one of no images
        saving.write_start(run, networks, named)
    train = f"python -m cyclegan_tf.train --run_dir {shlex.quote(str(task.target))}"
    task.say_written(task.translate_command("--direction xy"), train)


def _training(
    experiment: Experiment, found: Mapping[str, tuple[ArchitectureSpec, Arrays]]
) -> tuple[dict[str, keras.Model], dict[str, keras.Variable]]:
    """The generators, and every variable of a training that has not begun, with the weights that
    were found."""
    from cyclegan_tf import assembly
    from cyclegan_tf.convert.pytorch import networks as torch_networks
    from cyclegan_tf.model.ema import ExponentialMovingAverage
    from cyclegan_tf.runs import state

    # Checkpoints of all precisions hold the same, but for the loss scale of float16.
    half = experiment.training.precision == "float16"
    model = assembly.build_model(experiment, "mixed_float16" if half else "float32")
    for attribute, (design, arrays) in found.items():
        network = getattr(model, attribute)
        if network is not None:
            torch_networks.fill(
                network, keras_weights(design, arrays), run_of_networks.OFFICIAL[attribute]
            )
    generators = {attribute: getattr(model, attribute) for attribute in state.GENERATORS}
    named = state.variables(model)
    if experiment.training.ema_half_life_images is not None:
        named |= ExponentialMovingAverage(
            generators, experiment.training.ema_half_life_images, experiment.data.batch_size
        ).variables()
    return generators, named


def _read(task: _Task, path: Path, architecture: str) -> tuple[ArchitectureSpec, Arrays]:
    """A .pth file's design and arrays, told to people."""
    arrays = torch_files.read_state_dict(path)
    design = torch_recognise.recognize(arrays, path, task.arguments.norm)
    if architecture not in ("auto", design.official_name):
        raise UserError(
            f"{path} holds {torch_recognise.described(design)}, not --architecture "
            f"{architecture}; leave that out."
        )
    _check_finite(arrays, path)
    _say_recognised(task, path.name, design, arrays)
    return design, arrays


def _check_finite(arrays: Arrays, path: Path) -> None:
    """Refuses what a training that broke down left behind, which gives no image."""
    broken = next((name for name, array in arrays.items() if not np.isfinite(array).all()), None)
    if broken is not None:
        raise UserError(
            f"{path} holds numbers that are not finite, first in {broken}: its training had broken "
            "down; give a file of an earlier epoch."
        )


def _say_recognised(task: _Task, what: str, design: ArchitectureSpec, arrays: Arrays) -> None:
    count = torch_recognise.count_parameters(arrays)
    task.say("recognized", f"{what}: {torch_recognise.described(design)}, {count:,} parameters")


def _experiment(task: _Task, decided: Mapping[str, Mapping[str, Any]]) -> Experiment:
    """The experiment of the options, with what the weights decide laid over it."""
    asked = task.arguments.as_dict()
    known = {f"--{section}.{name}" for section, fields in decided.items() for name in fields} | {
        "--generator.dropout"
    }
    for option in (word.split("=", 1)[0] for word in task.argv):
        if option.startswith(("--generator", "--discriminator")) and option not in known:
            raise UserError(f"{option} is not for networks that are there already; leave it out.")
    for section, fields in decided.items():
        for name, value in fields.items():
            option = f"--{section}.{name}"
            if task.given(option) and asked[section][name] != value:
                raise UserError(
                    f"{option} is {asked[section][name]}, but the weights are of {value}; leave "
                    f"it out."
                )
    words = config_files.to_arguments(
        {section: dict(fields) for section, fields in decided.items()}
    )
    channels_x, channels_y = decided["data"]["channels_x"], decided["data"]["channels_y"]
    if channels_x != channels_y and not task.given(
        "--loss.identity", "--loss.identity_x", "--loss.identity_y"
    ):
        words.append("--loss.identity=0")
        task.say("note", "the domains have different channels, so there is no identity loss")
    return config_files.experiment_from(build_parser().parse([*task.argv, *words]))


# To PyTorch.


def _to_torch(task: _Task) -> None:
    from cyclegan_tf.convert.pytorch import networks as torch_networks

    converted: dict[str, tuple[ArchitectureSpec, Arrays]] = {}
    for attribute, (network, origin) in _networks(task).items():
        converted[attribute] = torch_networks.to_state_dict(network, origin)
        _say_recognised(task, origin, *converted[attribute])
    designs = [design for design, _ in converted.values()]
    task.say_notes(
        note for design in designs for note in torch_recognise.notes_for_the_authors_code(design)
    )
    single = task.target.suffix == ".pth"
    if single:
        ((_, arrays),) = converted.values()
        task.target.parent.mkdir(parents=True, exist_ok=True)
        torch_files.write_state_dict(task.target, arrays)
    else:
        with atomic_directory(task.target, task.arguments.overwrite) as partial:
            for attribute, (_, arrays) in converted.items():
                name = run_of_networks.file_name(attribute, task.arguments.epoch)
                torch_files.write_state_dict(partial / name, arrays)
    options = torch_recognise.official_options(designs[0])
    command = f"in the authors' code: python test.py --model {'test' if single else 'cycle_gan'} {options}"
    task.say_written(*[command] * designs[0].is_generator)


def _networks(task: _Task) -> dict[str, tuple[keras.Model, str]]:
    """The networks to convert by our names, and for messages where each comes from."""
    from cyclegan_tf import assembly
    from cyclegan_tf.runs import state

    one = f"generator_{task.arguments.direction}"
    if task.source.is_file():
        return {one: generators.load_generator(task.source, task.arguments.direction, "float32")}
    run = RunDirectory(task.source)
    experiment = run.experiment()
    chosen = generators.open_checkpoint(run, task.arguments.checkpoint)
    task.say("checkpoint", chosen.origin)
    held = {name.split("/", 1)[0] for name in chosen.arrays}
    found = {}
    for attribute in [one] if task.target.suffix == ".pth" else run_of_networks.OFFICIAL:
        if attribute not in held:
            task.say(
                "note",
                f"{run_of_networks.OFFICIAL[attribute]} is left out: this checkpoint holds no "
                f"{attribute}",
            )
            continue
        kind, which = attribute.split("_")
        build = assembly.build_generator if kind == "generator" else assembly.build_discriminator
        network = build(experiment, which)
        state.restore(state.network_variables(network, attribute), chosen.arrays, chosen.path)
        found[attribute] = (network, f"{attribute} of {task.source}")
    return found
