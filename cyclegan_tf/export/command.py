"""`python -m cyclegan_tf.export RUN OUT`: generators as files for other programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import Namespace

from cyclegan_tf import cli
from cyclegan_tf.data.layout import require_folder
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError
from cyclegan_tf.export import outputs
from cyclegan_tf.export.formats import FORMATS, VARIANTS
from cyclegan_tf.export.hub.push import UNKNOWN_LICENSE, check_license, require_hub
from cyclegan_tf.runs.targets import check_target

FORMER_OPTIONS = {
    "--litertjs": "--litertjs_dir",
    "--pictures": "--images",
    "--size": "--size_px",
}


# What others call a format, lower case -> its name here.
_FORMATS_ELSEWHERE = {"tflite": "litert", "savedmodel": "saved_model", "saved-model": "saved_model"}
_COMMON = ("--format", "--direction", "--overwrite")


def build_parser() -> cli.Parser:
    """Define the command's options."""
    parser = cli.Parser(
        command="export",
        most_used=_COMMON,
        example="runs/mine shipped --format litert web",
        description="Writes OUT/saved_model (TF Serving), OUT/litert (phones), OUT/onnx, OUT/keras "
        "(for Keras alone), OUT/web (a page that translates in the browser), OUT/html (the same as "
        "one file, to be sent to others), OUT/hub (for the Hugging Face Hub), OUT/bioimageio (for "
        "the BioImage Model Zoo). Models come with a "
        "card and a report of how far their images are from the training model's (of a SavedModel, "
        "a line in the card). The exit status is 1 when a file was refused because they are too "
        "far.",
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
    cli.add_direction_option(parser, "both", both=True)
    cli.add_checkpoint_option(parser)
    parser.add_argument(
        "--name", type=str, default=None, help="Name of the model; by default that of the run."
    )
    _add_static_options(parser)
    _add_hub_options(parser)
    cli.add_output_options(
        parser, "Replace exports that exist (a SavedModel gets a new version anyway)."
    )
    for old, new in FORMER_OPTIONS.items():
        cli.hidden_alias(parser, old, new)
    cli.hidden_alias(parser, "--format", "--format", _FORMATS_ELSEWHERE)
    return parser


def _add_static_options(parser: cli.Parser) -> None:
    """Options of the formats for one fixed size: LiteRT, ONNX, web."""
    parser.add_argument(
        "--size_px",
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
        "--allow_lossy",
        action="store_true",
        help="Keep files whose images are too far off.",
    )
    parser.add_argument(
        "--our_layers",
        action="store_true",
        help="For --format keras: keep the layers of cyclegan_tf, fastest in training, in place of "
        "Keras's own; opening the file then takes `import cyclegan_tf`.",
    )
    parser.add_argument(
        "--litertjs_dir",
        type=str,
        default=None,
        help="Folder with the npm packages of LiteRT.js, for --format web and html without npm.",
    )


def _add_hub_options(parser: cli.Parser) -> None:
    parser.add_argument(
        "--license",
        type=str,
        default=UNKNOWN_LICENSE,
        help="For --format hub and bioimageio: your model's license as the Hub names it, such as "
        "mit or apache-2.0; the card says that none is named otherwise.",
    )
    parser.add_argument(
        "--push",
        type=str,
        default=None,
        help="Upload --format hub to this repository (OWNER/NAME; a new one is private).",
    )


def _check_hub_options(arguments: Namespace) -> None:
    check_license(arguments.license)
    shared = {"hub", "bioimageio"} & set(arguments.format)
    if arguments.push and "hub" not in shared:
        raise UserError("--push is for --format hub; add that.", code="invalid", field="--push")
    if arguments.license != UNKNOWN_LICENSE and not shared:
        raise UserError(
            "--license is for --format hub and bioimageio; add one of them.",
            code="invalid",
            field="--license",
        )
    if arguments.push:
        require_hub(arguments.push)


def main(argv: Sequence[str]) -> int:
    """Export; return 0, or 1 when a file was refused."""
    arguments = build_parser().parse(argv)
    cli.log_to_terminal(arguments.quiet)
    _check_hub_options(arguments)
    target, out = Path(arguments.run), Path(arguments.out)
    check_target(target, arguments.checkpoint)
    if out.exists() and not out.is_dir():
        raise UserError(
            f"{out} is a file; give a folder to write to.", code="exists", field=str(out)
        )
    directions = _directions(target, arguments.direction)
    names = {each: outputs.model_name(arguments.name, target, each) for each in directions}
    outputs.refuse_existing_outputs(out, arguments.format, names, arguments.overwrite)
    for option in ("images", "litertjs_dir"):
        if (folder := arguments[option]) is not None:
            require_folder(Path(folder), f"--{option}")
    # TensorFlow takes seconds to import: mistakes in the options are reported before that.
    with suppress_startup_logs():
        from cyclegan_tf.export.exporter import ExportJob, export_generators

    job = ExportJob(
        target=target,
        out=out,
        formats=tuple(dict.fromkeys(arguments.format)),
        directions=directions,
        name=arguments.name,
        size_px=arguments.size_px,
        variants=tuple(dict.fromkeys(arguments.variants)),
        images=Path(arguments.images) if arguments.images else None,
        allow_lossy=arguments.allow_lossy,
        litertjs_dir=Path(arguments.litertjs_dir) if arguments.litertjs_dir else None,
        overwrite=arguments.overwrite,
        checkpoint=arguments.checkpoint,
        license=arguments.license,
        push=arguments.push,
        our_layers=arguments.our_layers,
    )
    refused = export_generators(job)
    if refused:
        print(f"{refused} files were refused; --allow_lossy keeps them", file=sys.stderr)
    return 1 if refused else 0


def _directions(target: Path, asked: str) -> tuple[str, ...]:
    """A file holds one direction: the one its name ends in, unless one is asked for."""
    if asked != "both":
        return (asked,)
    if target.is_file():
        return ("yx",) if target.stem.endswith("_yx") else ("xy",)
    return ("xy", "yx")
