"""A generator as .tflite files for LiteRT (TensorFlow Lite): phones, small boards, browsers."""

from __future__ import annotations

import contextlib
import functools
import shutil
import tempfile
import warnings
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.export.formats import Variant
from cyclegan_tf.export.litert.mobile_network import mobile_network
from cyclegan_tf.export.litert.runtime import operations_of

MIN_PSNR_DB = {"float32": 60.0, "float16": 40.0, "dynamic_int8": 25.0, "int8": 25.0}
"""Below this an export is refused, by variant."""

CALIBRATION_IMAGES = 32

# In 8 bits: where the multiplications are. Statistics of instance normalization lose too much in 8
# bits, and what lies between two convolutions would be rounded once more at each step
# (docs/results.md has the figures).
_QUANTIZED = frozenset({"CONV_2D", "TRANSPOSE_CONV"})


class Converter:
    """Converts one generator, at one size, to any of the variants.

    Args:
      network: float32 (N, H, W, C) in [-1, 1] -> float32 of the same size, computing in float32.
      size_px: side of the only images the files will take.
      calibration: float32 (N, size_px, size_px, C) in [-1, 1], images of the kind to be translated;
        "int8" takes the ranges of activations from them.

    Example:
      >>> converter = Converter(network, 256, lambda: images)
      >>> Path("float16.tflite").write_bytes(converter.convert("float16"))
      >>> Path("int8.tflite").write_bytes(converter.convert("int8"))
    """

    def __init__(
        self, network: keras.Model, size_px: int, calibration: Callable[[], np.ndarray]
    ) -> None:
        self._size_px, self._channels = size_px, network.input_shape[-1]
        self._mobile = mobile_network(network, size_px)
        self._calibration = calibration

    def convert(self, variant: Variant) -> bytes:
        """Convert to the bytes of a .tflite file.

        Its signature: `images` float32 (1, S, S, C) -> `translated` float32 (1, S, S, C').
        """
        if variant == "float32":
            return self._float32
        with _quiet():
            converter = self._tflite_converter()
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if variant == "int8":
                return self._int8(converter)
            if variant == "float16":
                converter.target_spec.supported_types = [tf.float16]
            return converter.convert()

    @functools.cached_property
    def _float32(self) -> bytes:
        """Kept, since "int8" asks it for the operations that there are."""
        with _quiet():
            return self._tflite_converter().convert()

    def _tflite_converter(self) -> tf.lite.TFLiteConverter:
        return tf.lite.TFLiteConverter.from_saved_model(
            str(self._saved), signature_keys=["serving_default"]
        )

    def _int8(self, converter: tf.lite.TFLiteConverter) -> bytes:
        images = self._calibration()

        def one_by_one() -> Iterator[list[np.ndarray]]:
            for image in images:
                yield [image[np.newaxis]]

        converter.representative_dataset = one_by_one
        # The debugger is the way to leave operations in float32 by name.
        others = sorted(set(operations_of(self._float32)) - _QUANTIZED)
        options = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=others)
        debugger = tf.lite.experimental.QuantizationDebugger(
            converter=converter, debug_dataset=one_by_one, debug_options=options
        )
        return bytes(debugger.get_nondebug_quantized_model())

    @functools.cached_property
    def _saved(self) -> Path:
        """A SavedModel of the static graph: a Keras closure lost its weights when converted.

        Traced once for all variants; it goes with this object.
        """
        module, network = tf.Module(), self._mobile
        module.saved_weights = [variable.value for variable in network.variables]
        spec = tf.TensorSpec(
            (1, self._size_px, self._size_px, self._channels), tf.float32, "images"
        )
        module.translate = tf.function(
            lambda images: {"translated": network(images, training=False)},
            input_signature=[spec],
            autograph=False,
        )
        folder = Path(tempfile.mkdtemp())
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        tf.saved_model.save(module, folder, signatures={"serving_default": module.translate})
        return folder


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # tf.lite says at each use that it moved to another package
        yield
