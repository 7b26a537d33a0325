"""A user's own segmentation network, asked which class each pixel of an image has."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from cyclegan_tf.errors import UserError, not_installed
from cyclegan_tf.networks.semantic import open_frozen

FIELD = "--segmenter"
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}


@dataclass(frozen=True)
class Segmenter:
    """A network that gives every pixel a class.

    Attributes:
      classes: how many there are, K.
      values: float32 (H, W, C) in [-1, 1] -> its answer: (h, w, K), shares or any scores; (h, w, 1)
        with the score of the second of two classes; or whole numbers (h, w).

    Example:
      >>> segmenter = open_segmenter(Path("cells.onnx"), 3, (0, 1))
      >>> segmenter(image).shape == image.shape[:2]
      True
    """

    classes: int
    values: Callable[[np.ndarray], np.ndarray]

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Give int64 (H, W), each in [0, K): of the nearest pixel where the answer is smaller."""
        found = self.values(image)
        if found.ndim == 3 and found.shape[-1] > 1:
            labels = found.argmax(-1)
        elif np.issubdtype(found.dtype, np.integer):
            labels = found.reshape(found.shape[:2])
        else:  # a share, or what a sigmoid would make one of
            is_share = found.min() >= 0 and found.max() <= 1
            labels = found.reshape(found.shape[:2]) > (0.5 if is_share else 0)
        whole = labels.astype(np.int32)[..., np.newaxis]
        return tf.image.resize(whole, image.shape[:2], "nearest").numpy()[..., 0].astype(np.int64)


def open_segmenter(path: Path, channels: int, value_range: tuple[float, float]) -> Segmenter:
    """Open a `.keras` or `.onnx` file.

    Args:
      path: of a network with one image input, (N, H, W, C), in ONNX also (N, C, H, W), and a map of
        classes as its first output.
      channels: of the images that it will see.
      value_range: black and white as it takes them.

    Raises:
      UserError: it cannot be opened, takes other images, or gives no map of classes.
    """
    if path.suffix.lower() == ".onnx":
        return _open_onnx(path, channels, value_range)
    network = open_frozen(path, channels, value_range, FIELD)
    shape = network.output_shape
    if len(shape) != 4:
        raise _no_map(path, shape)

    def values(image: np.ndarray) -> np.ndarray:
        return np.asarray(network(image[np.newaxis], training=False), np.float32)[0]

    return Segmenter(max(2, int(shape[-1])), values)


def _open_onnx(path: Path, channels: int, value_range: tuple[float, float]) -> Segmenter:
    session = _session(path)
    given, made = session.get_inputs()[0], session.get_outputs()[0]
    shape = [size if isinstance(size, int) else None for size in given.shape]
    if len(session.get_inputs()) != 1 or len(shape) != 4 or given.type not in _TYPES:
        raise UserError(
            f"{FIELD} {path} is not a network of one image input (N, H, W, C) or (N, C, H, W).",
            code="unsupported",
            field=FIELD,
        )
    first = shape[1] == channels and shape[3] != channels
    if not first and shape[3] not in (channels, None):
        raise UserError(
            f"{FIELD} {path} takes images of shape {given.shape}, but they have {channels} "
            "channels here.",
            code="mismatch",
            field=FIELD,
        )
    sides = shape[2:] if first else shape[1:3]
    classes = _classes(path, made, first)
    low, high = value_range

    def values(image: np.ndarray) -> np.ndarray:
        size = [side or own for side, own in zip(sides, image.shape[:2], strict=True)]
        batch = tf.image.resize(image[np.newaxis], size).numpy()
        batch = low + (batch + 1) * np.float32((high - low) / 2)
        batch = np.rint(batch) if given.type == "tensor(uint8)" else batch
        batch = batch.transpose(0, 3, 1, 2) if first else batch
        found = session.run([made.name], {given.name: batch.astype(_TYPES[given.type])})[0][0]
        return found.transpose(1, 2, 0) if found.ndim == 3 and first else found

    return Segmenter(classes, values)


def _classes(path: Path, made: Any, first: bool) -> int:
    """How many an output tells apart; of whole numbers, as many as fit a label file."""
    if "int" in made.type and len(made.shape) in (3, 4):
        return 255
    count = made.shape[1 if first else -1] if len(made.shape) == 4 else None
    if not isinstance(count, int):
        raise _no_map(path, made.shape)
    return max(2, count)


def _session(path: Path) -> Any:
    if importlib.util.find_spec("onnxruntime") is None:
        raise UserError(
            f"{FIELD} {path} takes ONNX Runtime, and {not_installed('onnxruntime')}",
            code="dependency",
            field=FIELD,
        )
    import onnxruntime

    if not path.is_file():
        raise UserError(f"{FIELD} {path} does not exist.", code="missing", field=FIELD)
    try:
        return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # its own kinds, of a damaged or unknown file
        said = " ".join(str(error).split())[:160]
        raise UserError(
            f"{FIELD} {path} cannot be opened by ONNX Runtime ({said}).",
            code="unreadable",
            field=FIELD,
        ) from error


def _no_map(path: Path, shape: Any) -> UserError:
    return UserError(
        f"{FIELD} {path} gives {tuple(shape)}, and a map of classes is wanted: (N, H, W, K), or "
        "(N, K, H, W) of an .onnx file.",
        code="unsupported",
        field=FIELD,
    )
