"""Scores of label maps drawn as images: colors become classes, classes become accuracies."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_tf.errors import UserError

_LAYOUT = 'write {"classes_rgb": [[r, g, b], ...]} or {"name": [r, g, b], ...}'


@dataclass(frozen=True, eq=False)
class Palette:
    """The colors that a label map is drawn in.

    Attributes:
      colors: uint8 (K, 3), red, green, blue of each class; no two alike.
      names: K words, one for each class.

    Example:
      >>> palette = read_palette("palette.json")
      >>> found, truth = (nearest_labels(image, palette) for image in (translated, label_map))
      >>> label_scores(confusion(found, truth, len(palette.names)))["class_iou"]
    """

    colors: np.ndarray
    names: tuple[str, ...]


def read_palette(path: str | os.PathLike) -> Palette:
    """Reads a palette from JSON.

    Two layouts: `{"classes_rgb": [[r, g, b], ...], "names": ["sky", ...]}`, where names may be
    missing (colors then serve as names, `#0000de`), and `{"sky": [r, g, b], ...}`. Values are 0 to
    255.

    Raises:
      UserError: the file cannot be read, is no JSON, or holds no palette.
    """
    path = Path(path)
    content = _read_json(path)
    if not isinstance(content, Mapping) or not content:
        raise _wrong(path, f"there is no palette in this file; {_LAYOUT}")
    if "classes_rgb" in content:
        colors, names = content["classes_rgb"], content.get("names")
    else:
        colors, names = list(content.values()), list(content)
    if not isinstance(colors, list) or len(colors) < 2 or not all(map(_is_color, colors)):
        wanted = "two or more colors of three whole numbers from 0 to 255"
        raise _wrong(path, f"a palette is {wanted}; {_LAYOUT}")
    if len({tuple(color) for color in colors}) < len(colors):
        raise _wrong(path, "two classes of this palette have the same color; give each its own")
    if names is None:
        names = ["#{:02x}{:02x}{:02x}".format(*color) for color in colors]
    if (
        not isinstance(names, list)
        or len(names) != len(colors)
        or not all(isinstance(name, str) for name in names)
    ):
        raise _wrong(path, f'"names" must be a list of {len(colors)} words, one for each color')
    return Palette(np.array(colors, np.uint8), tuple(names))


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(
            f"{path}: the palette cannot be read ({error.strerror}); give a JSON file of colors",
            code="missing" if isinstance(error, FileNotFoundError) else "unreadable",
            field=str(path),
        ) from error
    except (ValueError, RecursionError) as error:  # of brackets without end
        raise UserError(
            f"{path}: the palette is no JSON ({error})", code="unreadable", field=str(path)
        ) from error


def _wrong(path: Path, why: str) -> UserError:
    return UserError(f"{path}: {why}", field=str(path))


def _is_color(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 3
        and all(type(number) is int and 0 <= number <= 255 for number in value)
    )  # fmt: skip


def nearest_labels(image: np.ndarray, palette: Palette) -> np.ndarray:
    """Finds the class of the nearest color for each pixel, by Euclidean distance in RGB.

    Of equal distances the first class counts.

    Args:
      image: uint8 (H, W, 3).
      palette: the colors.

    Returns:
      int64 (H, W), each in [0, K).

    Raises:
      ValueError: another type or shape.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
        raise ValueError(f"labels are read from uint8 (H, W, 3), got {image.dtype} {image.shape}.")
    pixels = image.astype(np.int32)
    nearest = np.zeros(image.shape[:2], np.int64)
    smallest = np.full(image.shape[:2], np.iinfo(np.int32).max, np.int32)
    for label, color in enumerate(palette.colors.astype(np.int32)):
        distance = np.square(pixels - color).sum(-1)
        nearer = distance < smallest
        nearest[nearer], smallest[nearer] = label, distance[nearer]
    return nearest


def confusion(labels: np.ndarray, truth: np.ndarray, classes: int) -> np.ndarray:
    """Counts pixels by class; matrices of several images may be added up.

    Args:
      labels: int, any shape, each in [0, classes): what was found.
      truth: int of the same shape: ground truth.
      classes: K.

    Returns:
      int64 (K, K); entry (i, j) counts pixels of class i that were taken for class j.

    Raises:
      ValueError: the shapes differ, or a label lies outside.
    """
    if labels.shape != truth.shape:
        raise ValueError(
            f"two label maps of one shape are wanted, got {labels.shape} and {truth.shape}."
        )
    for which in (labels, truth):
        if which.size and not 0 <= which.min() <= which.max() < classes:
            raise ValueError(
                f"labels must lie in [0, {classes}), got {which.min()} to {which.max()}."
            )
    pairs = truth.astype(np.int64).ravel() * classes + labels.astype(np.int64).ravel()
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def label_scores(confusion: np.ndarray) -> dict[str, float]:
    """Computes pixel accuracy, class accuracy and class IoU, as the CycleGAN paper reports them.

    Definitions are those of Long et al. 2015, "Fully Convolutional Networks", sec. 5. With n_ij
    pixels of class i taken for j and t_i = sum_j n_ij: pixel accuracy sum_i n_ii / sum_i t_i; class
    accuracy, the mean over classes of n_ii / t_i; class IoU, the mean of n_ii / (t_i + sum_j n_ji -
    n_ii). Classes that the truth does not hold are left out of both means.

    Args:
      confusion: int (K, K) as `confusion` counts it.

    Returns:
      "pixel_accuracy", "class_accuracy", "class_iou", each in [0, 1]; nan if no pixel was counted.
    """
    counts = confusion.astype(np.float64)
    right, true, found = np.diag(counts), counts.sum(1), counts.sum(0)
    there = true > 0
    if not there.any():
        return dict.fromkeys(("pixel_accuracy", "class_accuracy", "class_iou"), float("nan"))
    return {
        "pixel_accuracy": float(right.sum() / true.sum()),
        "class_accuracy": float(np.mean(right[there] / true[there])),
        "class_iou": float(np.mean(right[there] / (true + found - right)[there])),
    }
