"""`load`: says what a path is, and opens it as a model."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf

from cyclegan_tf.convert import command as convert
from cyclegan_tf.convert.routes import TORCH_SUFFIXES, choose_route
from cyclegan_tf.convert.task import Task
from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.ranges import RangePair
from cyclegan_tf.library.loaded import Model, Network
from cyclegan_tf.library.training import Run, open_generator
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.serve.models.folders import find_models, find_versions
from cyclegan_tf.serve.models.versions import load_version


def load(
    source: str | os.PathLike, *, checkpoint: str = checkpoints.BEST, trust: bool = False
) -> Model:
    """Load a trained model.

    Args:
      source: a run directory; a `.keras` file; an export, or its SavedModel folder; or a generator
        of the official PyTorch code (`.pth`, or the folder of a published model; extra `torch`).
      checkpoint: of a run, "best" (the newest where no scores have chosen one), "last", or a step.
      trust: run an export also if it holds operations that touch files, the network or Python.

    Returns:
      A `Run` for a run directory, which can be evaluated and exported as well, else a `Model`.

    Raises:
      UserError: it is none of these, or damaged.

    Example:
      >>> model = cyclegan_tf.load("runs/mine")
      >>> painting = model.translate("photo.jpg")
      >>> model.translate(painting, direction="yx").save("photo_again.png")
    """
    path = Path(source)
    if not path.exists():
        raise UserError(
            f"{path} does not exist; give a run directory, an export, a .keras or a .pth file.",
            code="missing",
            field=str(source),
        )
    if RunDirectory(path).exists():
        return Run(path, checkpoint)
    if path.suffix == ".keras":
        direction = "yx" if path.stem.endswith("yx") else "xy"
        return Model(path, {direction: partial(open_generator, path, direction)})
    if path.suffix in TORCH_SUFFIXES:
        return Model(path, {"xy": partial(_open_converted, path)})
    return Model(path, _exported(path, trust))


def _open_converted(path: Path) -> Network:
    with tempfile.TemporaryDirectory(prefix="cyclegan_tf_") as folder:
        target = Path(folder) / "generator.keras"
        words = [os.fspath(path), os.fspath(target)]
        task = Task(path, target, convert.build_parser().parse(words), words)
        choose_route(path, target, "keras")(task)
        return open_generator(target, "xy")


def _exported(path: Path, trust: bool) -> dict[str, Callable[[], Network]]:
    """By direction, the newest version of each SavedModel."""
    version = path.parent if (path / "saved_model.pb").is_file() else path
    model = version if find_versions(version) else None
    models = {model.name: model} if model is not None else find_models(path)
    found: dict[str, Callable[[], Network]] = {}
    for name, folder in models.items():
        direction = "yx" if name.endswith("yx") else "xy"
        if direction in found:
            raise UserError(
                f"{path} holds several models ({', '.join(models)}); give the folder of one.",
                code="mismatch",
                field=str(path),
            )
        number, newest = max(find_versions(folder).items())
        found[direction] = partial(_open_saved_model, name, number, newest, trust)
    return found


def _open_saved_model(name: str, number: int, folder: Path, trust: bool) -> Network:
    version = load_version(name, number, folder, trust)
    signature = version.signature(tf.saved_model.DEFAULT_SERVING_SIGNATURE_DEF_KEY)
    ranges = RangePair.from_dict(version.card.get("value_ranges"))

    def translate(image: np.ndarray) -> np.ndarray:
        batch = image if image.dtype == np.float32 else image_io.to_signed(image)
        return image_io.from_signed(
            signature({"images": batch[np.newaxis]})["translated"][0], 8 * image.itemsize
        )

    return Network(signature.inputs["images"].shape[-1], translate, ranges)
