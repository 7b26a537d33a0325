"""`python -m cyclegan_tf.inspect ANY`: what a run directory or a file of a network is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from cyclegan_tf import cli
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError
from cyclegan_tf.inspect import readable

_COMMON = ("--size_px", "--json")


def build_parser() -> cli.Parser:
    """The command's options."""
    parser = cli.Parser(
        command="inspect",
        most_used=_COMMON,
        example="runs/mine",
        description="Describes a run directory, a .keras, .h5, .pth, .tflite or .onnx file or a "
        "SavedModel: architecture, parameters, multiply-accumulates, receptive field, training "
        "state, scores, provenance. Nothing in a file is run.",
    )
    parser.add_argument("target", type=str, help="The run directory, file or folder.")
    parser.add_argument(
        "--size_px",
        type=int,
        default=256,
        help="Side in pixels of the image whose multiply-accumulates (MACs) are counted.",
    )
    parser.add_argument(
        "--norm",
        choices=["auto", "instance", "batch"],
        default="auto",
        help="Normalization of a PyTorch network, for the few whose weights leave it open.",
    )
    parser.add_argument(
        "--json", action="store_true", help="Print a JSON object in place of a table."
    )
    cli.hidden_alias(parser, "--size", "--size_px")
    return parser


def main(argv: Sequence[str]) -> int:
    """Prints the report; returns 0."""
    arguments = build_parser().parse(argv)
    if arguments.size_px < 1:
        raise UserError(
            f"--size_px must be 1 or more, and is {arguments.size_px}.", field="--size_px"
        )
    readable.refuse_others(Path(arguments.target))
    # TensorFlow takes seconds to import: a mistake in the options is reported before that.
    with suppress_startup_logs():
        import tensorflow as tf

        from cyclegan_tf.inspect.inspector import inspect_path
        from cyclegan_tf.inspect.render import render_report

        tf.config.list_physical_devices()  # looking for them is not silent either
    report = inspect_path(Path(arguments.target), arguments.size_px, arguments.norm)
    print(json.dumps(report, indent=1) if arguments.json else render_report(report), flush=True)
    return 0
