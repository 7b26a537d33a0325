"""Names of formats and variants; free of TensorFlow, for the command line."""

from __future__ import annotations

from typing import Literal, get_args

Format = Literal["saved_model", "litert", "web", "html", "onnx", "keras", "hub", "bioimageio"]
FORMATS: tuple[Format, ...] = get_args(Format)

Variant = Literal["float32", "float16", "dynamic_int8", "int8"]
VARIANTS: tuple[Variant, ...] = get_args(Variant)
"""Of .tflite files, the most exact first."""
