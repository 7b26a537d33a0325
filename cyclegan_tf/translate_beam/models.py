"""The SavedModel of a job, on any of Beam's file systems: found, checked, loaded."""

from __future__ import annotations

import hashlib
import os
from typing import Any

import tensorflow as tf
from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign.programs import (
    read_saved_model,
    refuse_changed_files,
    refuse_foreign_programs,
)
from cyclegan_tf.translate_beam.local import no_model

SIGNATURE, INPUT, OUTPUT = "serving_default", "images", "translated"
FULL_SIZE = "full_size"
"""Signature whose network sees every pixel, of models that bring images to a scale otherwise."""
_CARD = "assets.extra/card.json"
_BLOCK_BYTES = 2**20


class ModelError(UserError):
    """A SavedModel that cannot be loaded, as a worker finds.

    Example:
      >>> raise ModelError("out/1 cannot be loaded.", code="unreadable", field="out/1")
    """


def find_model(folder: str, trust: bool) -> tuple[str, int]:
    """Choose the newest version of a model and check it; nothing of it is run.

    Args:
      folder: of a SavedModel, or of its versions.
      trust: take it even if it holds operations that touch files, the network or Python.

    Returns:
      The version's folder, and the channels of the images that it takes.

    Raises:
      UserError: it is no exported SavedModel, was changed since, or is not trusted.
    """
    folder = _newest_version(folder)
    model = read_saved_model(_content(f"{folder}/saved_model.pb"), folder)
    card = _content(f"{folder}/{_CARD}") if FileSystems.exists(f"{folder}/{_CARD}") else None
    refuse_changed_files(
        None if card is None else card.decode(errors="replace"),
        lambda name: _digest(f"{folder}/{name}"),
        folder,
    )
    if not trust:
        refuse_foreign_programs(model, folder)
    signature = model.meta_graphs[0].signature_def.get(SIGNATURE)
    shape = list(signature.inputs[INPUT].tensor_shape.dim) if signature else []
    if len(shape) != 4:
        raise UserError(
            f"{folder} is no SavedModel of a generator that takes {INPUT!r}; export it again.",
            code="unsupported",
            field=folder,
        )
    return folder, shape[3].size


def _newest_version(folder: str) -> str:
    if FileSystems.exists(f"{folder}/saved_model.pb"):
        return folder
    (found,) = FileSystems.match([f"{folder}/*/saved_model.pb"])
    versions = {os.path.basename(os.path.dirname(file.path)) for file in found.metadata_list}
    numbers = [int(version) for version in versions if version.isdecimal()]
    if not numbers:
        raise no_model(folder)
    return f"{folder}/{max(numbers)}"


def _content(path: str) -> bytes:
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
        return stream.read()


def _digest(path: str) -> str | None:
    if not FileSystems.exists(path):
        return None
    digest = hashlib.sha256()
    with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
        while block := stream.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def load_model(folder: str) -> Any:
    """Load a version.

    Raises:
      ModelError: it is damaged, or lacks what TensorFlow needs.
    """
    try:
        model = tf.saved_model.load(folder)
        model.signatures[SIGNATURE].structured_outputs[OUTPUT]  # fails where it is missing
    except Exception as error:  # TensorFlow raises whatever the damage leads to
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ModelError(
            f"{folder} cannot be loaded ({reason}); export it again.",
            code="unreadable",
            field=folder,
        ) from error
    return model
