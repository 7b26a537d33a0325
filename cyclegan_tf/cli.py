"""What all command lines share: the experiment's options, one-sentence errors, exit statuses."""

from __future__ import annotations

import contextlib
import dataclasses
import difflib
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

# Read by TensorFlow when it is first imported, which the commands do after their options are
# checked. oneDNN's kernels are off by default on CPUs without AVX-512, where they are faster too
# (docs/results.md).
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import yaml
from jsonargparse import ArgumentParser, Namespace

from cyclegan_tf.config.experiment import SECTIONS, Experiment
from cyclegan_tf.errors import TrainingStoppedError, UserError

BAD_INPUT = 2
FAILED = 1
# Inside the package where it is installed, beside it in a checkout.
CONFIG_FOLDERS = [parent / "configs" for parent in Path(__file__).resolve().parents[:2]]


def run(main: Callable[[Sequence[str]], int], argv: Sequence[str] | None = None) -> NoReturn:
    """Runs a command's `main` and exits with its status; a `UserError` becomes one sentence and
    status 2.

    Set CYCLEGAN_TF_TRACEBACK=1 to see where a sentence came from.
    """
    try:
        status = main(sys.argv[1:] if argv is None else argv)
    except UserError as error:
        if os.environ.get("CYCLEGAN_TF_TRACEBACK"):
            raise
        print(f"error: {error}", file=sys.stderr)
        status = FAILED if isinstance(error, TrainingStoppedError) else BAD_INPUT
    except BrokenPipeError:
        # The reader of our output went away (`| head`): not worth a traceback, and nothing can be
        # printed.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 141
    except OSError as error:
        # A disk that fills up can do so at any write; what is written whole or not at all stays as
        # it was.
        if os.environ.get("CYCLEGAN_TF_TRACEBACK"):
            raise
        where = f" ({error.filename})" if error.filename else ""
        print(f"error: {error.strerror or error}{where}.", file=sys.stderr)
        status = BAD_INPUT
    except KeyboardInterrupt:
        print("stopped by Ctrl-C", file=sys.stderr)
        status = 130
    sys.stdout.flush()
    sys.exit(status)


@contextlib.contextmanager
def suppress_startup_logs() -> Iterator[None]:
    """Holds back what TensorFlow writes to standard error while it starts; no setting of its own
    does.

    It is shown after all when starting fails, or when the machine has an NVIDIA device: then these
    lines tell why it is not used.
    """
    kept = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            if failed or Path("/dev/nvidiactl").exists():
                held.seek(0)
                os.write(2, held.read())


class Parser(ArgumentParser):
    """jsonargparse's parser with errors in one sentence, the nearest name offered for a wrong
    one."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("exit_on_error", False)
        super().__init__(*args, **kwargs)

    def option_names(self) -> list[str]:
        """All options, without help."""
        names = [
            name
            for action in self._actions
            for name in action.option_strings
            if name.startswith("--")
        ]
        return [name for name in names if name != "--help"]

    def parse(self, argv: Sequence[str]) -> Namespace:
        """Parses a command line.

        Raises:
          UserError: unknown option (with the nearest name), or a value that does not fit.
        """
        known = set(self.option_names()) | {"--help"}
        for word in argv:
            name = word.split("=", 1)[0]
            if name.startswith("--") and name not in known:
                raise UserError(f"unknown option {name}{_nearest(name, self.option_names())}")
        try:
            return self.parse_args(list(argv))
        except (SystemExit, KeyboardInterrupt):
            raise
        except Exception as error:
            raise UserError(_one_sentence(str(error))) from error


def _nearest(name: str, names: Sequence[str]) -> str:
    """', did you mean ...?' by whole name, else by its last part, so that --crop_size finds its
    section."""
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    if not close:
        last = {known.rsplit(".", 1)[-1].lstrip("-"): known for known in reversed(names)}
        found = difflib.get_close_matches(
            name.rsplit(".", 1)[-1].lstrip("-"), list(last), n=1, cutoff=0.6
        )
        close = [last[found[0]]] if found else []
    return f"; did you mean {close[0]}?" if close else "; see --help."


def _one_sentence(message: str) -> str:
    """jsonargparse's many lines as one: which option, what it got, what it takes."""
    key = re.search(r'Parser key "([\w.]+)"', message)
    value = re.search(r"(?:Got value|Given value): (.*)", message)
    if not key or not value:
        return " ".join(message.split())
    choices = re.search(r"Literal\[(.*?)\]", message)
    if choices:
        wanted = "one of " + choices[1].replace("'", "")
        if "<class 'bool'>" in message.split("Errors:")[0]:
            wanted = f"true, false or {choices[1]}".replace("'", "")
    else:
        types = re.findall(r"<class '(\w+)'>", message.split("Got value")[0].split("Errors:")[0])
        words = {
            "int": "a whole number",
            "float": "a number",
            "bool": "true or false",
            "NoneType": "null",
        }
        wanted = " or ".join(words.get(name, name) for name in types) or "another kind of value"
    return f"--{key[1]} got {value[1].strip()!r}, but takes {wanted}."


def find_config(value: str) -> Path:
    """The file behind --config: a path, or the name of a config that comes with the package (demo,
    maps).

    Raises:
      UserError: there is no such file.
    """
    path = Path(value)
    if path.is_file():
        return path
    for folder in CONFIG_FOLDERS:
        shipped = folder / path.with_suffix(".yaml")
        if shipped.is_file():
            return shipped
    names = sorted({file.stem for folder in CONFIG_FOLDERS for file in folder.glob("*.yaml")})
    raise UserError(
        f"--config {value}: no such file; the configs that come along are {', '.join(names)}."
    )


def load_yaml(path: Path) -> dict[str, Any]:
    """Reads an experiment file as a nested dictionary, every key known.

    Raises:
      UserError: not readable, not YAML, or an unknown key (with the nearest name).
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read as YAML: {' '.join(str(error).split())}") from error
    known = {
        f"{name}.{field.name}"
        for name, section in SECTIONS.items()
        for field in dataclasses.fields(section)
    }
    if not isinstance(values, dict):
        raise UserError(
            f"{path} must hold sections ({', '.join(SECTIONS)}), but holds {type(values).__name__}."
        )
    for section, fields in values.items():
        if section not in SECTIONS:
            raise UserError(
                f"{path}: unknown section {section!r}{_nearest(str(section), list(SECTIONS))}"
            )
        if not isinstance(fields, dict | None):
            raise UserError(
                f"{path}: section {section!r} must hold `name: value` lines, got {fields!r}."
            )
        for name in fields or {}:
            if f"{section}.{name}" not in known:
                raise UserError(
                    f"{path}: unknown key "
                    f"{section}.{name}{_nearest(f'{section}.{name}', sorted(known))}"
                )
    return values


def add_experiment(parser: Parser) -> None:
    """Adds every field of `Experiment` as `--section.field`."""
    parser.add_class_arguments(Experiment, as_positional=False)


def to_arguments(values: dict[str, Any]) -> list[str]:
    """An experiment's nested dictionary as options, so that files and command line go through the
    same checks."""
    return [
        f"--{section}.{name}={'null' if value is None else value}"
        for section, fields in values.items()
        for name, value in (fields or {}).items()
    ]


def experiment_from(arguments: Namespace) -> Experiment:
    """Builds the checked experiment from parsed arguments.

    Raises:
      UserError: a value breaks a rule of the config.
    """
    values = arguments.as_dict()
    try:
        return Experiment.from_dict({name: values[name] for name in SECTIONS})
    except ValueError as error:
        raise UserError(str(error)) from error
