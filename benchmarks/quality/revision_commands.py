"""Run commands of whichever revision of cyclegan_tf is on the path, one after another.

`same_results` starts this file in a process of its own, with PYTHONPATH set to a revision's tree:

    python revision_commands.py TREE COMMANDS

COMMANDS is JSON: a list of [command, words], such as [["train", ["--config", "demo"]]]. Words are
spelled as `f0b353a` did; options that were renamed since are passed by their new names to revisions
that have them. It imports nothing of its own revision.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

RENAMED = {
    "--count": "--max_images",
    "--overlap": "--overlap_px",
    "--pictures": "--images",
    "--size": "--size_px",
    "--tile": "--tile_px",
    "--training.ema": "--training.ema_half_life_images",
}


def main_of(command: str) -> Callable[[Sequence[str]], int]:
    """The command's `main`: of `cyclegan_tf.COMMAND.command`, or of the module it once was."""
    package = importlib.import_module(f"cyclegan_tf.{command}")
    if hasattr(package, "main"):
        return package.main
    return importlib.import_module(f"cyclegan_tf.{command}.command").main


def spelled(main: Callable[[Sequence[str]], int], words: Sequence[str]) -> list[str]:
    """The words, with the options' new names where the command's help shows them."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.suppress(SystemExit):
        main(["--help"])
    known = set(shown.getvalue().replace(",", " ").replace("[", " ").replace("]", " ").split())
    return [RENAMED[word] if RENAMED.get(word) in known else word for word in words]


def run(tree: Path, commands: Sequence[tuple[str, list[str]]]) -> int:
    """Run the commands until one fails; return its exit status, or 0."""
    found = Path(str(importlib.import_module("cyclegan_tf").__file__)).resolve()
    if tree.resolve() not in found.parents:
        raise SystemExit(f"cyclegan_tf was imported from {found}, not from {tree}")
    for command, words in commands:
        main = main_of(command)
        given = spelled(main, words)
        print("$", command, *given, flush=True)
        if status := main(given):
            return status
    return 0


if __name__ == "__main__":
    sys.exit(run(Path(sys.argv[1]), json.loads(sys.argv[2])))
