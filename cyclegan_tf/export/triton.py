"""An ONNX file as a model of NVIDIA Triton: a folder of its model repository.

Triton no longer runs SavedModels, and runs ONNX by ONNX Runtime.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

CONFIG = "config.pbtxt"
VERSION = "1"
Shapes = Mapping[str, Sequence[int | str | None]]


def write_repository(folder: Path, model: Path, name: str, inputs: Shapes, outputs: Shapes) -> None:
    """Add what makes a folder a model of Triton's: config.pbtxt and the version's folder.

    Args:
      folder: of the model, called as the model.
      model: its ONNX file, which gets a second name (a hard link, or a copy) as Triton wants it.
      name: of the model.
      inputs: name -> shape of float32; what is no number may be of any size.
      outputs: the same.
    """
    (folder / CONFIG).write_text(config_text(name, inputs, outputs), encoding="utf-8")
    (folder / VERSION).mkdir()
    target = folder / VERSION / "model.onnx"
    with contextlib.suppress(OSError):  # a file system without hard links
        os.link(model, target)
        return
    shutil.copyfile(model, target)


def config_text(name: str, inputs: Shapes, outputs: Shapes) -> str:
    """Write config.pbtxt, a ModelConfig message as text.

    Batches are an axis of the model's own, `max_batch_size: 0`: Triton would put images of several
    requests into one, which have one size only by chance.

    Args:
      name: of the model.
      inputs: as for `write_repository`.
      outputs: the same.
    """
    tensors = [
        f'{kind} [\n  {{ name: "{tensor}" data_type: TYPE_FP32 dims: [ {_dims(shape)} ] }}\n]\n'
        for kind, shapes in (("input", inputs), ("output", outputs))
        for tensor, shape in shapes.items()
    ]
    head = f'name: "{name}"\nbackend: "onnxruntime"\nmax_batch_size: 0\n'
    return head + "".join(tensors)


def _dims(shape: Sequence[int | str | None]) -> str:
    return ", ".join(str(size if isinstance(size, int) else -1) for size in shape)
