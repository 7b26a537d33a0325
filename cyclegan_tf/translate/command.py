"""`python -m cyclegan_tf.translate RUN INPUT OUTPUT`: translates an image, a folder of images, or a
video."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace
from tqdm import tqdm

from cyclegan_tf import cli
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError
from cyclegan_tf.networks.builders import size_divisor_of
from cyclegan_tf.runs import generators

if TYPE_CHECKING:
    import keras

    from cyclegan_tf.translate import folder as folder_translation
    from cyclegan_tf.translate import translator as translation


def build_parser() -> cli.Parser:
    """The command's options."""
    parser = cli.Parser(
        prog="python -m cyclegan_tf.translate",
        description="Translates images of any size: each output has its input's size and name. An "
        "image that cannot be read is named and skipped, and the exit status is then 1. A video "
        "becomes a video, frame by frame.",
    )
    parser.add_argument("run", type=str, help="A run directory or a .keras file.")
    parser.add_argument(
        "input", type=str, help="An image, a folder (with all folders in it), or a video."
    )
    parser.add_argument(
        "output", type=str, help="An image (PNG, JPEG, ... by its name), a folder, or a video."
    )
    parser.add_argument(
        "--direction", choices=["xy", "yx"], default="xy", help="xy: from A to B; yx: from B to A."
    )
    parser.add_argument(
        "--checkpoint",
        type=str,
        default="best",
        help="Of a run directory: best (by the scores of training; else the newest), last, or a "
        "step.",
    )
    parser.add_argument("--overwrite", action="store_true", help="Replace outputs that exist.")
    parser.add_argument(
        "--skip_existing", action="store_true", help="Leave outputs that exist, do the rest."
    )
    parser.add_argument(
        "--batch_size",
        type=int,
        default=0,
        help="Images of one size translated at once; 0 chooses by their size and the device.",
    )
    parser.add_argument(
        "--tile",
        type=int,
        default=0,
        help="Side in pixels, say 512, of tiles for images too large for the memory: all are "
        "translated with the statistics of the whole image, so that no seams show. TIFF is then "
        "read and written by strips. 0: no tiles.",
    )
    parser.add_argument(
        "--overlap", type=int, default=64, help="Of neighboring tiles at least, in pixels; blended."
    )
    parser.add_argument(
        "--half_life_frames",
        type=float,
        default=None,
        help="Of videos: after how many frames the statistics of a frame count half, against "
        "flicker; 0 takes each frame by itself.",
    )
    parser.add_argument("--quiet", action="store_true", help="Print problems only.")
    return parser


def main(argv: Sequence[str]) -> int:
    """Translates; returns 0, or 1 when some images could not be."""
    arguments = build_parser().parse(argv)
    _check_numbers(arguments)
    # TensorFlow takes seconds to import: a mistake in the options is told before that.
    with suppress_startup_logs():
        from cyclegan_tf.translate import folder as folder_translation
        from cyclegan_tf.translate import translator as translation
        from cyclegan_tf.translate import video

    if video.is_video(Path(arguments.input)):
        return _translate_video(arguments)
    if arguments.half_life_frames is not None:
        raise UserError(
            f"--half_life_frames is for videos, and {arguments.input} is none; leave the option "
            f"out."
        )
    tasks = translation.plan(Path(arguments.input), Path(arguments.output))
    if arguments.skip_existing:
        tasks = [task for task in tasks if not task.target.exists()]
    elif not arguments.overwrite:
        translation.refuse_overwriting(tasks)
    network = _load(arguments)
    translator = translation.Translator(network, size_divisor_of(network))
    outcomes = (
        _in_tiles(arguments, network, translator, tasks)
        if arguments.tile
        else folder_translation.translate_files(translator, tasks, arguments.batch_size)
    )
    failed = 0
    # Closed also by Ctrl-C: files being written are then whole before the program ends.
    with _ended_like_ctrl_c(), contextlib.closing(outcomes):
        for outcome in tqdm(
            outcomes, total=len(tasks), unit="image", disable=not _shows_progress(arguments)
        ):
            if outcome.error is not None:
                failed += 1
                tqdm.write(f"skipped: {outcome.error}", file=sys.stderr)
    if not arguments.quiet:
        print(
            f"{len(tasks) - failed} of {len(tasks)} images translated to {arguments.output}",
            flush=True,
        )
    return 1 if failed else 0


def _check_numbers(arguments: Namespace) -> None:
    for name in ("batch_size", "tile", "overlap", "half_life_frames"):
        value = getattr(arguments, name)
        if value is not None and value < 0:
            raise UserError(f"--{name} must be 0 or more, and is {value}.")


def _load(arguments: Namespace) -> keras.Model:

    network, origin = generators.load_generator(
        Path(arguments.run), arguments.direction, checkpoint=arguments.checkpoint
    )
    if not arguments.quiet:
        print(f"generator {arguments.direction} of {origin}", flush=True)
    return network


def _in_tiles(
    arguments: Namespace,
    network: keras.Model,
    translator: translation.Translator,
    tasks: Sequence[translation.Task],
) -> Generator[folder_translation.Outcome, None, None]:
    from cyclegan_tf.translate import tiled as large_translation

    if arguments.batch_size:
        raise UserError("--batch_size is for images translated whole; leave it out with --tile.")
    tiled = large_translation.TiledTranslator(
        network, size_divisor_of(network), arguments.tile, arguments.overlap
    )

    def say(line: str) -> None:
        if not arguments.quiet:
            tqdm.write(line)

    show = _shows_progress(arguments)
    return large_translation.translate_large_files(tiled, translator, tasks, show, say)


def _translate_video(arguments: Namespace) -> int:
    from cyclegan_tf.translate import translator as translation
    from cyclegan_tf.translate import video

    source, target = Path(arguments.input), Path(arguments.output)
    for name in ("tile", "batch_size"):
        if getattr(arguments, name):
            raise UserError(
                f"--{name} is for images, and {source} is a video; leave the option out."
            )
    target = target / source.name if target.is_dir() else target
    if source.exists():
        translation.refuse_same(source, target)
    if target.exists() and arguments.skip_existing:
        return 0
    if target.exists() and not arguments.overwrite:
        raise UserError(
            f"{target} exists already; give --overwrite to replace it, or another output."
        )
    network = _load(arguments)
    half_life = (
        video.HALF_LIFE_FRAMES if arguments.half_life_frames is None else arguments.half_life_frames
    )
    frames = video.translate_video(
        network,
        size_divisor_of(network),
        source,
        target,
        half_life_frames=half_life,
        show_progress=_shows_progress(arguments),
    )
    if not arguments.quiet:
        print(f"{frames} frames translated to {target}", flush=True)
    return 0


@contextlib.contextmanager
def _ended_like_ctrl_c() -> Iterator[None]:
    """Within it, SIGTERM, which batch systems send, closes and removes what is not finished; status
    143."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set this
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _shows_progress(arguments: Namespace) -> bool:
    return sys.stderr.isatty() and not arguments.quiet
