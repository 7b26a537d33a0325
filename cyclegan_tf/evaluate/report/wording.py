"""Names, units and number formats of scores, for the terminal's table and the report."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Score:
    """How one score is named and formatted.

    Attributes:
      label: its usual short name.
      unit: "" for plain numbers.
      digits: after the decimal point.
      better: "higher", "lower", or "" where neither is.
      meaning: one sentence; G is the forward generator, F the backward one, x are inputs, y real
        targets.
      warning: where neither is better, the value that is a bad sign.

    Example:
      >>> Score("MAE", "", 3, "lower", "Mean absolute difference to the truth.").digits
      3
    """

    label: str
    unit: str
    digits: int
    better: str
    meaning: str
    warning: str = ""


SCORES: dict[str, Score] = {
    "psnr": Score(
        "PSNR",
        "dB",
        2,
        "higher",
        "Peak signal-to-noise ratio of G(x) to the truth, mean over images.",
    ),
    "psnr_pooled": Score(
        "PSNR, pooled",
        "dB",
        2,
        "higher",
        "PSNR of the squared error over all pixels of all images.",
    ),
    "ssim": Score(
        "SSIM",
        "",
        3,
        "higher",
        "Structural similarity to the truth (Wang et al. 2004); 1 is equal.",
    ),
    "mae": Score(
        "MAE", "", 3, "lower", "Mean absolute difference to the truth; black to white is 2."
    ),
    "pixel_accuracy": Score(
        "Per-pixel accuracy", "", 3, "higher", "Share of pixels that got the right class."
    ),
    "class_accuracy": Score(
        "Per-class accuracy", "", 3, "higher", "The same for each class, mean over classes."
    ),
    "class_iou": Score(
        "Class IoU", "", 3, "higher", "Intersection over union of each class, mean over classes."
    ),
    "segmenter_iou": Score(
        "Segmenter's IoU",
        "",
        3,
        "higher",
        "Class IoU of what your own segmenter finds in G(x), against the labels of x; beside it, "
        "of what it finds in x.",
    ),
    "fid": Score(
        "FID", "", 1, "lower", "Fréchet distance of Inception features of G(x) to those of y."
    ),
    "kid": Score(
        "KID", "× 1000", 2, "lower", "Kernel distance of Inception features of G(x) to those of y."
    ),
    "kid_lite0": Score(
        "KID-Lite0",
        "× 1000",
        2,
        "lower",
        "Kernel distance of EfficientNet-Lite0's features of G(x) to those of y; not the KID.",
    ),
    "fd_lite0": Score(
        "FD-Lite0",
        "",
        2,
        "lower",
        "Fréchet distance of EfficientNet-Lite0's features of G(x) to those of y; not the FID.",
    ),
    "lpips_vgg_hed": Score(
        "LPIPS-VGG-HED",
        "",
        3,
        "lower",
        "Distance of G(x) to the truth as a VGG16 sees it, without learned weights; 0 is equal.",
    ),
    "swd": Score(
        "SWD",
        "× 1000",
        1,
        "lower",
        "Sliced Wasserstein distance of patches of G(x) to patches of y, mean over scales.",
    ),
    "color_swd": Score(
        "SWD with color",
        "× 1000",
        1,
        "lower",
        "SWD with both sets normalized by y, so that a cast of color counts.",
    ),
    "cycle_error": Score(
        "Cycle error", "", 3, "lower", "Mean of |F(G(x)) - x|; black to white is 2."
    ),
    "identity_distance": Score("Identity distance", "", 3, "lower", "Mean of |G(y) - y|."),
    "luminance_correlation": Score(
        "Luminance correlation",
        "",
        3,
        "",
        "Of G(x) and x over pixels; near -1 the image is a negative.",
        "-1: a negative",
    ),
    "variety": Score(
        "Diversity",
        "",
        2,
        "",
        "How much outputs differ, over how much y do; near 0 all are alike.",
        "0: all alike",
    ),
    "variety_vgg_hed": Score(
        "Diversity, VGG",
        "",
        2,
        "",
        "The same by the VGG16's distance of images in pairs.",
        "0: all alike",
    ),
    "nearest_lite0": Score(
        "Nearest training image",
        "",
        2,
        "",
        "Lite0's distance of G(x) to the nearest training image of Y, over that of real test "
        "images; near 0 it is a copy.",
        "0: a copy",
    ),
    "change": Score(
        "Change", "", 3, "", "Mean of |G(x) - x|; near 0 the input is copied.", "0: a copy"
    ),
}
"""By name, in the order of tables."""

BASELINES: dict[str, str] = {
    "unchanged input": "the input itself",
    "constant": "the best constant image: everywhere the mean color of the training targets (for "
    "label scores: their most frequent class)",
    "random real": "a real training image of the target domain, drawn at random; its SWD, FID, "
    "KID and the like are what real images themselves score",
}
"""Descriptions of the baselines, by name."""


def number(name: str, value: float | None) -> str:
    """Format a score without its unit; a dash where there is none."""
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.{SCORES[name].digits}f}" if math.isfinite(value) else "∞"


def label(name: str) -> str:
    """Format a score's name with its unit and direction: "PSNR, dB (higher is better)"."""
    score = SCORES[name]
    unit = f", {score.unit}" if score.unit else ""
    hint = f"{score.better} is better" if score.better else score.warning
    return f"{score.label}{unit} ({hint})"


def arrow(direction: str) -> str:
    """Format a direction: "xy" becomes "X → Y"."""
    return f"{direction[0].upper()} → {direction[1].upper()}"
