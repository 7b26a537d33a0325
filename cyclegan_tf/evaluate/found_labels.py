"""Whether a user's own segmenter finds the labels of an image in its translation, too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.errors import UserError
from cyclegan_tf.evaluate.scores import Split
from cyclegan_tf.evaluate.segmenter import Segmenter
from cyclegan_tf.images.folders import list_folder
from cyclegan_tf.metrics.segmentation import Palette, confusion, label_scores, nearest_labels

SUFFIXES = (".png", ".tif", ".tiff", ".bmp")
VOID = 255
"""Class of the pixels that do not count."""

_FOLDERS = {"x": "testA", "y": "testB"}


@dataclass(frozen=True)
class Found:
    """What a segmenter finds of one direction's labels.

    Attributes:
      scores: "segmenter_iou" of the translations: mean over classes, of all pixels together.
      before: the same of the inputs; empty where those have other channels than it takes.
      per_image: of each translation; None where it has no label.
      classes: class -> "share" of the labels' pixels, "before" and "after", its IoU.

    Example:
      >>> found = finder.find("xy", split.x, outputs)
      >>> found.before["segmenter_iou"], found.scores["segmenter_iou"]
    """

    scores: dict[str, float]
    before: dict[str, float]
    per_image: tuple[float | None, ...]
    classes: dict[str, dict[str, float | None]]


@dataclass(frozen=True)
class LabelFinder:
    """A segmenter and the labels that it is to find.

    Attributes:
      segmenter: of images in [-1, 1].
      labels: domain -> index of the image -> int (H, W).
      names: of the classes.
      channels: of the images that the segmenter takes.

    Example:
      >>> LabelFinder(segmenter, {"x": {0: labels}}, ("sky", "road"), 3).find("xy", x, outputs)
    """

    segmenter: Segmenter
    labels: Mapping[str, Mapping[int, np.ndarray]]
    names: tuple[str, ...]
    channels: int

    def find(
        self, direction: str, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]
    ) -> Found | None:
        """Compare what is found in inputs and in their translations with the inputs' labels.

        Args:
          direction: "xy" or "yx".
          inputs: float32 (H, W, C) in [-1, 1].
          outputs: their translations.

        Returns:
          None where the inputs have no labels.
        """
        labels = self.labels.get(direction[0], {})
        if not labels:
            return None
        after = {index: self._counted(outputs[index], truth) for index, truth in labels.items()}
        total = sum(after.values(), np.zeros((len(self.names),) * 2, np.int64))
        before = np.zeros_like(total)
        if inputs[0].shape[-1] == self.channels:
            before = sum((self._counted(inputs[i], truth) for i, truth in labels.items()), before)
        single = {index: label_scores(counted)["class_iou"] for index, counted in after.items()}
        known = {index: value for index, value in single.items() if not np.isnan(value)}
        return Found(
            _score(total), _score(before) if before.any() else {},
            tuple(known.get(index) for index in range(len(outputs))),
            self._by_class(total, before),
        )  # fmt: skip

    def _counted(self, image: np.ndarray, truth: np.ndarray) -> np.ndarray:
        counts = truth != VOID
        size = len(self.names)
        found = np.minimum(self.segmenter(image), size - 1)
        return confusion(found[counts], truth[counts], size)

    def _by_class(
        self, after: np.ndarray, before: np.ndarray
    ) -> dict[str, dict[str, float | None]]:
        shares = after.sum(1) / max(1, after.sum())
        return {
            name: {"share": float(shares[i]), "before": _iou(before, i), "after": _iou(after, i)}
            for i, name in enumerate(self.names)
            if shares[i]
        }


def _score(counted: np.ndarray) -> dict[str, float]:
    return {"segmenter_iou": label_scores(counted)["class_iou"]}


def _iou(counted: np.ndarray, index: int) -> float | None:
    union = counted[index].sum() + counted[:, index].sum() - counted[index, index]
    return float(counted[index, index] / union) if union else None


def read_labels(
    folder: Path,
    split: Split,
    transform: ImageTransform,
    palette: Palette | None,
    classes: int,
    shared: Sequence[str] = ("x",),
) -> dict[str, dict[int, np.ndarray]]:
    """Read the label maps of test images, brought to their sizes.

    A map has the image's name but for the suffix: in `folder/testA` or `testB`, or in `folder`
    itself. Its pixels are class numbers, 255 for those that do not count, or colors of a palette.
    Where there are two classes and the files hold 0 and 255 alone, 255 is the second class.

    Args:
      folder: of the maps.
      split: the test images.
      transform: how these were prepared.
      palette: colors of the classes; None where pixels are class numbers.
      classes: that the segmenter tells apart.
      shared: domains that `folder` itself is of; it may be of both where the split is paired.

    Returns:
      Domain -> index of the image -> int64 (H, W).

    Raises:
      UserError: there are none, or one is of another size, in colors, or has other classes.
    """
    known = {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in list_folder(folder, suffixes=SUFFIXES).images
    }
    found: dict[str, dict[int, np.ndarray]] = {}
    files: dict[tuple[str, int], Path] = {}
    for domain, inside in _FOLDERS.items():
        images = getattr(split, domain)
        for index, name in enumerate(getattr(split, f"names_{domain}")):
            stem = Path(name).with_suffix("").as_posix().removeprefix(f"{inside}/")
            path = known.get(f"{inside}/{stem}")
            path = known.get(stem) if path is None and domain in shared else path
            if path is not None:
                size = images[index].shape[:2]
                found.setdefault(domain, {})[index] = _prepared(path, size, transform, palette)
                files[domain, index] = path
    if not files:
        raise UserError(
            f"--labels {folder} holds no label map ({', '.join(SUFFIXES)}) of a test image: give "
            "maps the names of the images, in testA and testB where both domains have some.",
            code="mismatch",
            field="--labels",
        )
    return _checked(found, files, classes)


def _prepared(
    path: Path, size: tuple[int, ...], transform: ImageTransform, palette: Palette | None
) -> np.ndarray:
    labels = read_label_map(path, palette)
    ready = transform.transform_test_labels(tf.constant(labels[..., np.newaxis], tf.int32))
    if tuple(ready.shape[:2]) != tuple(size):
        raise UserError(
            f"{path} is {labels.shape[1]} x {labels.shape[0]} px and not of its image's shape; a "
            "label map has its image's size.",
            code="mismatch",
            field="--labels",
        )
    return ready.numpy()[..., 0].astype(np.int64)


def read_label_map(path: Path, palette: Palette | None) -> np.ndarray:
    """Read the classes of an image's pixels, int (H, W).

    Args:
      path: a file whose pixels are class numbers (gray, or the indices of a palette of its own), or
        colors.
      palette: colors of the classes; None where pixels are class numbers.

    Raises:
      UserError: it is no image, or in colors without a palette.
    """
    try:
        with Image.open(path) as image:
            if palette is not None:
                return nearest_labels(np.asarray(image.convert("RGB")), palette)
            values = np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(
            f"{path} is no label map that can be read ({error}).",
            code="unreadable",
            field="--labels",
        ) from error
    if values.ndim != 2:
        raise UserError(
            f"{path} is in colors: give --palette FILE, which says which class each is, or maps of "
            "class numbers.",
            code="mismatch",
            field="--palette",
        )
    return values.astype(np.int64)


def _checked(
    found: dict[str, dict[int, np.ndarray]], files: Mapping[tuple[str, int], Path], classes: int
) -> dict[str, dict[int, np.ndarray]]:
    """Two classes as 0 and 1; or refuse a class that the segmenter does not know."""
    values = {key: np.unique(found[key[0]][key[1]]) for key in files}
    whole = np.unique(np.concatenate(list(values.values())))
    if classes == 2 and set(whole.tolist()) == {0, VOID}:
        return {
            domain: {index: (labels == VOID).astype(np.int64) for index, labels in some.items()}
            for domain, some in found.items()
        }
    for key, present in values.items():
        outside = present[(present != VOID) & ((present < 0) | (present >= classes))]
        if outside.size:
            raise UserError(
                f"{files[key]} holds class {outside[0]}, but --segmenter knows 0 to {classes - 1} "
                f"({VOID}: does not count).",
                code="mismatch",
                field="--labels",
            )
    return found


def class_names(classes: int, palette: Palette | None) -> tuple[str, ...]:
    """Name the classes: by the palette where it has as many, else by number."""
    if palette is not None and len(palette.names) == classes:
        return palette.names
    return tuple(map(str, range(classes)))
