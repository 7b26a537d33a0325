"""Export trained generators: check everything first, then write format by format."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cyclegan_tf.data.layout import direction_label
from cyclegan_tf.errors import UserError
from cyclegan_tf.export import outputs
from cyclegan_tf.export.bioimageio import write_bioimageio
from cyclegan_tf.export.formats import VARIANTS, Format, Variant
from cyclegan_tf.export.hub.folder import HubModel, write_hub
from cyclegan_tf.export.hub.push import UNKNOWN_LICENSE, push, require_hub
from cyclegan_tf.export.keras_file import network_to_write, write_keras
from cyclegan_tf.export.litert.files import convert_with_metadata, write_litert
from cyclegan_tf.export.model_card import model_card
from cyclegan_tf.export.onnx import require_onnx, write_onnx
from cyclegan_tf.export.page_file import write_page_file
from cyclegan_tf.export.saved_model import write_saved_model
from cyclegan_tf.export.trained import TrainedGenerator, open_trained
from cyclegan_tf.export.web import PageModel, write_page
from cyclegan_tf.images.training_scale import FULL
from cyclegan_tf.runs.generators import direction_name
from cyclegan_tf.translate.translator import MIN_SIZE_PX

FILE_SIZE_PX = 256
"""Side for a `.keras` file, which does not hold the size it was trained on."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExportJob:
    """What to export.

    Attributes:
      target: run directory or `.keras` file.
      out: folder to write to.
      formats: of `formats.FORMATS`.
      directions: "xy", "yx" or both.
      name: of the model; None takes the run's.
      size_px: side of the images of static models; None is the training crop.
      variants: of .tflite files.
      images: folder of images in place of the run's own.
      allow_lossy: keep files that are too far off.
      litertjs_dir: folder with LiteRT.js in place of npm.
      overwrite: replace what is there.
      checkpoint: of a run, "best", "last" or a step.
      license: of the model, for the Hugging Face Hub.
      push: OWNER/NAME there, to upload to; None does not.
      our_layers: keep cyclegan_tf's layers in `.keras` files.

    Example:
      >>> job = ExportJob(Path("runs/zebra"), Path("out"), ["litert"], ["xy", "yx"])
      >>> refused = export_generators(job)
      >>> sorted(path.name for path in Path("out/litert/zebra_xy").glob("*.tflite"))
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
    litertjs_dir: Path | None = None
    overwrite: bool = False
    checkpoint: str = "best"
    license: str = UNKNOWN_LICENSE
    push: str | None = None
    our_layers: bool = False


def export_generators(job: ExportJob) -> int:
    """Write all formats; return how many files were refused.

    A file is refused when its images are too far from the training model's. All that can be checked
    before is checked before anything is written.

    Raises:
      UserError: nothing can be exported from the target, an output exists, a size or a package does
        not do.
    """
    names = {
        direction: outputs.model_name(job.name, job.target, direction)
        for direction in job.directions
    }
    outputs.refuse_existing_outputs(job.out, job.formats, names, job.overwrite)
    if "onnx" in job.formats:
        require_onnx()
    if job.push:
        require_hub(job.push)
    generators = {
        direction: open_trained(job.target, direction, job.images, job.checkpoint)
        for direction in job.directions
    }
    sizes = {direction: static_size(one, job.size_px) for direction, one in generators.items()}
    if set(job.formats) - {"saved_model"}:
        for trained in generators.values():
            trained.training_images()  # fails now where there are none
    if {"keras", "bioimageio"} & set(job.formats):
        for trained in generators.values():
            network_to_write(trained, job.our_layers)  # fails now where a layer has no counterpart
    refused, page_models = 0, []
    with tempfile.TemporaryDirectory() as scratch:
        for direction, trained in generators.items():
            name, size_px = names[direction], sizes[direction]
            named = direction_name(job.target, direction)
            log.info("generator %s of %s, as %s", named, trained.origin, name)
            if "saved_model" in job.formats:
                _write_saved_model(job, trained, name, size_px)
            refused += _write_static(job, trained, name, size_px)
            if {"web", "html"} & set(job.formats):
                page_models.append(_page_model(job, trained, name, size_px, Path(scratch)))
        if page_models:
            _write_pages(job, outputs.title_of(names), page_models)
    if "hub" in job.formats:
        refused += _write_hub(job, generators, names, sizes)
    return refused


def static_size(trained: TrainedGenerator, wanted: int | None) -> int:
    """Side of the images that a static model takes.

    Raises:
      UserError: the network cannot take that size.
    """
    divisor = trained.size_divisor_px
    size = wanted or -(-(trained.size_px or FILE_SIZE_PX) // divisor) * divisor
    if size < MIN_SIZE_PX or size % divisor:
        below = max(size // divisor * divisor, -(-MIN_SIZE_PX // divisor) * divisor)
        raise UserError(
            f"--size_px is {size}, but this network takes multiples of {divisor} from "
            f"{MIN_SIZE_PX}: take {below} or {below + divisor}.",
            code="invalid",
            field="--size_px",
        )
    return size


def _write_saved_model(job: ExportJob, trained: TrainedGenerator, name: str, size_px: int) -> None:
    folder = job.out / "saved_model" / name
    path = write_saved_model(
        folder,
        trained.network,
        trained.size_divisor_px,
        size_px,
        model_card(trained, name),
        trained.scale or FULL,
        trained.ranges,
    )
    log.info("  SavedModel: %s", path)


def _write_static(job: ExportJob, trained: TrainedGenerator, name: str, size_px: int) -> int:
    """The formats that are compared at one fixed size; returns how many files were refused."""
    refused = 0
    common = {"allow_lossy": job.allow_lossy, "replace": job.overwrite}
    if "litert" in job.formats:
        folder = job.out / "litert" / name
        refused += write_litert(folder, trained, name, size_px, variants=job.variants, **common)
        log.info("  LiteRT: %s", folder)
    if "onnx" in job.formats:
        folder = job.out / "onnx" / name
        refused += write_onnx(folder, trained, name, size_px, **common)
        log.info("  ONNX: %s", folder)
    if "keras" in job.formats:
        folder = job.out / "keras" / name
        refused += write_keras(folder, trained, name, size_px, our_layers=job.our_layers, **common)
        log.info("  Keras: %s", folder)
    if "bioimageio" in job.formats:
        folder, options = job.out / "bioimageio" / name, {"allow_lossy": job.allow_lossy}
        label = _label(trained)
        refused += write_bioimageio(
            folder, trained, name, label, size_px, job.license, **options, replace_old=job.overwrite
        )
        log.info("  BioImage.IO: %s", folder)
    return refused


def _page_model(
    job: ExportJob, trained: TrainedGenerator, name: str, size_px: int, scratch: Path
) -> PageModel:
    """The float16 file of a direction: the one just written, else a new one."""
    written = job.out / "litert" / name / "float16.tflite"
    if not ("litert" in job.formats and written.is_file()):
        written = scratch / f"{name}.tflite"
        written.write_bytes(convert_with_metadata(trained, name, size_px, "float16"))
    channels = trained.network.input_shape[-1], trained.network.output_shape[-1]
    label = _label(trained)
    aspect = trained.scale.aspect if trained.scale else 1.0
    words = trained.ranges.in_words()
    return PageModel(name, trained.direction, label, written, size_px, *channels, aspect, words)


def _write_pages(job: ExportJob, title: str, models: Sequence[PageModel]) -> None:
    if "web" in job.formats:
        folder = job.out / "web"
        write_page(folder, title, models, job.litertjs_dir, replace=job.overwrite)
        log.info("page: %s (see it with: python -m http.server --directory %s)", folder, folder)
    if "html" in job.formats:
        path = outputs.page_path(job.out, title)
        write_page_file(path, title, models, job.litertjs_dir, replace=job.overwrite)
        megabytes = path.stat().st_size / 1e6
        log.info("page: %s (%.1f MB; open it with a browser)", path, megabytes)


def _label(trained: TrainedGenerator) -> str:
    return direction_label(trained.experiment.get("data", {}), trained.direction)


def _write_hub(
    job: ExportJob,
    generators: Mapping[str, TrainedGenerator],
    names: Mapping[str, str],
    sizes: Mapping[str, int],
) -> int:
    """Write the folder of the Hub, and upload it; returns how many files were refused."""
    title = outputs.title_of(names)
    folder = job.out / "hub" / title
    models = [
        HubModel(names[direction], _label(trained), trained, sizes[direction])
        for direction, trained in generators.items()
    ]
    common = {"allow_lossy": job.allow_lossy, "replace_old": job.overwrite}
    refused = write_hub(folder, job.target, title, models, job.license, **common)
    if job.push and not refused:
        log.info("hub: uploaded to %s, which is private if it is new", push(folder, job.push))
    return refused
