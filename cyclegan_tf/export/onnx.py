"""A generator as an ONNX file, checked with ONNX Runtime (extra `onnx`)."""

from __future__ import annotations

import importlib.util
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from cyclegan_tf.atomic import atomic_directory
from cyclegan_tf.errors import UserError
from cyclegan_tf.export import parity
from cyclegan_tf.export.litert.runtime import THREADS
from cyclegan_tf.export.model_card import card, write_card
from cyclegan_tf.export.saved_model import translated
from cyclegan_tf.export.trained import TrainedGenerator, squares

OPSET = 17  # read by ONNX Runtime 1.14 and all later ones
MIN_PSNR_DB = 60.0


def require() -> None:
    """Checks that the optional packages are there.

    Raises:
      UserError: one is not.
    """
    missing = [
        name for name in ("tf2onnx", "onnxruntime") if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise UserError(
            f'--format onnx needs {" and ".join(missing)}: pip install "cyclegan-tf[onnx]"'
        )


def write(
    folder: Path,
    trained: TrainedGenerator,
    name: str,
    size_px: int,
    *,
    variants: Sequence[str] = (),  # noqa: ARG001 -- those of .tflite files; ONNX has one
    allow_lossy: bool = False,
    replace: bool = False,
    say: Callable[[str], None] = print,
) -> int:
    """Writes model.onnx (any N, H and W), parity.json, parity.png and card.json; takes and returns
    what
    `litert_files.write` does."""
    images = squares(trained.test_images(), parity.COMPARED_IMAGES, size_px)
    with atomic_directory(folder, replace) as partial:
        path = partial / "model.onnx"
        operations = _convert(trained, path)
        judge = parity.ParityCheck(trained.network, images)
        judge.add("onnx", _runner(path), path, operations, None, MIN_PSNR_DB)
        refused = judge.report(partial, allow_lossy, say)
        write_card(partial, card(trained, name))
    say(f"  ONNX: {folder}")
    return refused


def _convert(trained: TrainedGenerator, path: Path) -> Counter[str]:
    import tf2onnx

    network, multiple = trained.network, trained.size_divisor_px
    spec = tf.TensorSpec((None, None, None, network.input_shape[-1]), tf.float32, "images")
    function = tf.function(
        lambda images: {"translated": translated(network, multiple, images)},
        input_signature=[spec],
        autograph=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf2onnx's, about NumPy's own names
        model, _ = tf2onnx.convert.from_function(function, [spec], opset=OPSET)
    path.write_bytes(model.SerializeToString())
    return Counter(node.op_type for node in model.graph.node)


def _runner(path: Path) -> parity.Run:
    import onnxruntime

    options: Any = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()

    def run(images: np.ndarray) -> np.ndarray:
        return np.concatenate(
            [session.run(None, {given.name: one[np.newaxis]})[0] for one in images]
        )

    return run
