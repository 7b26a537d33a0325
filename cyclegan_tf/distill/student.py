"""The small network, and what it starts from."""

from __future__ import annotations

from typing import cast

import keras
import numpy as np

from cyclegan_tf.distill.settings import Settings
from cyclegan_tf.networks.builders import GeneratorArchitecture, build_generator
from cyclegan_tf.networks.color_skip import LEARNING_RATE_MULTIPLIER, approx_atanh
from cyclegan_tf.networks.landmarks import COLOR_SKIP, last_kernel_layer

_LAST_LAYER_FACTOR = 0.1
_PIXELS = 4096
# A color skip's weights move by its pace times the rate; as much as in training, whose rate is
# smaller.
_RATE_OF_TRAINING = 2e-4


def build_student(settings: Settings, channels: tuple[int, int], direction: str) -> keras.Model:
    """Build a student with its first weights: with a color skip, and long skips where it can.

    Args:
      settings: its architecture, filters, blocks and seed.
      channels: of images that come in, and that go out.
      direction: "xy" or "yx".
    """
    is_unet = settings.architecture.startswith("unet")
    return build_generator(
        cast(GeneratorArchitecture, settings.architecture),
        input_channels=channels[0],
        output_channels=channels[1],
        filters=settings.filters,
        blocks=settings.blocks,
        upsampling="transposed" if is_unet else "resize",
        color_skip=True,
        long_skips=not is_unet,
        seed=settings.seed,
        dtype_policy="float32",
        name=f"student_{direction}",
    )


def start_from_colors(
    student: keras.Model, images: np.ndarray, answers: np.ndarray, learning_rate: float
) -> None:
    """Let the color skip be the affine map of colors nearest to the teacher, the rest a tenth.

    Args:
      student: changed in place.
      images: float32 (N, H, W, C) in [-1, 1].
      answers: the teacher's, float32 (N, H, W, C').
      learning_rate: of the first step.
    """
    matrix, offset = color_map(images, answers)
    skip = student.get_layer(COLOR_SKIP)
    skip.initialize(matrix, offset)
    skip.pace.assign(LEARNING_RATE_MULTIPLIER * _RATE_OF_TRAINING / learning_rate)
    kernel = last_kernel_layer(student).kernel
    kernel.assign(_LAST_LAYER_FACTOR * kernel)


def color_map(images: np.ndarray, answers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the least-squares map of colors, before the tanh.

    Args:
      images: float32 (N, H, W, C) in [-1, 1].
      answers: float32 (N, H, W, C').

    Returns:
      Matrix, float64 (C', C), and offset, float64 (C',).
    """
    colors = approx_atanh(images.reshape(-1, images.shape[-1]))
    wanted = approx_atanh(answers.reshape(-1, answers.shape[-1]))
    every = max(1, len(colors) // (_PIXELS * len(images)))
    rows = np.concatenate([colors, np.ones((len(colors), 1))], axis=1)[::every]
    solution = np.linalg.lstsq(rows, wanted[::every], rcond=None)[0]
    return solution[:-1].T, solution[-1]
