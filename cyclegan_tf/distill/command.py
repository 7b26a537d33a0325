"""`python -m cyclegan_tf.distill RUN OUT`: a small generator learns from a trained one."""

from __future__ import annotations

import contextlib
import dataclasses
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import get_args, get_type_hints

from cyclegan_tf import cli
from cyclegan_tf.config.networks import Generator
from cyclegan_tf.data.layout import require_folder
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.distill.settings import CONFIG, DEFAULT_MINUTES, Settings, check_out
from cyclegan_tf.errors import UserError
from cyclegan_tf.features import catalog
from cyclegan_tf.runs.beginning import make_and_lock, remove_folders
from cyclegan_tf.runs.lock import HeldElsewhereError
from cyclegan_tf.runs.targets import check_target

_COMMON = ("--architecture", "--filters", "--max_minutes", "--direction", "--images")
_ARCHITECTURES = get_args(get_type_hints(Generator)["architecture"])
_HELP = {
    "architecture": "Of the student.",
    "filters": "Width of the student's first layer; the architecture's own by default (mobile 16).",
    "blocks": "Residual blocks of the student; the architecture's own by default.",
    "images": "Folder of images to learn on, in place of those the teacher was trained on.",
    "size_px": "Side of the squares to learn on; by default the teacher's training crop.",
    "features": "Whose activations are compared: the run's own discriminator, a network of the "
    "extra features, or none; auto takes the first that is there.",
    "l1": "Weight of the mean absolute difference from the teacher's images.",
    "ssim": "Weight of 1 - SSIM.",
    "feature_weight": "Weight of the difference of activations.",
    "statistics": "Weight of the difference of means and deviations of each channel.",
    "learning_rate": "Of the first step; it falls along a cosine to 0.",
    "batch_size": "Images of a step.",
    "looks": "Crops of each image that the teacher is asked about; its answers are kept in memory.",
    "max_steps": "End after so many steps, of each direction.",
    "max_minutes": f"End after so many minutes, of each direction; {DEFAULT_MINUTES:g} where no "
    "steps are given.",
    "seed": "Of the student's first weights, and of the images' order.",
}


def build_parser() -> cli.Parser:
    """Declare the command's options."""
    parser = cli.Parser(
        command="distill",
        most_used=_COMMON,
        example="runs/mine runs/small --max_minutes 10",
        description="A small generator learns from a trained one, on images without partners, "
        "after the idea of OMGD (Ren et al. 2021): it is to make the teacher's images at a "
        "twentieth of its multiply-accumulates. The same command goes on after Ctrl-C or kill -9. "
        "OUT/student_xy.keras is a model as any: translate, evaluate and export take it.",
    )
    parser.add_argument("run", type=str, help="The teacher: a run directory or a .keras file.")
    parser.add_argument("out", type=str, help="The folder to write to.")
    cli.add_direction_option(
        parser,
        None,
        both=True,
        text="xy: from A to B; yx: from B to A. Both by default, one after the other; of a file, "
        "what its name ends in, else xy.",
    )
    cli.add_checkpoint_option(parser)
    choices = {
        "architecture": _ARCHITECTURES,
        "features": ("auto", "discriminator", *catalog.NETWORKS, "none"),
    }
    types = get_type_hints(Settings)
    for field in dataclasses.fields(Settings):
        kinds = [kind for kind in get_args(types[field.name]) if kind is not type(None)]
        kind = kinds[0] if kinds else types[field.name]
        options = {"choices": choices[field.name]} if field.name in choices else {"type": kind}
        parser.add_argument(
            f"--{field.name}", default=field.default, help=_HELP[field.name], **options
        )
    parser.add_argument("--quiet", action="store_true", help="Print problems only.")
    return parser


def main(argv: Sequence[str]) -> int:
    """Teach; return 0, or 130 or 143 after Ctrl-C or SIGTERM."""
    arguments = build_parser().parse(argv)
    cli.log_to_terminal(arguments.quiet)
    settings = Settings(
        **{field.name: arguments[field.name] for field in dataclasses.fields(Settings)}
    )
    settings.check()
    target, out = Path(arguments.run), Path(arguments.out)
    check_target(target, arguments.checkpoint)
    directions = _directions(arguments.direction, target)
    if settings.images is not None:
        require_folder(Path(settings.images), "--images")
    elif target.is_file():
        raise UserError(
            f"{target} does not record which images it was trained on; give a folder of that kind "
            "with --images.",
            code="missing",
            field="--images",
        )
    if settings.features in catalog.NETWORKS:
        catalog.check_weights(settings.features, None)
    check_out(out)
    # TensorFlow takes seconds to import: mistakes in the options are reported before that.
    with suppress_startup_logs():
        from cyclegan_tf.distill.session import DistillJob, distill

    job = DistillJob(target, out, directions, settings, arguments.checkpoint, arguments.quiet)
    with _locked(out):
        status = distill(job)
    if status:
        words = shlex.join(["cyclegan-tf", "distill", *argv])
        print(f"go on with: {words}")  # shown even when quiet
        sys.stdout.flush()
    return status


def _directions(asked: str | None, target: Path) -> tuple[str, ...]:
    if target.is_dir():
        return ("xy", "yx") if asked in (None, "both") else (asked,)
    if asked == "both":
        raise UserError(
            f"--direction both takes a run directory; {target} holds one generator.",
            code="mismatch",
            field="--direction",
        )
    return (asked or ("yx" if target.stem.endswith("yx") else "xy"),)


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Hold the folder for this process; one in which nothing has begun is taken away again."""
    try:
        lock, made = make_and_lock(out)
    except HeldElsewhereError as error:
        raise UserError(
            f"{out} is in use by another process (number {error.holder}); wait for it, stop it, or "
            "give another OUT.",
            code="in_use",
            field=str(out),
        ) from None
    except OSError as error:
        raise UserError(
            f"{out} cannot be written: {error.strerror or error}.",
            code="unwritable",
            field=str(out),
        ) from error
    try:
        yield
    finally:
        has_begun = (out / CONFIG).exists()
        lock.release(remove=not has_begun)
        if not has_begun:
            remove_folders(made)
