"""`OUT/hub/<name>`: all files of a model, ready for the Hugging Face Hub."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cyclegan_tf.atomic import atomic_directory, scratch_directory
from cyclegan_tf.errors import UserError
from cyclegan_tf.export.hub.card import (
    Direction,
    app_text,
    card_text,
    finite,
)
from cyclegan_tf.export.hub.push import UNKNOWN_LICENSE
from cyclegan_tf.export.keras_file import write_keras
from cyclegan_tf.export.litert.files import write_litert
from cyclegan_tf.export.model_card import model_card, write_model_card
from cyclegan_tf.export.onnx import has_onnx, write_onnx
from cyclegan_tf.export.outputs import CARD_NAME
from cyclegan_tf.export.trained import TrainedGenerator, calibration_images
from cyclegan_tf.images import grid
from cyclegan_tf.images import io as image_io
from cyclegan_tf.runs.evaluations import evaluated, file_of

SAMPLES = 4
_STRIP = "samples.png"
_REQUIREMENTS = "gradio>=6,<7\nai-edge-litert>=2.3,<3\nnumpy>=2,<3\npillow>=12,<14\n"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class HubModel:
    """One direction of a folder.

    Attributes:
      name: of its files, without their suffix.
      label: "horses to zebras".
      trained: the generator, with images of its test split.
      size_px: side of the images that the .tflite file takes.

    Example:
      >>> models = [HubModel("zebra_xy", "horse to zebra", open_trained(run, "xy"), 256)]
      >>> refused = write_hub(Path("out/hub/zebra"), run, "zebra", models, "mit")
    """

    name: str
    label: str
    trained: TrainedGenerator
    size_px: int


def write_hub(
    out: Path,
    run: Path,
    title: str,
    models: Sequence[HubModel],
    license_id: str = UNKNOWN_LICENSE,
    *,
    allow_lossy: bool = False,
    replace_old: bool = False,
) -> int:
    """Write a folder for the Hub, whole or not at all.

    README.md, the model card; for each direction a .keras, a .tflite (float16) and, where its
    packages are installed, an .onnx file; samples.png; app.py and requirements.txt; card.json.
    Paths of this machine and the run's config are left out of all of them.

    Args:
      out: the folder to be.
      run: the run directory or file that the models are of.
      title: of the model.
      models: one or both directions.
      license_id: of the Hub's list.
      allow_lossy: keep files whose images are too far off.
      replace_old: replace the folder if it is there.

    Returns:
      How many files were refused, because their images are too far off.

    Raises:
      UserError: it is there, or images have other than 1 or 3 channels, which no app shows.
    """
    for model in models:
        _check_channels(model)
    if license_id == UNKNOWN_LICENSE:
        log.info("license: unknown, says the model card; --license mit, say, names one")
    if not has_onnx():
        log.info("no ONNX file: the extra onnx is not installed")
    refused = 0
    with atomic_directory(out, replace_old, CARD_NAME) as folder:
        files: dict[str, str] = {}
        for model in models:
            described, missing = _write_model(folder, model, allow_lossy)
            files |= described
            refused += missing
        image_io.save(folder / _STRIP, _samples(models))
        _write_texts(folder, [_direction(run, model) for model in models], files, title, license_id)
        cards = [_card(model) for model in models]
        write_model_card(folder, {"name": title, "license": license_id, "models": cards})
    log.info("hub: %s", out)
    return refused


def _write_texts(
    folder: Path,
    directions: Sequence[Direction],
    files: dict[str, str],
    title: str,
    license_id: str,
) -> None:
    files = {
        **files,
        _STRIP: "images of the test split, and what the networks make of them",
        "app.py": "a Gradio app on the .tflite files",
    }
    card = card_text(title, directions, files, license_id)
    (folder / "README.md").write_text(card, encoding="utf-8")
    (folder / "app.py").write_text(app_text(title, directions), encoding="utf-8")
    (folder / "requirements.txt").write_text(_REQUIREMENTS, encoding="utf-8")


def _check_channels(model: HubModel) -> None:
    channels = {model.trained.network.input_shape[-1], model.trained.network.output_shape[-1]}
    if not channels <= {1, 3}:
        raise UserError(
            f"{model.name} has images of {max(channels)} channels, and --format hub takes 1 or 3, "
            "which its app can show.",
            code="unsupported",
            field="--format",
        )


def _anonymous(trained: TrainedGenerator) -> TrainedGenerator:
    """The same without what names folders of this machine."""
    return replace(trained, experiment={}, origin=file_of(trained.origin))


def _card(model: HubModel) -> dict[str, object]:
    card = model_card(_anonymous(model.trained), model.name)
    return {key: value for key, value in card.items() if key not in ("config", "data_source")}


def _write_model(folder: Path, model: HubModel, allow_lossy: bool) -> tuple[dict[str, str], int]:
    """The files of one direction: what each is, by name, and how many were refused."""
    trained, name = _anonymous(model.trained), model.name
    files: dict[str, str] = {}
    refused = 0

    def take(kind: str, made: Path, what: str) -> None:
        if made.is_file():
            shutil.copyfile(made, folder / f"{name}.{kind}")
            files[f"{name}.{kind}"] = f"{model.label}: {what}"

    with scratch_directory(folder.parent) as scratch:
        size, lossy = model.size_px, {"allow_lossy": allow_lossy}
        missing, what = _write_keras(scratch / "keras", trained, name, size, lossy)
        refused += missing
        take("keras", scratch / "keras" / f"generator_{trained.direction}.keras", what)
        tflite = scratch / "tflite"
        refused += write_litert(tflite, trained, name, size, variants=["float16"], **lossy)
        take("tflite", tflite / "float16.tflite", f"LiteRT, {size} x {size} px, float16 weights")
        if has_onnx():
            refused += write_onnx(scratch / "onnx", trained, name, size, **lossy)
            take("onnx", scratch / "onnx" / "model.onnx", "ONNX, any number and size of images")
    return files, refused


def _write_keras(
    folder: Path, trained: TrainedGenerator, name: str, size_px: int, options: dict[str, bool]
) -> tuple[int, str]:
    """A file of Keras's own layers, if it can be one: whether it was refused, and what it is."""
    what = "the Keras network, to translate and to fine-tune"
    try:
        return write_keras(folder, trained, name, size_px, **options), f"{what}, by Keras alone"
    except UserError:  # a layer has no counterpart there
        refused = write_keras(folder, trained, name, size_px, our_layers=True, **options)
        return refused, f"{what}, after `import cyclegan_tf`"


def _direction(run: Path, model: HubModel) -> Direction:
    trained = model.trained
    scores = finite(evaluated(run, trained.direction, trained.origin))
    if scores:
        return Direction(model.name, model.label, scores)
    ending = f"_{trained.direction}"
    mine = {
        key.removesuffix(ending): value
        for key, value in trained.scores.items()
        if key.endswith(ending)
    }
    step = int(trained.scores.get("step", 0)) or None
    return Direction(model.name, model.label, finite(mine), step)


def _samples(models: Sequence[HubModel]) -> np.ndarray:
    """Inputs above, translations below, one pair of rows for each direction."""
    rows: list[Sequence[np.ndarray]] = []
    for model in models:
        images = calibration_images(model.trained.test_images(), SAMPLES, model.size_px)
        made = [model.trained.network(one[np.newaxis], training=False)[0] for one in images]
        shown: Callable[[np.ndarray], np.ndarray] = image_io.from_signed
        rows += [[shown(one) for one in images], [shown(np.asarray(one)) for one in made]]
    return grid.make_grid(rows)
