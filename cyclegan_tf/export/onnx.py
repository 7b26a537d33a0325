"""A generator as an ONNX file, checked with ONNX Runtime (extra `onnx`)."""

from __future__ import annotations

import importlib.util
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from cyclegan_tf.atomic import atomic_directory
from cyclegan_tf.errors import UserError, install_command
from cyclegan_tf.export.litert.runtime import THREADS
from cyclegan_tf.export.model_card import model_card, write_model_card
from cyclegan_tf.export.outputs import CARD_NAME
from cyclegan_tf.export.parity import COMPARED_IMAGES, ImageFunction, ParityCheck
from cyclegan_tf.export.saved_model import translate_any_size
from cyclegan_tf.export.trained import TrainedGenerator, calibration_images
from cyclegan_tf.export.triton import write_repository

OPSET = 17
"""Read by ONNX Runtime 1.14 and all later ones."""
KERNELS = "ONNX Runtime on a CPU"
MIN_PSNR_DB = 60.0
"""Below this an export is refused."""


def has_onnx() -> bool:
    """Whether the optional packages are there."""
    return not _missing()


def _missing() -> list[str]:
    return [name for name in ("tf2onnx", "onnxruntime") if importlib.util.find_spec(name) is None]


def require_onnx() -> None:
    """Check that the optional packages are there.

    Raises:
      UserError: one is not.
    """
    if missing := _missing():
        raise UserError(
            f"--format onnx needs {' and '.join(missing)}: {install_command('onnx')}",
            code="dependency",
            field="--format",
        )


def write_onnx(
    folder: Path,
    trained: TrainedGenerator,
    name: str,
    size_px: int,
    *,
    allow_lossy: bool = False,
    replace: bool = False,
) -> int:
    """Write model.onnx (any N, H and W), parity.json, parity.png and card.json into a new folder.

    With config.pbtxt and 1/model.onnx, it is a model of a Triton repository, the folder above it.

    Args:
      folder: to be made, whole or not at all.
      trained: what to export.
      name: of the model.
      size_px: side of the images it is compared with.
      allow_lossy: keep what is too far off.
      replace: replace the folder if it is there.

    Returns:
      1 if the file was refused for a PSNR below `MIN_PSNR_DB` or for NaN, else 0.

    Raises:
      UserError: the folder exists and is not to be replaced, or is not an export.
    """
    images = calibration_images(trained.test_images(), COMPARED_IMAGES, size_px)
    with atomic_directory(folder, replace, CARD_NAME) as partial:
        path = partial / "model.onnx"
        operations = _convert(trained, path)
        check = ParityCheck(trained.network, images, KERNELS)
        session = _session(path)
        check.add("onnx", _runner(session), path, operations, None, MIN_PSNR_DB)
        refused = check.report(partial, allow_lossy)
        if path.is_file():
            shapes = [{each.name: each.shape for each in part} for part in _tensors(session)]
            write_repository(partial, path, name, *shapes)
        write_model_card(partial, model_card(trained, name))
    return refused


def _convert(trained: TrainedGenerator, path: Path) -> Counter[str]:
    import tf2onnx

    network, divisor = trained.network, trained.size_divisor_px
    spec = tf.TensorSpec((None, None, None, network.input_shape[-1]), tf.float32, "images")
    function = tf.function(
        lambda images: {"translated": translate_any_size(network, divisor, images)},
        input_signature=[spec],
        autograph=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf2onnx's, about NumPy's own names
        model, _ = tf2onnx.convert.from_function(function, [spec], opset=OPSET)
    path.write_bytes(model.SerializeToString())
    return Counter(node.op_type for node in model.graph.node)


def _session(path: Path) -> Any:
    import onnxruntime

    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _tensors(session: Any) -> tuple[Any, Any]:
    """Inputs and outputs."""
    return session.get_inputs(), session.get_outputs()


def _runner(session: Any) -> ImageFunction:
    (given,) = session.get_inputs()

    def run(images: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [session.run(None, {given.name: one[np.newaxis]})[0] for one in images]
        )

    return run
