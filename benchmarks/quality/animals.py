"""Scores over the pixels of the demo's animals, which are what its two domains differ in."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from cyclegan_tf.data import demo
from cyclegan_tf.metrics.image_quality import psnr


def animal_masks(count: int, size_px: int) -> np.ndarray:
    """Where the animals of the first `count` test scenes are, at the size the network saw them.

    Returns:
      bool (N, S, S).
    """
    drawn = np.stack([demo.test_pair(index, demo.SIZE_PX)[2] for index in range(count)])
    coverage = drawn.astype(np.float32)[..., np.newaxis]
    return tf.image.resize(coverage, (size_px, size_px), antialias=True).numpy()[..., 0] > 0.5


def on_animals(
    outputs: np.ndarray, inputs: np.ndarray, truth: np.ndarray, masks: np.ndarray
) -> dict[str, float]:
    """Score outputs over the animals' pixels.

    Args:
      outputs: float32 (N, S, S, C) in [-1, 1], translations.
      inputs: what was translated, alike.
      truth: the same scenes in the other domain, alike.
      masks: bool (N, S, S), see `animal_masks`.

    Returns:
      "nearer", in how many scenes the output is nearer to the truth than the input is;
      "animals_mae", the mean over scenes of the mean absolute difference; "animals_psnr", dB over
      the pixels of all scenes.
    """
    distance = _distance(outputs, truth, masks)
    return {
        "nearer": int(np.sum(distance < _distance(inputs, truth, masks))),
        "animals_mae": float(distance.mean()),
        "animals_psnr": psnr(outputs[masks], truth[masks]),
    }


def _distance(images: np.ndarray, truth: np.ndarray, masks: np.ndarray) -> np.ndarray:
    return np.array(
        [np.abs(a - b)[mask].mean() for a, b, mask in zip(images, truth, masks, strict=True)]
    )
