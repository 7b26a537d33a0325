"""What all command lines share: options, one-sentence errors, exit statuses."""

from cyclegan_tf.cli.guesses import nearest
from cyclegan_tf.cli.options import (
    add_checkpoint_option,
    add_direction_option,
    add_output_options,
    add_trust_option,
)
from cyclegan_tf.cli.parser import Parser, hidden_alias, hidden_place, options_of
from cyclegan_tf.cli.terminal import BAD_INPUT, FAILED, log_to_terminal, run

__all__ = [
    "BAD_INPUT",
    "FAILED",
    "Parser",
    "add_checkpoint_option",
    "add_direction_option",
    "add_output_options",
    "add_trust_option",
    "hidden_alias",
    "hidden_place",
    "log_to_terminal",
    "nearest",
    "options_of",
    "run",
]
