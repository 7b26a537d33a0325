"""What all command lines share: the experiment's options, one-sentence errors, exit statuses."""

from __future__ import annotations

import contextlib
import difflib
import io
import logging
import os
import re
import sys
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any, NoReturn

import yaml
from jsonargparse import ArgumentParser, Namespace

from cyclegan_tf.errors import TrainingStoppedError, UserError

BAD_INPUT = 2
FAILED = 1
_NULLS = ("null", "Null", "NULL", "~")


def log_to_terminal(quiet: bool = False) -> None:
    """Print what the package logs: information on standard output, problems on standard error.

    Args:
      quiet: print warnings and errors only.
    """
    _print_anything()
    log = logging.getLogger("cyclegan_tf")
    if not any(isinstance(handler, _Terminal) for handler in log.handlers):
        log.addHandler(_Terminal())
    log.setLevel(logging.WARNING if quiet else logging.INFO)
    # Libraries that call `logging.info` give the root logger a handler: lines would come twice.
    log.propagate = False


def _print_anything() -> None:
    """Let names be printed that the terminal's encoding has no characters for, as escapes.

    A name of a file is bytes, which may be of any encoding or of none.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # Python asks where a stream is, which one that has become a pipe since cannot say.
            with contextlib.suppress(OSError):
                stream.reconfigure(errors="backslashreplace")


class _Terminal(logging.Handler):
    """Write above a progress bar where there is one, to the streams of the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        problem = record.levelno >= logging.WARNING
        text = f"{record.levelname.lower()}: " * problem + self.format(record)
        stream = sys.stderr if problem else sys.stdout
        if "tqdm" in sys.modules:
            sys.modules["tqdm"].tqdm.write(text, file=stream)
        else:
            print(text, file=stream)
        stream.flush()


def run(main: Callable[[Sequence[str]], int], argv: Sequence[str] | None = None) -> NoReturn:
    """Run a command's `main` and exit with its status.

    A `UserError` becomes one sentence and status 2, a `TrainingStoppedError` status 1.

    Set CYCLEGAN_TF_TRACEBACK=1 to see where a sentence came from.

    Args:
      main: takes the words of the command line, returns the exit status.
      argv: as typed; None takes those of this process.
    """
    _print_anything()
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


class Parser(ArgumentParser):
    """A jsonargparse parser whose errors are one sentence, with the nearest name for a wrong one.

    Example:
      >>> parser = Parser(prog="python -m cyclegan_tf.example")
      >>> parser.add_argument("--tile_px", type=int, default=0, help="Side of the tiles.")
      >>> parser.parse(["--tile_px", "512"]).tile_px
      512
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("exit_on_error", False)
        super().__init__(*args, **kwargs)
        # former spelling -> today's, and former values, as YAML reads them -> today's
        self.hidden_aliases: dict[str, tuple[str, Mapping[Any, str]]] = {}
        # options, without dashes, that take any words, "null" and "#1" among them
        self.text_options: set[str] = set()

    def option_names(self) -> list[str]:
        """Return all options, without help and hidden aliases."""
        names = [
            name
            for action in self._actions
            for name in action.option_strings
            if name.startswith("--")
        ]
        return [name for name in names if name != "--help"]

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
        known = set(self.option_names()) | {"--help"}
        for word in options:
            name = word.split("=", 1)[0]
            if name.startswith("--") and name not in known:
                raise UserError(
                    f"unknown option {name}{nearest(name, self.option_names())}",
                    code="unknown",
                    field=name,
                )
        try:
            parsed = self.parse_args(list(argv), defaults=defaults)
        except (SystemExit, KeyboardInterrupt):
            raise
        except Exception as error:
            sentence, option = _one_sentence(str(error))
            raise UserError(sentence, field=option) from error
        self._restore_words(parsed, _typed(options, known))
        return parsed

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
        before = options_of(argv)
        for word in before:
            option, equals, value = word.partition("=")
            if option in self.hidden_aliases:
                option, values = self.hidden_aliases[option]
                words.append(option + equals + (_renamed_value(value, values) if equals else ""))
                values = {} if equals else values
            else:
                words.append(_renamed_value(word, values))
                values = {}
        return [*words, *argv[len(before) :]]


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


def add_checkpoint_option(
    parser: Parser,
    default: str = "best",
    text: str = "Of a run directory: best (by the scores of training; else the newest), last, or a "
    "step.",
) -> None:
    """Add `--checkpoint`, which `checkpoints.select` understands."""
    parser.add_argument("--checkpoint", type=str, default=default, help=text)


def add_direction_option(
    parser: Parser,
    default: str | None = "xy",
    both: bool = False,
    text: str = "xy: from A to B; yx: from B to A.",
) -> None:
    """Add `--direction`.

    Args:
      parser: to add it to.
      default: "xy", "yx" or "both"; None where it depends on the input.
      both: whether both at once can be asked for.
      text: for the help.
    """
    choices = ["xy", "yx", *["both"] * both]
    parser.add_argument("--direction", choices=choices, default=default, help=text)


def add_output_options(parser: Parser, text: str = "Replace outputs that exist.") -> None:
    """Add `--overwrite`, with a text for the help, and `--quiet`."""
    parser.add_argument("--overwrite", action="store_true", help=text)
    parser.add_argument("--quiet", action="store_true", help="Print problems only.")


def add_trust_option(parser: Parser) -> None:
    """Add `--trust`, for commands that run SavedModels of others."""
    parser.add_argument(
        "--trust",
        action="store_true",
        help="Run SavedModels that hold operations which may touch files, the network or Python. A "
        "SavedModel is a program: say so of those only whose maker you trust.",
    )


def _renamed_value(word: str, values: Mapping[Any, str]) -> str:
    try:
        return values.get(yaml.safe_load(word), word) if values else word
    except (yaml.YAMLError, TypeError, ValueError, RecursionError):  # no YAML, or a list
        return word


def nearest(name: str, names: Sequence[str]) -> str:
    """Return "; did you mean ...?" for a mistyped name.

    The whole name is compared, else its last part, so that --crop_size finds its section.
    """
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    if not close:
        last = {known.rsplit(".", 1)[-1].lstrip("-"): known for known in reversed(names)}
        found = difflib.get_close_matches(
            name.rsplit(".", 1)[-1].lstrip("-"), list(last), n=1, cutoff=0.6
        )
        close = [last[found[0]]] if found else []
    return f"; did you mean {close[0]}?" if close else "; see --help."


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
