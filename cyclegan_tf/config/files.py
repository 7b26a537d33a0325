"""Experiments in YAML files and on the command line."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace

from cyclegan_tf.cli import Parser, nearest
from cyclegan_tf.config.experiment import SECTIONS, Experiment
from cyclegan_tf.errors import UserError

# Inside the package where it is installed, beside it in a checkout.
CONFIG_FOLDERS = [parent / "configs" for parent in Path(__file__).resolve().parents[1:3]]


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
                f"{path}: unknown section {section!r}{nearest(str(section), list(SECTIONS))}"
            )
        if not isinstance(fields, dict | None):
            raise UserError(
                f"{path}: section {section!r} must hold `name: value` lines, got {fields!r}."
            )
        for name in fields or {}:
            if f"{section}.{name}" not in known:
                raise UserError(
                    f"{path}: unknown key "
                    f"{section}.{name}{nearest(f'{section}.{name}', sorted(known))}"
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
