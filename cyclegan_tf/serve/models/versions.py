"""A version of a model: its folder, its SavedModel, the calls that warm it up."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from cyclegan_tf.errors import UserError, reading
from cyclegan_tf.foreign.programs import read_saved_model, refuse_foreign_programs
from cyclegan_tf.images.training_scale import TrainingScale
from cyclegan_tf.serve.models.limits import BAD_REQUEST, Limits, UnknownSignatureError

DEFAULT_SIGNATURE = "serving_default"
ENCODED_SIGNATURE = "image_bytes"
"""Of an export: takes a JPEG or PNG, gives a PNG."""
_FULL_SIZE = "full_size"  # the signature of an export whose network sees every pixel
EXTRA = "assets.extra"
_WARMUP_SIDE_PX = 32
_MAX_WARMUP_REQUESTS = 1000  # as many as TF Serving takes
_DECODERS = (
    *("DecodeJpeg", "DecodePng", "DecodeImage", "DecodeBmp", "DecodeGif", "DecodeWebP"),
    *("DecodeAndCropJpeg", "ExtractJpegShape"),
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Signature:
    """One function of a SavedModel.

    Attributes:
      inputs: name -> tf.TensorSpec.
      outputs: name -> tf.TensorSpec.
      function: takes these inputs as keywords, gives a dictionary of tensors.
      decodes_images: its model decodes images, so that strings must be images.

    Example:
      >>> signature = version.signature("serving_default")
      >>> outputs = signature({"images": np.zeros((1, 256, 256, 3), np.float32)})
      >>> outputs["translated"].shape
    """

    inputs: Mapping[str, Any]
    outputs: Mapping[str, Any]
    function: Any
    decodes_images: bool = True

    def __call__(self, arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Run it on NumPy arrays; strings are object arrays of bytes, in inputs and outputs.

        Raises:
          tf.errors.OpError: as the model raises it.
        """
        tensors = {
            name: tf.constant(array, self.inputs[name].dtype) for name, array in arrays.items()
        }
        # Without a type, NumPy would cut zeros off the end of a single string.
        kinds = {
            name: object if spec.dtype == tf.string else None for name, spec in self.outputs.items()
        }
        return {
            name: np.asarray(value.numpy(), kinds[name])
            for name, value in self.function(**tensors).items()
        }


@dataclass
class ModelVersion:
    """A loaded version.

    Attributes:
      model: the model's name.
      number: the version's number.
      signatures: by name.
      signature_defs: name -> SignatureDef message, as written in the file.
      card: what the exporter wrote about it, {} where there is none.
      size_bytes: of all its files.
      sha256: of the names and contents of all its files.
      load_seconds: reading and warming up.
      leases: requests that use it at the moment.

    Example:
      >>> path = Path("out/saved_model/horse2zebra_xy/1")
      >>> version = load_version("horse2zebra_xy", 1, path)
      >>> sorted(version.signatures)
    """

    model: str
    number: int
    signatures: dict[str, Signature]
    signature_defs: dict[str, Any]
    card: dict[str, Any]
    size_bytes: int
    sha256: str
    load_seconds: float = 0.0
    leases: int = field(default=0, compare=False)

    def limits(self, limits: Limits, signature_name: str) -> Limits:
        """The same limits, with the scale at which a signature's network sees images.

        Args:
          limits: of images.
          signature_name: whose.
        """
        scale = TrainingScale.from_dict(self.card.get("training_scale"))
        return replace(limits, scale=None if signature_name == _FULL_SIZE else scale)

    def signature(self, name: str) -> Signature:
        """The signature of a name.

        Raises:
          UnknownSignatureError: there is none.
        """
        if name not in self.signatures:
            raise UnknownSignatureError(
                BAD_REQUEST,
                f'Serving signature name: "{name[:100]}" not found in signature def; there are: '
                f"{', '.join(sorted(self.signatures))}",
            )
        return self.signatures[name]


def fingerprint(folder: Path) -> tuple:
    """Names, sizes and times of all files, which change when a version does."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return tuple((path.as_posix(), path.stat().st_size, path.stat().st_mtime_ns) for path in files)


def load_version(model: str, number: int, path: Path, trust: bool = False) -> ModelVersion:
    """Load a version, check it against its card, and call each signature.

    Args:
      model: the model's name.
      number: the version's number.
      path: the version's folder.
      trust: run it even if it holds operations that touch files, the network or Python.

    Raises:
      UserError: a file is damaged or not as it was exported, there is nothing to call, or it is
        not trusted.
    """
    with reading(path, "it must be a SavedModel that can be loaded: copy or export it again"):
        return _loaded(model, number, path, trust)


def _loaded(model: str, number: int, path: Path, trust: bool) -> ModelVersion:
    started = time.perf_counter()
    card, size_bytes, sha256 = _checked_files(path)
    message = read_saved_model((path / "saved_model.pb").read_bytes(), str(path))
    if not trust:
        refuse_foreign_programs(message, str(path))
    loaded = tf.saved_model.load(str(path))
    signatures = {
        name: Signature(
            function.structured_input_signature[1],
            function.structured_outputs,
            function,
            _decodes_images(message),
        )
        for name, function in loaded.signatures.items()
    }
    if not signatures:
        raise UserError(
            f"{path} has no signatures that could be served.", code="unsupported", field=str(path)
        )
    defs = {
        key: value for graph in message.meta_graphs for key, value in graph.signature_def.items()
    }
    version = ModelVersion(model, number, signatures, defs, card, size_bytes, sha256)
    _warm_up(version, path)
    version.load_seconds = time.perf_counter() - started
    return version


def _checked_files(path: Path) -> tuple[dict[str, Any], int, str]:
    """The card, all files' size and checksum.

    Raises:
      UserError: a file differs from what the card says, or is missing.
    """
    card_path = path / EXTRA / "card.json"
    card = json.loads(card_path.read_text(encoding="utf-8")) if card_path.is_file() else {}
    promised = dict(card.get("files", {}))
    total, size = hashlib.sha256(), 0
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        name, data = file.relative_to(path).as_posix(), file.read_bytes()
        digest, size = hashlib.sha256(data).hexdigest(), size + len(data)
        if promised.pop(name, digest) != digest:
            raise UserError(
                f"{file} is not as it was exported (its checksum differs); copy the version again.",
                code="mismatch",
                field=str(file),
            )
        total.update(f"{name}\0{digest}\n".encode())
    if promised:
        raise UserError(
            f"{path} lacks {', '.join(sorted(promised))}; copy the version again.",
            code="missing",
            field=str(path),
        )
    return card, size, total.hexdigest()


def _decodes_images(message: Any) -> bool:
    """Whether a SavedModel message holds an operation that decodes an encoded image."""
    nodes = (
        node
        for graph in message.meta_graphs
        for part in (graph.graph_def.node, *(f.node_def for f in graph.graph_def.library.function))
        for node in part
    )
    return any(node.op.startswith(_DECODERS) for node in nodes)


def _warm_up(version: ModelVersion, path: Path) -> None:
    """Make the recorded calls, then one with a small image for each signature.

    Raises:
      Exception: a recorded call fails. The others are guesses, and a model of another kind may
        refuse them.
    """
    for name, arrays in _recorded_calls(path / EXTRA / "tf_serving_warmup_requests"):
        version.signature(name)(arrays)
    for name, signature in version.signatures.items():
        try:
            signature({key: _small_input(spec) for key, spec in signature.inputs.items()})
        except Exception as error:
            _log.info(
                "%s version %d: %s takes no small image (%s); its first request may take longer",
                version.model,
                version.number,
                name,
                type(error).__name__,
            )


def _recorded_calls(path: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    if not path.is_file():
        return
    try:
        from tensorflow_serving.apis import prediction_log_pb2
    except ImportError:  # optional; the small images warm up, too
        return
    for record in (
        tf.data.TFRecordDataset([str(path)]).take(_MAX_WARMUP_REQUESTS).as_numpy_iterator()
    ):
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        if request.inputs:
            arrays = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
            yield request.model_spec.signature_name or DEFAULT_SIGNATURE, arrays


def _small_input(spec: Any) -> np.ndarray:
    if spec.dtype == tf.string:
        image = tf.io.encode_png(np.zeros((_WARMUP_SIDE_PX, _WARMUP_SIDE_PX, 3), np.uint8)).numpy()
        return np.full([size or 1 for size in spec.shape], image, object)
    sides = (
        [1, _WARMUP_SIDE_PX, _WARMUP_SIDE_PX]
        if spec.shape.rank == 4
        else [1] * (spec.shape.rank or 0)
    )
    shape = [size or sides[min(axis, len(sides) - 1)] for axis, size in enumerate(spec.shape)]
    return np.zeros(shape, spec.dtype.as_numpy_dtype)
