"""A .tflite file in Google's interpreter (LiteRT, formerly TensorFlow Lite)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

THREADS = 2
KERNELS = "LiteRT on a CPU, XNNPACK where it takes an operation"
"""What `LiteRTModel` runs on; other kernels round files of 8 bits otherwise."""
_DELEGATE = "DELEGATE"


class LiteRTModel:
    """One file with one image in and one image out, on the CPU.

    Args:
      model: path of the .tflite file, or its bytes.
      threads: of the interpreter.
      delegate: whether XNNPACK takes over what it can, as it does on phones by default.

    Example:
      >>> model = LiteRTModel(Path("float16.tflite"))
      >>> _, height, width, channels = model.shape
      >>> translated = model(images)
    """

    def __init__(self, model: Path | bytes, threads: int = THREADS, delegate: bool = True) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        resolver = (
            OpResolverType.AUTO if delegate else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        )
        given = {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
        self._interpreter = Interpreter(
            **given, num_threads=threads, experimental_op_resolver_type=resolver
        )
        self._interpreter.allocate_tensors()
        (self._input,), (self._output,) = (
            self._interpreter.get_input_details(),
            self._interpreter.get_output_details(),
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """(1, H, W, C) of the input."""
        return tuple(int(side) for side in self._input["shape"])

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """float32 (N, H, W, C) in [-1, 1] -> float32 (N, H, W, C'), one image after the other."""
        translated = []
        for image in images:
            self._interpreter.set_tensor(self._input["index"], image[np.newaxis])
            self._interpreter.invoke()
            translated.append(self._interpreter.get_tensor(self._output["index"])[0])
        return np.stack(translated)

    def nodes(self) -> list[dict]:
        """All nodes as the interpreter lists them, those of delegates included."""
        return self._interpreter._get_ops_details()


def operations_of(model: Path | bytes) -> Counter[str]:
    """How often each operation stands in a file."""
    return Counter(node["op_name"] for node in LiteRTModel(model, delegate=False).nodes())


def delegated_share(model: Path | bytes) -> float:
    """Share of a file's operations that XNNPACK runs, 0 to 1; what it leaves splits the graph.

    The interpreter lists delegates beside the operations they replace, not which those are: they
    are found by walking from a delegate's outputs to its inputs.
    """
    nodes = LiteRTModel(model).nodes()
    own = [node for node in nodes if node["op_name"] != _DELEGATE]
    maker_of = {int(tensor): node["index"] for node in own for tensor in node["outputs"]}
    inputs_of = {node["index"]: [int(tensor) for tensor in node["inputs"]] for node in own}
    replaced: set[int] = set()
    for node in nodes:
        if node["op_name"] != _DELEGATE:
            continue
        border = {int(tensor) for tensor in node["inputs"]}
        waiting = [int(tensor) for tensor in node["outputs"]]
        while waiting:
            tensor = waiting.pop()
            maker = maker_of.get(tensor)
            if tensor not in border and maker is not None and maker not in replaced:
                replaced.add(maker)
                waiting += inputs_of[maker]
    return len(replaced) / len(own)
