"""`python -m cyclegan_tf.convert SOURCE TARGET`: models from elsewhere, and ours for elsewhere.

Elsewhere is Keras 2 and the official PyTorch code (junyanz/pytorch-CycleGAN-and-pix2pix).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cyclegan_tf import cli
from cyclegan_tf.config import files as config_files
from cyclegan_tf.convert.pytorch.recognize import ARCHITECTURES
from cyclegan_tf.convert.routes import choose_route, hold_target, refuse_target
from cyclegan_tf.convert.task import Task
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign.content import require_beginning
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.run_directory import RunDirectory

_COMMON = ("--to", "--direction", "--overwrite")


def build_parser() -> cli.Parser:
    """The command's own options, and every field of the experiment that a run will hold."""
    parser = cli.Parser(
        command="convert",
        most_used=_COMMON,
        example="latest_net_G_A.pth horse2zebra.keras",
        description="A .pth file of the official PyTorch code "
        "(junyanz/pytorch-CycleGAN-and-pix2pix), or a model of Keras 2 (.h5, .keras, SavedModel), "
        "becomes a .keras file, and so does a folder with latest_net_G.pth, as published models "
        "come; a folder with latest_net_G_A.pth, G_B, D_A and D_B becomes a run "
        "directory, in which A is X and B is Y. With --to pytorch a run directory becomes such a "
        "folder (or, for a target that ends in .pth, one generator), and a .keras file a .pth "
        "file.",
    )
    parser.add_argument(
        "source", type=str, help="A .pth, .h5 or .keras file, a folder, or a run directory."
    )
    parser.add_argument(
        "target", type=str, help="What to write: a .keras or .pth file, or a folder."
    )
    parser.add_argument(
        "--to", choices=["keras", "pytorch"], default="keras", help="Which code the target is for."
    )
    parser.add_argument(
        "--architecture",
        choices=["auto", *ARCHITECTURES],
        default="auto",
        help="Of a .pth file or the generators of a folder: recognized by the weights; any other "
        "than that is refused.",
    )
    parser.add_argument(
        "--norm",
        choices=["auto", "instance", "batch"],
        default="auto",
        help="Normalization of a PyTorch network, for the few whose weights leave it open.",
    )
    parser.add_argument(
        "--epoch",
        type=str,
        default="latest",
        help="First part of the names of a folder's .pth files.",
    )
    cli.add_direction_option(parser, text="Which generator, for one file.")
    cli.add_checkpoint_option(
        parser,
        default="last",
        text="Of a run, with --to pytorch: last, best (which holds the generators only), or a "
        "step.",
    )
    cli.add_output_options(parser, "Replace the target if it is there.")
    config_files.add_experiment(parser)
    return parser


def main(argv: Sequence[str]) -> int:
    """Converts; returns 0."""
    arguments = build_parser().parse(argv)
    cli.log_to_terminal(arguments.quiet)
    task = Task(Path(arguments.source), Path(arguments.target), arguments, argv)
    if not task.source.exists():
        raise UserError(f"{task.source} does not exist.", code="missing", field=arguments.source)
    if not task.source.is_dir():
        require_beginning(task.source)
    route = choose_route(task.source, task.target, arguments.to)
    refuse_target(task.source, task.target, arguments.overwrite)
    run = RunDirectory(task.source)
    if run.exists() and arguments.checkpoint not in (checkpoints.BEST, checkpoints.LAST):
        checkpoints.require_step(run.checkpoints, arguments.checkpoint)
    # TensorFlow takes seconds to import: a mistake in the options is reported before that.
    with suppress_startup_logs():
        from cyclegan_tf import assembly  # noqa: F401 -- the routes find it loaded
    with hold_target(task.target):
        route(task)
    return 0
