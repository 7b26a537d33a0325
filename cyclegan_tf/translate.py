"""`python -m cyclegan_tf.translate RUN INPUT OUTPUT`: translates a picture or a folder of pictures."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from cyclegan_tf import cli
from cyclegan_tf.errors import UserError


def build_parser() -> cli.Parser:
    """The command's options."""
    parser = cli.Parser(
        prog="python -m cyclegan_tf.translate",
        description="Translates pictures of any size: each output has its input's size and name. "
        "A picture that cannot be read is named and skipped, and the exit status is then 1.",
    )
    parser.add_argument("run", type=str, help="A run directory or a .keras file.")
    parser.add_argument("input", type=str, help="A picture, or a folder (with all folders in it).")
    parser.add_argument("output", type=str, help="A picture (PNG, JPEG, ... by its name) or a folder.")
    parser.add_argument("--direction", choices=["xy", "yx"], default="xy", help="xy: from A to B; yx: from B to A.")
    parser.add_argument(
        "--checkpoint",
        type=str,
        default="best",
        help="Of a run directory: best (by the scores of training; else the newest), last, or a step.",
    )
    parser.add_argument("--overwrite", action="store_true", help="Replace outputs that exist.")
    parser.add_argument("--skip_existing", action="store_true", help="Leave outputs that exist, do the rest.")
    parser.add_argument(
        "--batch_size",
        type=int,
        default=0,
        help="Pictures of one size translated at once; 0 chooses by their size and the device.",
    )
    parser.add_argument("--quiet", action="store_true", help="Print problems only.")
    return parser


def main(argv: Sequence[str]) -> int:
    """Translates; returns 0, or 1 when some pictures could not be."""
    arguments = build_parser().parse(argv)
    if arguments.batch_size < 0:
        raise UserError(f"--batch_size must be 0 or more, and is {arguments.batch_size}.")
    # TensorFlow takes seconds to import: a mistake in the options is told before that.
    with cli.quiet_start():
        from cyclegan_tf import assembly, folder_translation, translation

    tasks = translation.plan(Path(arguments.input), Path(arguments.output))
    if arguments.skip_existing:
        tasks = [task for task in tasks if not task.target.exists()]
    elif not arguments.overwrite:
        translation.refuse_overwriting(tasks)
    network, origin = assembly.load_generator(Path(arguments.run), arguments.direction, checkpoint=arguments.checkpoint)
    if not arguments.quiet:
        print(f"generator {arguments.direction} of {origin}", flush=True)
    translator = translation.Translator(network, assembly.network_multiple_px(network))
    outcomes = folder_translation.translate_files(translator, tasks, arguments.batch_size)
    failed = 0
    show = sys.stderr.isatty() and not arguments.quiet
    # Closed also by Ctrl-C: files being written are then whole before the program ends.
    with contextlib.closing(outcomes):
        for outcome in tqdm(outcomes, total=len(tasks), unit="picture", disable=not show):
            if outcome.error is not None:
                failed += 1
                tqdm.write(f"skipped: {outcome.error}", file=sys.stderr)
    if not arguments.quiet:
        print(f"{len(tasks) - failed} of {len(tasks)} pictures translated to {arguments.output}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    cli.run(main)
