"""Scores of translations into label maps, as in the CycleGAN paper (Zhu et al. 2017, table 3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cyclegan_tf.evaluate.scores import Split
from cyclegan_tf.images import io as image_io
from cyclegan_tf.metrics.segmentation import Palette, confusion, label_scores, nearest_labels

_MAX_SAMPLED = 8
# Half the pixels of facades' label maps, which went through JPEG, are within 15 pixel values of a
# palette color; those of its photos within 140.
_MAX_COLOR_DISTANCE = 40.0


@dataclass(frozen=True)
class LabelScores:
    """Segmentation scores of a list of images.

    Attributes:
      scores: of all pixels of all images together, as `metrics.segmentation.label_scores`.
      pixel_accuracy: of each image.
      classes: class name -> "share" of the truth's pixels, "accuracy" and "iou"; None for a class
        that is not there.

    Example:
      >>> score_labels(outputs, truths, read_palette("palette.json")).scores["pixel_accuracy"]
    """

    scores: dict[str, float]
    pixel_accuracy: list[float]
    classes: dict[str, dict[str, float | None]]


def score_labels(
    images: Sequence[np.ndarray], truths: Sequence[np.ndarray], palette: Palette
) -> LabelScores:
    """Give every pixel the class of its nearest palette color and compare with the truth.

    Args:
      images: float32 (H, W, 3) in [-1, 1].
      truths: as many, each of its partner's shape.
      palette: the label colors.
    """
    size = len(palette.names)
    total, accuracy = np.zeros((size, size), np.int64), []
    for image, truth in zip(images, truths, strict=True):
        counted = confusion(labels_of(image, palette), labels_of(truth, palette), size)
        accuracy.append(float(np.trace(counted) / counted.sum()))
        total += counted
    return LabelScores(label_scores(total), accuracy, _by_class(total, palette))


def labels_of(image: np.ndarray, palette: Palette) -> np.ndarray:
    """Map float32 (H, W, 3) in [-1, 1] to int (H, W), the class of the nearest color."""
    return nearest_labels(image_io.from_signed(image), palette)


def most_frequent(images: Sequence[np.ndarray], palette: Palette) -> np.ndarray:
    """Return the color of the class that most pixels have: float32 (3,) in [-1, 1]."""
    counts = sum(
        np.bincount(labels_of(p, palette).ravel(), minlength=len(palette.names)) for p in images
    )
    return image_io.to_signed(palette.colors[int(np.argmax(counts))])


def label_domain(split: Split, palette: Palette) -> str | None:
    """Return the domain, "x" or "y", drawn in the palette's colors, or None if neither is."""
    off = {name: _color_distance(getattr(split, name), palette) for name in ("x", "y")}
    best = min(off, key=lambda name: off[name])
    return best if off[best] <= _MAX_COLOR_DISTANCE else None


def _color_distance(images: Sequence[np.ndarray], palette: Palette) -> float:
    """Median distance of pixels to their nearest palette color, mean over some images."""
    if images[0].shape[-1] != len(palette.colors[0]):
        return np.inf
    off = []
    for image in images[:: max(1, len(images) // _MAX_SAMPLED)]:
        pixels = image_io.from_signed(image)
        nearest = palette.colors[nearest_labels(pixels, palette)]
        off.append(np.median(np.linalg.norm(pixels.astype(np.float32) - nearest, axis=-1)))
    return float(np.mean(off))


def _by_class(counts: np.ndarray, palette: Palette) -> dict[str, dict[str, float | None]]:
    """Split a confusion matrix, whose rows are the truth, into scores of each class."""
    found = {}
    for index, name in enumerate(palette.names):
        right, true, taken = counts[index, index], counts[index].sum(), counts[:, index].sum()
        present = bool(true)
        found[name] = {
            "share": float(true / counts.sum()),
            "accuracy": float(right / true) if present else None,
            "iou": float(right / (true + taken - right)) if present else None,
        }
    return found
