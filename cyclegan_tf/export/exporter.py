"""Carries out what the export command was asked for: checks first, then writes format by format."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cyclegan_tf.atomic import refuse_existing
from cyclegan_tf.errors import UserError
from cyclegan_tf.export import onnx, web
from cyclegan_tf.export.formats import VARIANTS, Format, Variant
from cyclegan_tf.export.litert import files as litert_files
from cyclegan_tf.export.model_card import card
from cyclegan_tf.export.saved_model import write_saved_model
from cyclegan_tf.export.trained import TrainedGenerator, model_name, open_trained
from cyclegan_tf.translate.translator import MIN_SIZE_PX

FILE_SIZE_PX = 256  # for a .keras file, which does not tell on which size it was trained


@dataclass(frozen=True)
class ExportJob:
    """What to export.

    Attributes:
      target: run directory or `.keras` file.
      out: folder to write to.
      formats: of `kinds.FORMATS`.
      directions: "xy", "yx" or both.
      name: of the model; None takes the run's.
      size_px: side of the images of static models; None is the training crop.
      variants: of .tflite files.
      images: folder of images in place of the run's own.
      allow_lossy: keep files that are too far off.
      litertjs: folder with LiteRT.js in place of npm.
      overwrite: replace what is there.
      checkpoint: of a run, "best", "last" or a step.
      say: takes lines for people.
    """

    target: Path
    out: Path
    formats: Sequence[Format]
    directions: Sequence[str]
    name: str | None = None
    size_px: int | None = None
    variants: Sequence[Variant] = VARIANTS
    images: Path | None = None
    allow_lossy: bool = False
    litertjs: Path | None = None
    overwrite: bool = False
    checkpoint: str = "best"
    say: Callable[[str], None] = print


def carry_out(order: ExportJob) -> int:
    """Writes everything; returns how many files were refused for being too far from the training
    model.

    Raises:
      UserError: nothing can be exported from the target, an output exists, a size or a package does
        not do. All that can be checked before is checked before anything is written.
    """
    names = {
        direction: model_name(order.name, order.target, direction) for direction in order.directions
    }
    for name in names.values():
        for kind in {"litert", "onnx"} & set(order.formats):
            refuse_existing(order.out / kind / name, order.overwrite)
    if "web" in order.formats:
        refuse_existing(order.out / "web", order.overwrite)
    if "onnx" in order.formats:
        onnx.require()
    trained = {
        direction: open_trained(order.target, direction, order.images, order.checkpoint)
        for direction in order.directions
    }
    sizes = {direction: static_size(one, order.size_px) for direction, one in trained.items()}
    static = set(order.formats) - {"saved_model"}
    if static:
        for one in trained.values():
            one.training_images()  # so that missing images are told at once
    refused = 0
    with tempfile.TemporaryDirectory() as scratch:
        pages = []
        for direction, one in trained.items():
            name, size = names[direction], sizes[direction]
            order.say(f"generator {direction} of {one.origin}, as {name}")
            if "saved_model" in order.formats:
                folder = order.out / "saved_model" / name
                path = write_saved_model(
                    folder, one.network, one.size_divisor_px, size, card(one, name)
                )
                order.say(f"  SavedModel: {path}")
            refused += _static(order, one, name, size)
            if "web" in order.formats:
                pages.append(_page_model(order, one, name, size, Path(scratch)))
        if "web" in order.formats:
            title = names[order.directions[0]].rsplit("_", 1)[0]
            web.write_page(order.out / "web", title, pages, order.litertjs, replace=order.overwrite)
            order.say(
                f"page: {order.out / 'web'} (see it with: python -m http.server --directory "
                f"{order.out / 'web'})"
            )
    return refused


def static_size(trained: TrainedGenerator, wanted: int | None) -> int:
    """Side of the images that a static model takes.

    Raises:
      UserError: the network cannot take that size.
    """
    multiple = trained.size_divisor_px
    size = wanted or -(-(trained.size_px or FILE_SIZE_PX) // multiple) * multiple
    if size < MIN_SIZE_PX or size % multiple:
        below = max(size // multiple * multiple, -(-MIN_SIZE_PX // multiple) * multiple)
        raise UserError(
            f"--size is {size}, but this network takes multiples of {multiple} from {MIN_SIZE_PX}: "
            f"take {below} or {below + multiple}."
        )
    return size


def _static(order: ExportJob, trained: TrainedGenerator, name: str, size_px: int) -> int:
    """The formats of one fixed size; returns how many files were refused."""
    refused = 0
    for kind, write in (("litert", litert_files.write), ("onnx", onnx.write)):
        if kind in order.formats:
            refused += write(
                order.out / kind / name,
                trained,
                name,
                size_px,
                variants=order.variants,
                allow_lossy=order.allow_lossy,
                replace=order.overwrite,
                say=order.say,
            )
    return refused


def _page_model(
    order: ExportJob, trained: TrainedGenerator, name: str, size_px: int, scratch: Path
) -> web.PageModel:
    """The float16 file of a direction: the one just written, else a new one."""
    written = order.out / "litert" / name / "float16.tflite"
    if not ("litert" in order.formats and written.is_file()):
        written = scratch / f"{name}.tflite"
        written.write_bytes(litert_files.described(trained, name, size_px, "float16"))
    channels = trained.network.input_shape[-1], trained.network.output_shape[-1]
    label = "A to B" if trained.direction == "xy" else "B to A"
    return web.PageModel(name, trained.direction, label, written, size_px, *channels)
