"""Experiments in YAML files and on the command line, and the former names of their fields."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import Namespace

from cyclegan_tf.cli import Parser, hidden_alias, nearest
from cyclegan_tf.config.experiment import SECTIONS, Experiment
from cyclegan_tf.errors import UserError

# Inside the package where it is installed, beside it in a checkout.
CONFIG_FOLDERS = [parent / "configs" for parent in Path(__file__).resolve().parents[1:3]]

# YAML 1.1, which PyYAML reads, takes on, off, yes and no for booleans.
_SWITCH: Mapping[Any, str] = {True: "on", False: "off"}
RENAMED: dict[str, tuple[str, Mapping[Any, str]]] = {
    "generator.color_skip": ("generator.color_skip", _SWITCH),
    "generator.long_skips": ("generator.long_skips", _SWITCH),
    "generator.colour_skip": (
        "generator.color_skip",
        {False: "off", True: "auto", "always": "on"},
    ),
    "data.neighbours": ("data.neighbors", {}),
    "generator.network_xy": ("generator.init_file_xy", {}),
    "generator.network_yx": ("generator.init_file_yx", {}),
    "loss.adversarial": ("loss.gan_mode", {}),
    "training.ema": ("training.ema_half_life_images", {}),
    "training.best_by": ("training.best_metric", {"colour_swd": "color_swd"}),
    "training.patience": ("training.early_stopping_patience", {}),
    "training.recompute": ("training.gradient_checkpointing", {}),
    "logging.sample_pictures": ("logging.sample_images", {}),
    "logging.test_pictures": ("logging.test_images", {}),
    "logging.score_pictures": ("logging.score_images", {}),
}
"""Field as it may be written -> its name today, and what some values are called today."""

RENAMED_SCORES = {"colour_swd": "color_swd"}
"""Score as earlier versions wrote it -> its name today."""

RENAMED_RECORDS = {"told": "messages"}
"""Key of a run's init.json as earlier versions wrote it -> its name today."""

TEXT_FIELDS = {
    f"{name}.{field}"
    for name, section in SECTIONS.items()
    for field, kind in typing.get_type_hints(section).items()
    if kind in (str, str | None)
}
"""Fields that hold any words: names of folders and files."""


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
        f"--config {value}: no such file; the configs that come along are {', '.join(names)}.",
        code="missing",
        field="--config",
    )


def load_yaml(path: Path) -> dict[str, Any]:
    """Reads an experiment file as a nested dictionary, every key known.

    Raises:
      UserError: not readable, not YAML, or an unknown key (with the nearest name).
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = yaml.safe_load(text) or {}
        words = yaml.load(text, yaml.BaseLoader)
    except Exception as error:  # PyYAML raises what its conversions do, of a date, of a number
        raise UserError(
            f"{path} cannot be read as YAML: {' '.join(str(error).split())}",
            code="unreadable",
            field=str(path),
        ) from error
    known = {
        f"{name}.{field.name}"
        for name, section in SECTIONS.items()
        for field in dataclasses.fields(section)
    }
    if not isinstance(values, dict):
        raise UserError(
            f"{path} must hold sections ({', '.join(SECTIONS)}), but holds "
            f"{type(values).__name__}.",
            code="unreadable",
            field=str(path),
        )
    former = set(RENAMED) - known
    for section, fields in values.items():
        if section not in SECTIONS:
            raise UserError(
                f"{path}: unknown section {section!r}{nearest(str(section), list(SECTIONS))}",
                code="unknown",
                field=str(section),
            )
        if not isinstance(fields, dict | None):
            raise UserError(
                f"{path}: section {section!r} must hold `name: value` lines, got {fields!r}.",
                field=section,
            )
        for name in fields or {}:
            if f"{section}.{name}" not in known | former:
                raise UserError(
                    f"{path}: unknown key "
                    f"{section}.{name}{nearest(f'{section}.{name}', sorted(known))}",
                    code="unknown",
                    field=f"{section}.{name}",
                )
    return with_new_names(_with_words(values, words), str(path))


def _with_words(values: dict[str, Any], words: Mapping[str, Any]) -> dict[str, Any]:
    """Gives names the words that the file has: YAML makes others of 07, yes and 2024-01-01."""

    def word(section: str, name: str, value: Any) -> Any:
        field, _ = RENAMED.get(f"{section}.{name}", (f"{section}.{name}", {}))
        is_other = field in TEXT_FIELDS and not isinstance(value, str | dict | list | None)
        return words[section].get(name, value) if is_other else value

    return {
        section: fields and {name: word(section, name, value) for name, value in fields.items()}
        for section, fields in values.items()
    }


def with_new_names(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Gives an experiment's nested dictionary the names of today; see `RENAMED`.

    Args:
      values: as read from a file; other names are left alone.
      where: the file, for the message.

    Raises:
      UserError: a field is given under both its names.
    """
    renamed: dict[str, Any] = {}
    for section, fields in values.items():
        renamed[section] = fields
        if not isinstance(fields, dict):
            continue
        renamed[section] = {}
        for name, value in fields.items():
            new, new_values = RENAMED.get(f"{section}.{name}", (f"{section}.{name}", {}))
            new = new.partition(".")[2]
            if new != name and new in fields:
                raise UserError(
                    f"{where}: {section}.{name} is the former name of {section}.{new}; give one of "
                    "them.",
                    field=f"{section}.{name}",
                )
            scalar = not isinstance(value, dict | list)
            renamed[section][new] = new_values.get(value, value) if scalar else value
    return renamed


def add_experiment(parser: Parser) -> None:
    """Adds every field of `Experiment` as `--section.field`; former names work, unseen."""
    parser.add_class_arguments(Experiment, as_positional=False)
    parser.hide_sections(list(SECTIONS))
    parser.text_options |= TEXT_FIELDS
    for old, (new, values) in RENAMED.items():
        hidden_alias(parser, f"--{old}", f"--{new}", values)


def experiment_from(arguments: Namespace) -> Experiment:
    """Builds the checked experiment from parsed arguments.

    Raises:
      UserError: a value breaks a rule of the config.
    """
    values = arguments.as_dict()
    return Experiment.from_dict({name: values[name] for name in SECTIONS})


def with_new_score_names(row: Mapping[str, Any]) -> dict[str, Any]:
    """Gives a row of scores, or a checkpoint's state, the names of today; see `RENAMED_SCORES`.

    Keys may end in a direction ("colour_swd_xy"); a string value is the name of a score.
    """
    for old, new in RENAMED_SCORES.items():
        row = {
            name.replace(old, new): new if isinstance(value, str) and value == old else value
            for name, value in row.items()
        }
    return dict(row)
