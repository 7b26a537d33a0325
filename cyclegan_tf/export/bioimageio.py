"""`OUT/bioimageio/<name>`: a package for the BioImage Model Zoo and the programs that read it.

The description follows https://bioimage.io/docs/#/bioimageio_model_spec (0.5). Nothing of the
zoo's own packages is needed to write it; where they are installed (extra `bioimageio`), what is
written is validated and run by them.
"""

from __future__ import annotations

import importlib.util
import logging
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cyclegan_tf.atomic import atomic_directory, scratch_directory
from cyclegan_tf.errors import UserError
from cyclegan_tf.export.hub.push import UNKNOWN_LICENSE
from cyclegan_tf.export.keras_file import write_keras
from cyclegan_tf.export.model_card import model_card, sha256, write_model_card
from cyclegan_tf.export.onnx import OPSET, has_onnx, write_onnx
from cyclegan_tf.export.outputs import CARD_NAME
from cyclegan_tf.export.trained import TrainedGenerator, calibration_images
from cyclegan_tf.images import grid
from cyclegan_tf.images import io as image_io
from cyclegan_tf.runs.evaluations import file_of
from cyclegan_tf.translate.translator import MIN_SIZE_PX

VERSION = "0.5.5"
"""Of the description: the first that knows files of Keras 3."""

_WHITE = 255
# Identifiers of the Hub -> of SPDX, which differ in more than case.
_SPDX = {
    **{"gpl-3.0": "GPL-3.0-only", "gpl-2.0": "GPL-2.0-only", "agpl-3.0": "AGPL-3.0-only"},
    **{"lgpl-3.0": "LGPL-3.0-only", "apache-2.0": "Apache-2.0", "unlicense": "Unlicense"},
}
_PAPER = {
    "text": "Zhu, Park, Isola, Efros: Unpaired Image-to-Image Translation using Cycle-Consistent "
    "Adversarial Networks, ICCV 2017",
    "doi": "10.1109/ICCV.2017.244",
}
_COVER_PX = 256
# Of bioimageio.spec 0.5.12 beside pydantic 2.14, of every package.
_OWN_MISTAKE = "package_file_descr_serializer"

log = logging.getLogger(__name__)


def write_bioimageio(
    folder: Path,
    trained: TrainedGenerator,
    name: str,
    label: str,
    size_px: int,
    license_id: str = UNKNOWN_LICENSE,
    *,
    allow_lossy: bool = False,
    replace_old: bool = False,
) -> int:
    """Write <name>.zip and card.json into a new folder.

    The zip holds rdf.yaml, generator.keras (for Keras alone) and, where its packages are installed,
    model.onnx; test_input.npy and test_output.npy, float32 (1, H, W, C) of pixel values from 0
    to 255; cover.png; README.md.

    Args:
      folder: to be made, whole or not at all.
      trained: what to export.
      name: of the model.
      label: "horse to zebra".
      size_px: side of the test image.
      license_id: of the Hub's list; where nobody has named one, the package has none.
      allow_lossy: keep files whose images are too far off.
      replace_old: replace the folder if it is there.

    Returns:
      How many files were refused, because their images are too far off; the package is then not
      written.

    Raises:
      UserError: the folder is there, or the zoo's own packages refuse the package.
    """
    trained = replace(trained, experiment={}, origin=file_of(trained.origin))
    with atomic_directory(folder, replace_old, CARD_NAME) as partial:
        with scratch_directory(folder.parent) as scratch:
            refused = _write_weights(scratch, trained, name, size_px, allow_lossy)
            if not refused:
                _write_test_images(scratch, trained, size_px)
                text = _readme(trained, name, label)
                (scratch / "README.md").write_text(text, encoding="utf-8")
                rdf = description(scratch, trained, name, label, license_id)
                text = yaml.safe_dump(rdf, sort_keys=False, allow_unicode=True)
                (scratch / "rdf.yaml").write_text(text, encoding="utf-8")
                _zip(scratch, partial / f"{name}.zip")
        card = {**model_card(trained, name), "label": label}
        write_model_card(partial, {k: v for k, v in card.items() if k != "data_source"})
        if not refused:
            check_package(partial / f"{name}.zip")
    return refused


def _write_weights(
    folder: Path, trained: TrainedGenerator, name: str, size_px: int, allow_lossy: bool
) -> int:
    """Write generator.keras and model.onnx; returns how many were refused."""
    with scratch_directory(folder) as made:
        refused = write_keras(made / "keras", trained, name, size_px, allow_lossy=allow_lossy)
        if has_onnx():
            refused += write_onnx(made / "onnx", trained, name, size_px, allow_lossy=allow_lossy)
        if not refused:
            (made / "keras" / f"generator_{trained.direction}.keras").rename(
                folder / "generator.keras"
            )
            if has_onnx():
                (made / "onnx" / "model.onnx").rename(folder / "model.onnx")
    return refused


def _write_test_images(folder: Path, trained: TrainedGenerator, size_px: int) -> None:
    given = image_io.from_signed(calibration_images(trained.test_images(), 1, size_px))
    made = np.asarray(trained.network(image_io.to_signed(given), training=False), np.float32)
    gain = np.float32(_WHITE / 2)
    np.save(folder / "test_input.npy", given.astype(np.float32))
    np.save(folder / "test_output.npy", np.clip(made * gain + gain, 0, _WHITE))
    shown = [given[0], image_io.from_signed(made[0])]
    few = [image[:_COVER_PX, :_COVER_PX, :3] for image in shown]
    few = [image if image.shape[-1] in (1, 3) else image[..., :1] for image in few]
    image_io.save(folder / "cover.png", grid.make_grid([few]))


def description(
    folder: Path, trained: TrainedGenerator, name: str, label: str, license_id: str
) -> dict[str, Any]:
    """Make what rdf.yaml holds.

    Args:
      folder: with the files that it names.
      trained: what is exported.
      name: of the model.
      label: "horse to zebra".
      license_id: of the Hub's list, or "unknown".
    """
    channels = trained.network.input_shape[-1], trained.network.output_shape[-1]
    found: dict[str, Any] = {
        "type": "model",
        "format_version": VERSION,
        "name": name,
        "description": f"CycleGAN: translates images, {label}.",
        "authors": [{"name": "unknown"}],
        "cite": [_PAPER],
        "tags": ["cyclegan", "image-to-image", "unpaired", "tensorflow", "keras"],
        "documentation": _file(folder, "README.md"),
        "covers": [_file(folder, "cover.png")],
        "timestamp": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "inputs": [_input(folder, channels[0], trained.size_divisor_px)],
        "outputs": [_output(folder, channels[1])],
        "weights": _weights(folder),
    }
    if license_id != UNKNOWN_LICENSE:
        found["license"] = _SPDX.get(license_id, license_id.upper())
    return found


def _weights(folder: Path) -> dict[str, Any]:
    weights: dict[str, Any] = {
        "keras_v3": {
            **_file(folder, "generator.keras"),
            "keras_version": metadata.version("keras"),
            "backend": ["tensorflow", metadata.version("tensorflow")],
        }
    }
    if (folder / "model.onnx").is_file():
        onnx = _file(folder, "model.onnx")
        weights["onnx"] = {**onnx, "parent": "keras_v3", "opset_version": OPSET}
    return weights


def _input(folder: Path, channels: int, divisor: int) -> dict[str, Any]:
    size = {"min": -(-MIN_SIZE_PX // divisor) * divisor, "step": divisor}
    half = _WHITE / 2
    return {
        "id": "image",
        "axes": _axes({"y": size, "x": dict(size)}, channels),  # YAML would link one to the other
        "data": {"type": "float32", "range": [0.0, float(_WHITE)]},
        "test_tensor": _file(folder, "test_input.npy"),
        "preprocessing": [
            {"id": "scale_linear", "kwargs": {"gain": 1 / half, "offset": -1.0}},
        ],
    }


def _output(folder: Path, channels: int) -> dict[str, Any]:
    sides = {side: {"tensor_id": "image", "axis_id": side} for side in ("y", "x")}
    half = _WHITE / 2
    return {
        "id": "translated",
        "axes": _axes(sides, channels),
        "data": {"type": "float32", "range": [0.0, float(_WHITE)]},
        "test_tensor": _file(folder, "test_output.npy"),
        "postprocessing": [
            {"id": "scale_linear", "kwargs": {"gain": half, "offset": half}},
            {"id": "clip", "kwargs": {"min": 0.0, "max": float(_WHITE)}},
        ],
    }


def _axes(sides: Mapping[str, Any], channels: int) -> list[dict[str, Any]]:
    colors = {1: ["gray"], 3: ["red", "green", "blue"]}
    names: Sequence[str] = colors.get(channels, [f"band{index}" for index in range(channels)])
    return [
        {"type": "batch"},
        *({"type": "space", "id": side, "size": size} for side, size in sides.items()),
        {"type": "channel", "channel_names": list(names)},
    ]


def _file(folder: Path, name: str) -> dict[str, Any]:
    return {"source": name, "sha256": sha256(folder / name)}


def _readme(trained: TrainedGenerator, name: str, label: str) -> str:
    scale = f"It was trained on images at {trained.scale}. " if trained.scale else ""
    scores = [f"| {key} | {value:.4g} |" for key, value in trained.scores.items() if key != "step"
              and isinstance(value, float)]  # fmt: skip
    table = "\n".join(["| score | |", "|---|---|", *scores]) if scores else "None were measured."
    return f"""# {name}

A generator of a CycleGAN ({label}), exported by cyclegan_tf out of {trained.origin}.

{scale}It takes and gives pixel values from 0 to 255; sides are multiples of
{trained.size_divisor_px} px. A translation is a guess at what an image of the other kind would
look like: it can add and remove structures. Do not measure on it without proof.

## Validation

{table}
"""


def _zip(folder: Path, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.iterdir()):
            if path.is_file():
                archive.write(path, path.name)


def check_package(path: Path) -> None:
    """Validate a package by `bioimageio.spec`, where that is installed.

    Raises:
      UserError: it is not valid.
    """
    if importlib.util.find_spec("bioimageio") is None:
        log.info("  not validated: the extra bioimageio is not installed")
        return
    from bioimageio.spec import InvalidDescr, load_description

    with warnings.catch_warnings(), zipfile.ZipFile(path) as archive:
        warnings.simplefilter("ignore")
        found = load_description(archive, perform_io_checks=True)
    if isinstance(found, InvalidDescr):
        errors = [one for detail in found.validation_summary.details for one in detail.errors]
        said = "; ".join(f"{'.'.join(map(str, one.loc))}: {one.msg}" for one in errors[:3])
        if _OWN_MISTAKE in said:
            log.warning("  not validated: bioimageio.spec takes pydantic below 2.14")
            return
        raise UserError(f"{path} is not valid: {said}", code="unsupported", field="--format")
    log.info("  validated by bioimageio.spec %s", metadata.version("bioimageio.spec"))
