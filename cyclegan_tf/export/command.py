"""`python -m cyclegan_tf.export RUN OUT`: a trained generator as SavedModel, .tflite, ONNX and a
page for browsers."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from cyclegan_tf import cli
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError
from cyclegan_tf.export.formats import FORMATS, VARIANTS


def build_parser() -> cli.Parser:
    """The command's options."""
    parser = cli.Parser(
        prog="python -m cyclegan_tf.export",
        description="Writes OUT/saved_model (TF Serving), OUT/litert (phones), OUT/onnx, OUT/web "
        "(a page that translates in the browser), each with a card and a report of how far its "
        "images are from the training model's (of a SavedModel, a line in the card). The exit "
        "status is 1 when a file was refused because they are too far.",
    )
    parser.add_argument("run", type=str, help="A run directory or a .keras file.")
    parser.add_argument("out", type=str, help="The folder to write to.")
    parser.add_argument(
        "--format",
        nargs="+",
        choices=FORMATS,
        default=["saved_model", "litert"],
        help="One or more of the formats.",
    )
    parser.add_argument(
        "--direction",
        choices=["xy", "yx", "both"],
        default="both",
        help="xy: from A to B; yx: back.",
    )
    parser.add_argument(
        "--checkpoint",
        type=str,
        default="best",
        help="Of a run directory: best (by the scores of training; else the newest), last, or a "
        "step.",
    )
    parser.add_argument(
        "--name", type=str, default=None, help="Name of the model; by default that of the run."
    )
    parser.add_argument(
        "--size",
        type=int,
        default=None,
        help="Side in pixels of the images that .tflite files take; by default the training crop.",
    )
    parser.add_argument(
        "--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS), help="Of .tflite files."
    )
    parser.add_argument(
        "--images",
        type=str,
        default=None,
        help="Folder of images to calibrate and compare with, in place of the run's own data.",
    )
    parser.add_argument(
        "--allow-lossy",
        "--allow_lossy",
        action="store_true",
        help="Keep files whose images are too far off.",
    )
    parser.add_argument(
        "--litertjs",
        type=str,
        default=None,
        help="Folder with the npm packages of LiteRT.js, for --format web without npm.",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="Replace exports that exist (a SavedModel gets a new version anyway).",
    )
    parser.add_argument("--quiet", action="store_true", help="Print problems only.")
    return parser


def main(argv: Sequence[str]) -> int:
    """Exports; returns 0, or 1 when a file was refused."""
    arguments = build_parser().parse(argv)
    target, out = Path(arguments.run), Path(arguments.out)
    if not target.exists():
        raise UserError(f"{target} is neither a run directory nor a .keras file.")
    if out.exists() and not out.is_dir():
        raise UserError(f"{out} is a file; give a folder to write to.")
    # TensorFlow takes seconds to import: a mistake in the options is told before that.
    with suppress_startup_logs():
        from cyclegan_tf.export import exporter as orders

    order = orders.ExportJob(
        target=target,
        out=out,
        formats=tuple(dict.fromkeys(arguments.format)),
        directions=_directions(target, arguments.direction),
        name=arguments.name,
        size_px=arguments.size,
        variants=tuple(dict.fromkeys(arguments.variants)),
        images=Path(arguments.images) if arguments.images else None,
        allow_lossy=arguments.allow_lossy,
        litertjs=Path(arguments.litertjs) if arguments.litertjs else None,
        overwrite=arguments.overwrite,
        checkpoint=arguments.checkpoint,
        say=(lambda _: None) if arguments.quiet else (lambda text: print(text, flush=True)),
    )
    refused = orders.carry_out(order)
    if refused:
        print(f"{refused} files were refused; --allow-lossy keeps them", file=sys.stderr)
    return 1 if refused else 0


def _directions(target: Path, asked: str) -> tuple[str, ...]:
    """A file holds one direction: the one its name ends in, unless one is asked for."""
    if asked != "both":
        return (asked,)
    if target.is_file():
        return ("yx",) if target.stem.endswith("_yx") else ("xy",)
    return ("xy", "yx")
