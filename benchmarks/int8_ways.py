"""Ways to bring one trained generator to 8 bits: how far each is from the training model, and how
fast in LiteRT.

    python benchmarks/int8_ways.py RUN [--direction xy] [--out runs/bench]

Images and their number are those of the export: calibration on the run's training images,
comparison on its test split, two threads. The way that `cyclegan_tf.export` takes is marked.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import cyclegan_tf.cli  # noqa: F401  sets TensorFlow's environment, so it comes first

# isort: split
import machine
import numpy as np
import tensorflow as tf

from cyclegan_tf.export import parity
from cyclegan_tf.export.exporter import static_size
from cyclegan_tf.export.litert import converter as litert
from cyclegan_tf.export.litert.runtime import LiteRTModel, delegated_share, operations_of
from cyclegan_tf.export.trained import open_trained, squares

NORMALIZATION = frozenset({"MEAN", "SQUARED_DIFFERENCE", "RSQRT", "SUB", "MUL"})
CONVOLUTIONS = frozenset({"CONV_2D", "TRANSPOSE_CONV"})
# name -> operations left in float32, of all that there are; None stands for 16-bit activations
WAYS = {
    "everything in 8 bits": lambda _: frozenset(),
    "normalization in float32": lambda _: NORMALIZATION,
    "normalization, additions and tanh in float32": lambda _: NORMALIZATION | {"ADD", "TANH"},
    "all but convolutions in float32 (exported as int8)": lambda every: every - CONVOLUTIONS,
    "8-bit weights, 16-bit activations": None,
}
DYNAMIC = "8-bit weights, activations quantized while running (exported as dynamic_int8)"


class Ways(litert.Converter):
    """A converter with a choice."""

    def way(self, name: str, images: np.ndarray) -> bytes:
        """The bytes of a .tflite file."""
        choice = WAYS.get(name)
        if name == DYNAMIC:
            return self.convert("dynamic_int8")

        def one_by_one() -> Iterator[list[np.ndarray]]:
            for image in images:
                yield [image[np.newaxis]]

        every = frozenset(operations_of(self.convert("float32")))
        with self._saved() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            converter = tf.lite.TFLiteConverter.from_saved_model(
                str(folder), signature_keys=["serving_default"]
            )
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.representative_dataset = one_by_one
            if choice is None:
                sets = tf.lite.OpsSet
                converter.target_spec.supported_ops = [
                    sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
                    sets.TFLITE_BUILTINS,
                ]
                return converter.convert()
            options = tf.lite.experimental.QuantizationDebugOptions(
                denylisted_ops=sorted(choice(every))
            )
            debugger = tf.lite.experimental.QuantizationDebugger(
                converter=converter, debug_dataset=one_by_one, debug_options=options
            )
            return bytes(debugger.get_nondebug_quantized_model())


def main() -> int:
    """Converts, compares, prints, writes int8_ways.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("--direction", choices=["xy", "yx"], default="xy")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    arguments = parser.parse_args()
    trained = open_trained(arguments.run, arguments.direction)
    size = static_size(trained, None)
    calibration = squares(trained.training_images(), litert.CALIBRATION_IMAGES, size)
    judge = parity.Evaluator(
        trained.network, squares(trained.test_images(), parity.COMPARED_IMAGES, size)
    )
    converter, rows = Ways(trained.network, size, lambda: calibration), []
    arguments.out.mkdir(parents=True, exist_ok=True)
    print(
        "| way | PSNR dB (worst image) | SSIM | ms | MB | in XNNPACK | s to convert "
        "|\n|---|---|---|---|---|---|---|"
    )
    for name in (*WAYS, DYNAMIC):
        start = time.perf_counter()
        path = arguments.out / "way.tflite"
        try:
            path.write_bytes(converter.way(name, calibration))
            seconds = time.perf_counter() - start
            row = judge.add(
                name, LiteRTModel(path), path, operations_of(path), delegated_share(path), 0.0
            )
        except (RuntimeError, ValueError) as error:  # a way that cannot be gone is a result too
            print(f"| {name} | {' '.join(str(error).split())[:120]} | | | | | |", flush=True)
            continue
        rows.append(row.as_dict())
        print(
            f"| {name} | {row.psnr_db:.1f} ({row.worst_psnr_db:.1f}) | {row.ssim:.3f} | "
            f"{row.latency_ms:.0f} | {row.size_bytes / 1e6:.1f} | {row.delegated:.0%} | "
            f"{seconds:.0f} |",
            flush=True,
        )
    path.unlink(missing_ok=True)
    found = {"machine": machine.describe(), "rows": rows}
    (arguments.out / "int8_ways.json").write_text(
        json.dumps(found, indent=1) + "\n", encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
