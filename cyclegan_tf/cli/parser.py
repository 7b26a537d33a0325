"""The parser of all command lines: one sentence for a mistake, with the nearest name."""

from __future__ import annotations

import copy
import re
import shlex
import sys
from argparse import SUPPRESS, Action
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import ArgumentParser, Namespace

from cyclegan_tf.cli import guesses
from cyclegan_tf.cli.version import ShowVersion
from cyclegan_tf.errors import UserError

_NULLS = ("null", "Null", "NULL", "~")


def program(command: str) -> str:
    """The words that start a command, as this process was started: for usage lines."""
    started = Path(sys.argv[0] if sys.argv else "")
    if started.stem == "cyclegan-tf":
        return f"cyclegan-tf {command}"
    if started.parts[-2:] == ("cyclegan_tf", "__main__.py"):
        return f"python -m cyclegan_tf {command}"
    return f"python -m cyclegan_tf.{command}"


class Parser(ArgumentParser):
    """A jsonargparse parser whose errors are one sentence, with the nearest name for a wrong one.

    `--an-option` is `--an_option`, and `--version` is there.

    Args:
      command: its name, "train"; decides the program's name in the usage line.
      most_used: options that `--help` shows first.
      example: words of a command line that it shows.

    Example:
      >>> parser = Parser(command="example")
      >>> parser.add_argument("--tile_px", type=int, default=0, help="Side of the tiles.")
      >>> parser.parse(["--tile_px", "512"]).tile_px
      512
    """

    def __init__(
        self,
        *args: Any,
        command: str = "",
        most_used: Sequence[str] = (),
        example: str = "",
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("exit_on_error", False)
        if command:
            kwargs.setdefault("prog", program(command))
        super().__init__(*args, **kwargs)
        self._most_used, self._example = most_used, example
        # former spelling -> today's, and former values, as YAML reads them -> today's
        self.hidden_aliases: dict[str, tuple[str, Mapping[Any, str]]] = {}
        # options, without dashes, that take any words, "null" and "#1" among them
        self.text_options: set[str] = set()
        # "--data" of --data.source: jsonargparse reads a file there, which is --config's business
        self.sections: set[str] = set()
        self.add_argument("--version", action=ShowVersion)

    def option_names(self) -> list[str]:
        """Return all options, without help, version and hidden aliases."""
        names = [
            name
            for action in self._actions
            for name in action.option_strings
            if name.startswith("--")
        ]
        return [name for name in names if name not in ("--help", "--version", *self.sections)]

    def hide_sections(self, names: Sequence[str]) -> None:
        """Take `--data`, the mere beginning of `--data.source`, out of options and help."""
        for option in (f"--{name}" for name in names):
            self.sections.add(option)
            self._option_string_actions[option].help = SUPPRESS

    def places(self) -> list[Action]:
        """Return what is given by place, not by an option."""
        return [action for action in self._actions if not action.option_strings]

    def usage_line(self) -> str:
        """Return one line: the program, what it takes by place, that there are options."""
        return " ".join([self.prog, *map(_place, self.places()), "[options]"])

    def format_help(self, *args: Any) -> str:
        """Return the text of `--help`: usage, an example, the most used options, the others."""
        groups, usage = self._action_groups, self.usage
        example = f"\nexample: {self.prog} {self._example}" if self._example else ""
        self.usage = (self.usage_line() + example).replace("%", "%%")
        self._action_groups = self._groups_of_help()
        try:
            return super().format_help(*args)
        finally:
            self._action_groups, self.usage = groups, usage

    def _groups_of_help(self) -> list[Any]:
        first = [self._option_string_actions[name] for name in self._most_used]
        if not first:
            return list(self._action_groups)
        places, *others = (copy.copy(group) for group in self._action_groups)
        most_used = copy.copy(others[0])
        most_used.title, most_used._group_actions = "most used options", first
        for group in others:
            group._group_actions = [
                action for action in group._group_actions if action not in first
            ]
        others[0].title = "other options"
        return [places, most_used, *others]

    def parse(self, argv: Sequence[str], defaults: bool = True) -> Namespace:
        """Parse a command line.

        Args:
          argv: as typed; after a word `--`, all are names, also those that begin with a dash.
          defaults: give options that were not typed their defaults, else leave them out.

        Raises:
          UserError: unknown option (with the nearest name), or a value that does not fit.
        """
        argv = self._without_aliases(argv)
        options = options_of(argv)
        known = {*self.option_names(), "--help", "--version"}
        for word in options:
            name = word.split("=", 1)[0]
            if name.startswith("--") and name not in known:
                raise self._unknown(name)
        try:
            parsed = self.parse_args(list(argv), defaults=defaults)
        except (SystemExit, KeyboardInterrupt):
            raise
        except Exception as error:
            raise self._mistake(str(error)) from error
        self._restore_words(parsed, _typed(options, known))
        return parsed

    def _unknown(self, name: str) -> UserError:
        places = [str(action.dest) for action in self.places()]
        end = guesses.unknown_option(name, self.option_names(), places, self.usage_line())
        return UserError(f"unknown option {name}{end}", code="unknown", field=name)

    def _mistake(self, message: str) -> UserError:
        """What jsonargparse says, as one sentence."""
        stray = re.search(r"nrecognized arguments: (.*)", message)
        if stray:
            words = shlex.split(stray[1]) if "'" not in stray[1] else stray[1].split()
            sentence = guesses.stray_words(words, self.option_names(), self.usage_line())
            return UserError(sentence, code="unknown", field=words[0])
        missing = re.search(r"argument (--[\w.]+): expected (?:one|at least one) argument", message)
        if missing:
            return UserError(guesses.missing_value(missing[1]), code="missing", field=missing[1])
        sentence, option = _one_sentence(message)
        return UserError(sentence, field=option)

    def check(self, values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Check values from a file, section -> field -> value, as if they had been typed.

        Raises:
          UserError: a value does not fit.
        """
        # a folder may be called 2023, which YAML reads as a number
        typed = {
            section: {name: _as_typed(value) for name, value in fields.items()}
            for section, fields in values.items()
        }
        try:
            parsed = self.parse_object(typed, defaults=False)
        except Exception as error:
            sentence, option = _one_sentence(str(error))
            raise UserError(sentence, field=option and option.removeprefix("--")) from error
        words = {
            f"{section}.{name}": value
            for section, fields in typed.items()
            for name, value in fields.items()
            if isinstance(value, str)
        }
        self._restore_words(parsed, words)
        return parsed.as_dict()

    def _restore_words(self, parsed: Namespace, words: Mapping[str, str]) -> None:
        """Gives back words that jsonargparse, reading them as YAML, took for nothing.

        Raises:
          UserError: such a word was given for a number.
        """
        for name, word in words.items():
            if parsed.get(name) is not None:
                continue
            if name in self.text_options:
                parsed[name] = word
            elif word.strip() not in _NULLS:
                sentence = f"--{name} got {word!r}, but takes a number or null."
                raise UserError(sentence, field=f"--{name}")

    def _without_aliases(self, argv: Sequence[str]) -> list[str]:
        words: list[str] = []
        values: Mapping[Any, str] = {}  # of the option whose value comes next
        takes_more = False
        before = options_of(argv)
        for word in before:
            option, equals, value = word.partition("=")
            option = self._with_underscores(option)
            if self.hidden_aliases.get(option, ("-",))[0] == "":
                words += [value] if equals else []
                values = {}
            elif option in self.hidden_aliases:
                option, values = self.hidden_aliases[option]
                takes_more = getattr(self._option_string_actions.get(option), "nargs", None) == "+"
                words.append(option + equals + (_renamed_value(value, values) if equals else ""))
                values = {} if equals else values
            elif option.startswith("--"):
                words.append(option + equals + value)
                values = {}
            else:
                words.append(_renamed_value(word, values))
                values = values if takes_more else {}
        return [*words, *argv[len(before) :]]

    def _with_underscores(self, option: str) -> str:
        """An option typed with hyphens, as we write it; others as they are."""
        known = self._option_string_actions.keys() | self.hidden_aliases.keys()
        written = "--" + option[2:].replace("-", "_")
        return written if option.startswith("--") and written in known else option


def options_of(argv: Sequence[str]) -> Sequence[str]:
    """Return the words of a command line before `--`, behind which there are only names."""
    return argv[: argv.index("--")] if "--" in argv else argv


def _typed(argv: Sequence[str], options: Container[str]) -> dict[str, str]:
    """Option, without dashes -> the word given for it last."""
    words: dict[str, str] = {}
    for place, word in enumerate(argv):
        option, equals, value = word.partition("=")
        if option in options:
            following = "".join(argv[place + 1 : place + 2])
            words[option.removeprefix("--")] = value if equals else following
    return words


def _place(action: Action) -> str:
    name = str(action.metavar or action.dest).upper()
    return {"+": f"{name} ...", "?": f"[{name}]"}.get(str(action.nargs), name)


def _as_typed(value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return str(value) if is_number else value


def hidden_alias(
    parser: Parser, old: str, new: str, values: Mapping[Any, str] | None = None
) -> None:
    """Accept an option's former spelling, which `--help` does not show.

    Args:
      parser: that has the option.
      old: the former spelling, as "--tile".
      new: the present one, as "--tile_px".
      values: former values, as YAML reads them, and the present ones.
    """
    parser.hidden_aliases[old] = new, values or {}


def hidden_place(parser: Parser, option: str) -> None:
    """Accept what is given by place behind an option, too, which `--help` does not show."""
    parser.hidden_aliases[option] = "", {}


def _renamed_value(word: str, values: Mapping[Any, str]) -> str:
    try:
        read = yaml.safe_load(word) if values else word
        return values.get(read) or values.get(read.lower() if isinstance(read, str) else "", word)
    except (yaml.YAMLError, TypeError, ValueError, RecursionError):  # no YAML, or a list
        return word


def _one_sentence(message: str) -> tuple[str, str | None]:
    """Make one sentence of jsonargparse's lines: which option, what it got, what it takes.

    Returns:
      The sentence, and the option where one is named, as "--tile_px".
    """
    key = re.search(r'Parser key "([\w.]+)"', message)
    value = re.search(r"(?:Got value|Given value): (.*)", message)
    if not key or not value:
        option = re.search(r"argument (--[\w.]+)", message)
        return " ".join(message.split()), option and option[1]
    choices = re.search(r"Literal\[(.*?)\]", message)
    if choices:
        wanted = "one of " + choices[1].replace("'", "")
    else:
        types = re.findall(r"<class '(\w+)'>", message.split("Got value")[0].split("Errors:")[0])
        words = {
            "int": "a whole number",
            "float": "a number",
            "bool": "true or false",
            "NoneType": "null",
        }
        wanted = " or ".join(words.get(name, name) for name in types) or "another kind of value"
    return f"--{key[1]} got {value[1].strip()!r}, but takes {wanted}.", f"--{key[1]}"
