"""Exported files in OpenVINO beside TensorFlow and LiteRT: largest differences on random images.

python benchmarks/openvino_agreement.py OUT
"""

from __future__ import annotations

import sys
from pathlib import Path

import cyclegan_tf.cli  # noqa: F401  sets TensorFlow's environment, so it comes first

# isort: split
import numpy as np
import openvino
import tensorflow as tf

from cyclegan_tf.export.litert.runtime import LiteRTModel

SHAPES = [(1, 128, 128), (2, 100, 90), (1, 17, 33)]
EXACT = {"INFERENCE_PRECISION_HINT": "f32"}  # or it computes in bfloat16 where the CPU can


def main() -> int:
    """Compares every SavedModel and every float file of an export; prints a line for each."""
    out, core, rng = Path(sys.argv[1]), openvino.Core(), np.random.default_rng(0)

    def images(*shape: int) -> np.ndarray:
        return rng.uniform(-1, 1, shape).astype(np.float32)

    for version in sorted(out.glob("saved_model/*/*")):
        served = tf.saved_model.load(str(version)).signatures["serving_default"]
        channels = served.structured_input_signature[1]["images"].shape[-1]
        compiled = core.compile_model(core.read_model(version), "CPU", EXACT)
        for shape in SHAPES:
            given = images(*shape, channels)
            (made,) = compiled([given]).values()
            difference = np.abs(
                made - served(images=tf.constant(given))["translated"].numpy()
            ).max()
            print(f"{version.relative_to(out)} at {' x '.join(map(str, shape))}: {difference:.1e}")
    for path in sorted(out.glob("litert/*/float*.tflite")):
        model = LiteRTModel(path)
        given = images(*model.shape)
        (made,) = core.compile_model(core.read_model(path), "CPU", EXACT)([given]).values()
        print(f"{path.relative_to(out)}: {np.abs(made - model(given)).max():.1e}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
