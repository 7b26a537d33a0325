"""Options that several commands have."""

from __future__ import annotations

from cyclegan_tf.cli.guesses import DIRECTIONS
from cyclegan_tf.cli.parser import Parser, hidden_alias


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
    """Add `--direction`, which takes the names of `guesses.DIRECTIONS`, upper and lower case.

    Args:
      parser: to add it to.
      default: "xy", "yx" or "both"; None where it depends on the input.
      both: whether both at once can be asked for.
      text: for the help.
    """
    choices = ["xy", "yx", *["both"] * both]
    parser.add_argument("--direction", choices=choices, default=default, help=text)
    hidden_alias(parser, "--direction", "--direction", DIRECTIONS)


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
