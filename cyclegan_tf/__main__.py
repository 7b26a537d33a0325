"""The way in: `cyclegan-tf COMMAND`, which is `python -m cyclegan_tf.COMMAND`, and the list.

Imports nothing that has to be installed until a command is started, so that a missing package is
one sentence.
"""

from __future__ import annotations

import difflib
import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from cyclegan_tf.errors import not_installed

COMMANDS = {
    "train": "trains CycleGAN; without arguments, on the built-in demo",
    "evaluate": "scores a trained generator beside baselines, with a report",
    "translate": "translates an image, a folder or a video",
    "distill": "teaches a small generator, for phones, what a trained one does",
    "stylize": "gives an image the style of others (neural style transfer)",
    "translate_beam": "translates millions of images with Apache Beam",
    "check": "looks through a data set and says what would harm a training",
    "export": "writes SavedModel, .tflite, ONNX and a web page, each verified",
    "serve": "serves exported models by TF Serving's protocol, with a page",
    "convert": "opens models of PyTorch and Keras 2, and writes ours for PyTorch",
    "inspect": "says what a run, model file or export is",
    "doctor": "says what this machine offers a training, and tries a few steps",
}
# What others call it -> our commands.
_MEANT = {
    **dict.fromkeys(("predict", "infer", "inference", "generate", "run"), ("translate",)),
    "test": ("translate", "evaluate"),
    **dict.fromkeys(("eval", "score", "val", "validate", "benchmark"), ("evaluate",)),
    **dict.fromkeys(("fit", "finetune", "resume", "demo"), ("train",)),
    **dict.fromkeys(("server", "deploy", "web"), ("serve", "export")),
    **dict.fromkeys(("info", "show", "summary", "describe"), ("inspect",)),
    **dict.fromkeys(("checks", "lint"), ("check",)),
    **dict.fromkeys(("diagnose", "env", "gpu", "system"), ("doctor",)),
    **dict.fromkeys(("import", "load"), ("convert",)),
    **dict.fromkeys(("compress", "student", "prune", "shrink", "distillation"), ("distill",)),
    **dict.fromkeys(("style", "style_transfer", "neural_style", "gatys"), ("stylize",)),
}
# They read files only, and a training may be using the GPU.
_WITHOUT_GPU = ("check", "inspect")


def start(command: str, argv: Sequence[str] | None = None) -> NoReturn:
    """Runs a command and exits with its status.

    Args:
      command: of `COMMANDS`.
      argv: its words; None takes those of this process.
    """
    if command in _WITHOUT_GPU:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    try:
        module = importlib.import_module(f"cyclegan_tf.{command}.command")
        if hasattr(module, "run"):
            module.run(argv)
        from cyclegan_tf import cli

        cli.run(module.main, argv)
    except ModuleNotFoundError as error:
        _end_without(error)


def _end_without(error: ModuleNotFoundError) -> NoReturn:
    """Says what to install, or which environment to activate, and exits with status 2."""
    package = (error.name or "cyclegan_tf").split(".")[0]
    if os.environ.get("CYCLEGAN_TF_TRACEBACK") or importlib.util.find_spec(package):
        raise error  # a mistake of ours, or of a package that is there
    print(f"error: {not_installed(package)}", file=sys.stderr)
    sys.exit(2)


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Runs the command that is named first, or lists them.

    Args:
      argv: as typed; None takes the words of this process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        _answer(words)
    except BrokenPipeError:  # of `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    name = words[0].replace("-", "_")
    if name not in COMMANDS:
        refuse(words[0])
    start(name, words[1:])


def _answer(words: Sequence[str]) -> None:
    """Ends the program where no command is asked for."""
    if not words or words[0] in ("-h", "--help", "help"):
        print(f"usage: {_program()} COMMAND [--help] [--version]\n\n{_list()}", flush=True)
        sys.exit(0)
    if words[0] in ("--version", "-V", "version"):
        try:
            from cyclegan_tf.cli.version import version_text
        except ModuleNotFoundError as error:
            _end_without(error)
        print(version_text(), flush=True)
        sys.exit(0)


def refuse(word: str) -> NoReturn:
    """Says which command is meant by one that there is not, lists all, and exits with status 2."""
    plain = word.lower().replace("-", "_")
    meant = _MEANT.get(plain) or difflib.get_close_matches(plain, COMMANDS, n=1)
    asked = f"; did you mean {' or '.join(meant)}?" if meant else "."
    print(f"error: there is no command {word!r}{asked}\n\n{_list()}", file=sys.stderr)
    sys.exit(2)


def _program() -> str:
    return (
        "cyclegan-tf" if os.path.basename(sys.argv[0]) == "cyclegan-tf" else "python -m cyclegan_tf"
    )


def _list() -> str:
    return "\n".join(f"  {name:<16}{what}" for name, what in COMMANDS.items())


if __name__ == "__main__":
    main()
