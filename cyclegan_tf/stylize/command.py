"""`python -m cyclegan_tf.stylize CONTENT STYLE... OUT`: neural style transfer."""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace
from tqdm import tqdm

from cyclegan_tf import cli
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError, not_installed
from cyclegan_tf.features import catalog
from cyclegan_tf.foreign.content import refuse_foreign_file
from cyclegan_tf.foreign.paths import meant
from cyclegan_tf.images.folders import EXTENSIONS, find_images
from cyclegan_tf.images.probing import probe, refuse_cut_off
from cyclegan_tf.translate import tasks

if TYPE_CHECKING:
    from cyclegan_tf.features.weights import Convolution
    from cyclegan_tf.stylize.transfer import StyleTransfer

log = logging.getLogger(__name__)

_COMMON = ("--style_weight", "--size", "--steps", "--features", "--overwrite")
# Adam took 2,330 for each pixel at 512 and at 768 px; L-BFGS keeps 20 images more in float64.
_BYTES_PER_PIXEL = 3_000
_SHARE_OF_MEMORY = 0.8
_LARGEST = 3e38  # of float32


def build_parser() -> cli.Parser:
    """Declare the command's options."""
    parser = cli.Parser(
        command="stylize",
        most_used=_COMMON,
        example="photo.jpg monet.jpg photo_as_monet.png",
        description="Neural style transfer (Gatys, Ecker and Bethge 2016), what CycleGAN is "
        "compared with: the content of an image in the style of one image, or in the mean style "
        "of several or of a folder. It needs no training, and minutes per image.",
    )
    parser.add_argument("content", type=str, help="An image, or a folder of images.")
    parser.add_argument(
        "style", type=str, nargs="+", help="Images and folders; their mean style is taken."
    )
    parser.add_argument("out", type=str, help="An image (PNG, JPEG, ... by its name), or a folder.")
    _add_descent(parser)
    _add_features(parser)
    cli.add_output_options(parser)
    parser.add_argument(
        "--skip_existing", action="store_true", help="Leave outputs that exist, do the rest."
    )
    return parser


def _add_descent(parser: cli.Parser) -> None:
    parser.add_argument(
        "--content_weight", type=float, default=1.0, help="Of the distance to the content."
    )
    parser.add_argument(
        "--style_weight",
        type=float,
        default=1.0,
        help="Of the distance to the style: 0.03 tints, 30 keeps little of the content.",
    )
    parser.add_argument("--steps", type=int, default=200, help="Of each octave.")
    parser.add_argument(
        "--octaves",
        type=int,
        default=0,
        help="Sizes from coarse to fine, each half the next; 0 takes as many as keep the longer "
        "side at 128 px.",
    )
    parser.add_argument(
        "--size", type=int, default=0, help="Longer side of the result in pixels; 0 keeps the size."
    )
    parser.add_argument(
        "--optimizer",
        choices=["adam", "lbfgs"],
        default="adam",
        help="Of the pixels; lbfgs is the paper's, and takes SciPy (extra features).",
    )
    parser.add_argument(
        "--init",
        choices=["content", "noise"],
        default="content",
        help="What the coarsest octave starts from.",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="Of the noise, and of the choice of style images."
    )


def _add_features(parser: cli.Parser) -> None:
    parser.add_argument(
        "--features",
        choices=list(catalog.NETWORKS),
        default="vgg19",
        help="The network: vgg19 (the paper's) and vgg16, whose weights Keras downloads; "
        "vgg16_hed, fine-tuned to find edges, inside a package (extra features).",
    )
    parser.add_argument(
        "--weights",
        type=str,
        help="A file of your own with weights of VGG16 or VGG19: .h5, .keras, .npz.",
    )
    parser.add_argument(
        "--style_images",
        type=int,
        default=0,
        help="Take so many of the style images, drawn at random; 0 takes all.",
    )


def main(argv: Sequence[str]) -> int:
    """Transfer style; return 0, or 1 when some images could not be read."""
    arguments = build_parser().parse(argv)
    cli.log_to_terminal(arguments.quiet)
    _check_numbers(arguments)
    content, out = Path(arguments.content), Path(arguments.out)
    _require(content, "content")
    plan = tasks.plan_tasks(content, out, tasks.is_folder(arguments.out))
    todo = plan.tasks
    styles = find_styles(arguments.style)
    for task in todo:
        for style in styles:
            tasks.refuse_same(style, task.target)
    if arguments.skip_existing:
        todo = [task for task in todo if not os.path.exists(task.target)]
    elif not arguments.overwrite:
        tasks.refuse_overwriting(todo)
    for path in [content] * content.is_file() + styles * (len(styles) == 1):
        info = probe(path)
        info.require_channels(3)
        refuse_cut_off(info)
    weights = _check_packages(arguments)
    transfer = _open(arguments, _drawn(styles, arguments), weights)
    failed = sum(not _stylize(transfer, task, arguments, content.is_dir()) for task in todo)
    tasks.warn_of_left_out(plan)
    return 1 if failed else 0


def find_styles(words: Sequence[str]) -> list[Path]:
    """List style images: files as given, and all images of folders.

    Raises:
      UserError: one is missing, or a folder without images.
    """
    found: list[Path] = []
    for path in map(Path, words):
        if path.is_dir():
            images = find_images(path)
            if not images:
                raise UserError(
                    f"{path} holds no images ({', '.join(sorted(EXTENSIONS))}).",
                    code="missing",
                    field=str(path),
                )
            found += images
        else:
            _require(path, "style")
            found.append(path)
    return found


def _require(path: Path, what: str) -> None:
    if not path.exists():
        raise UserError(
            f"the {what} {path} does not exist{meant(path) or '; give an image or a folder.'}",
            code="missing",
            field=str(path),
        )
    refuse_foreign_file(path)


def _check_numbers(arguments: Namespace) -> None:
    for name, least in {"steps": 1, "octaves": 0, "size": 0, "style_images": 0, "seed": 0}.items():
        value = getattr(arguments, name)
        if value < least:
            raise UserError(f"--{name} must be {least} or more, and is {value}.", field=f"--{name}")
    for name in ("content_weight", "style_weight"):
        value = getattr(arguments, name)
        if not 0 <= value <= _LARGEST:
            raise UserError(
                f"--{name} must lie in [0, {_LARGEST:g}], and is {value}.", field=f"--{name}"
            )


def _check_packages(arguments: Namespace) -> list[Convolution] | None:
    own = None if arguments.weights is None else Path(arguments.weights)
    weights = catalog.check_weights(arguments.features, own)
    if arguments.optimizer == "lbfgs" and importlib.util.find_spec("scipy") is None:
        raise UserError(
            f"--optimizer lbfgs: {not_installed('scipy')}.", code="dependency", field="--optimizer"
        )
    return weights


def _drawn(styles: Sequence[Path], arguments: Namespace) -> Sequence[Path]:
    count = arguments.style_images
    if not count or count >= len(styles):
        return styles
    return sorted(random.Random(arguments.seed).sample(styles, count))


def _open(
    arguments: Namespace, styles: Sequence[Path], weights: list[Convolution] | None
) -> StyleTransfer:
    # TensorFlow takes seconds to import: a mistake in the options is reported before that.
    with suppress_startup_logs():
        from cyclegan_tf.features.loading import load
        from cyclegan_tf.stylize.losses import LAYERS
        from cyclegan_tf.stylize.transfer import Settings, StyleTransfer

    network = load(arguments.features, LAYERS, weights, pooling="average")
    named = arguments.weights or catalog.NETWORKS[arguments.features].description
    log.info("features  %s", named)
    log.info("style     %s", styles[0] if len(styles) == 1 else f"mean of {len(styles)} images")
    settings = Settings(
        content_weight=arguments.content_weight,
        style_weight=arguments.style_weight,
        steps=arguments.steps,
        octaves=arguments.octaves,
        size_px=arguments.size,
        optimizer=arguments.optimizer,
        init=arguments.init,
        seed=arguments.seed,
    )

    def progress(paths: Sequence[Path]) -> tqdm:
        hidden = len(paths) < 2 or not _shows_progress(arguments)
        return tqdm(paths, desc="style", unit="image", disable=hidden, leave=False)

    return StyleTransfer(network, styles, settings, progress)


def _stylize(
    transfer: StyleTransfer, task: tasks.Task, arguments: Namespace, is_folder: bool
) -> bool:
    """Transfer style to one image; say whether it could be read."""
    from cyclegan_tf.images import io as image_io
    from cyclegan_tf.images.stacks import require_one

    try:
        require_one(image_io.probe(task.source))
        content = image_io.read(task.source, channels=3)
        sizes = transfer.sizes(*content.shape[:2])
        _refuse_too_large(task.source, *sizes[-1])
    except UserError as error:
        if not is_folder:
            raise  # one file, one sentence
        tqdm.write(f"skipped: {error}", file=sys.stderr)
        return False
    named = ", ".join(f"{width} x {height}" for height, width in sizes)
    log.info("content   %s at %s px, %d steps each", task.source, named, arguments.steps)
    with tqdm(
        total=len(sizes) * arguments.steps, unit="step", disable=not _shows_progress(arguments)
    ) as bar:

        def on_step(loss: float) -> None:
            bar.set_postfix_str(f"loss {loss:.3g}", refresh=False)
            bar.update()

        result = transfer(content, on_step)
    image_io.save(task.target, result)
    log.info("written   %s", task.target)
    return True


def _refuse_too_large(path: Path, height: int, width: int) -> None:
    from cyclegan_tf.devices.hardware import free_memory_bytes

    free = _SHARE_OF_MEMORY * free_memory_bytes()
    needed = _BYTES_PER_PIXEL * height * width
    if needed > free:
        side = math.floor(max(height, width) * math.sqrt(free / needed))
        raise UserError(
            f"{path}: {width} x {height} px take about {needed / 2**30:.0f} GiB, and "
            f"{free / 2**30:.1f} GiB are free; give --size {side} or less.",
            code="memory",
            field="--size",
        )


def _shows_progress(arguments: Namespace) -> bool:
    return sys.stderr.isatty() and not arguments.quiet
