"""One conversion: what is asked for, and what is logged of it."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from cyclegan_tf import cli
from cyclegan_tf.convert.pytorch import recognize
from cyclegan_tf.convert.pytorch.layout import ArchitectureSpec

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """One conversion.

    Attributes:
      source: what is converted.
      target: what is written.
      arguments: the parsed command line.
      argv: the command line as it was typed.

    Example:
      >>> task = Task(source, target, build_parser().parse(argv), argv)
      >>> choose_route(source, target, task.arguments.to)(task)
    """

    source: Path
    target: Path
    arguments: Namespace
    argv: Sequence[str]

    def is_given(self, *options: str) -> bool:
        """Whether one of these options was typed."""
        return any(word.split("=", 1)[0] in options for word in cli.options_of(self.argv))

    def translate_command(self, *options: str) -> str:
        """The command that translates with what was written."""
        target = shlex.quote(str(self.target))
        return " ".join(["python -m cyclegan_tf.translate", target, "INPUT OUTPUT", *options])

    def fine_tune_command(self, *options: str) -> str:
        """The command that trains from what was written."""
        target = shlex.quote(str(self.target))
        start = f"python -m cyclegan_tf.train --init_from {target} --data.source IMAGES"
        return " ".join([start, *options])

    def log_written(self, *commands: str) -> None:
        """Logs the target, and commands that go on from it."""
        log_line("written", str(self.target))
        for command in commands:
            log_line("next", command)


def log_line(label: str, text: str) -> None:
    """Logs one line: what it is about, and that."""
    _log.info("%-12s%s", label, text)


def log_recognized(name: str, spec: ArchitectureSpec, arrays: Arrays) -> None:
    """Logs what a state_dict was recognized as.

    Args:
      name: of its file, or where its network comes from.
      spec: its architecture.
      arrays: by official name.
    """
    count = recognize.count_parameters(arrays)
    log_line("recognized", f"{name}: {recognize.describe(spec)}, {count:,} parameters")


def log_notes(notes: Iterable[str]) -> None:
    """Logs what one should know of a conversion, each note once."""
    for note in dict.fromkeys(notes):
        log_line("note", note)
