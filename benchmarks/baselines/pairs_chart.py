"""The chart of `pairs_count`: a column for each set, a row for each score."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.baselines.table import BASELINES
from benchmarks.speed.chart import DEFAULT, INK, MUTED

ROWS = (("psnr",), ("ssim",), ("pixel_accuracy", "class_iou"))
TITLES = {
    "psnr": "PSNR in dB",
    "ssim": "SSIM",
    "pixel_accuracy": "per-pixel accuracy",
    "class_iou": "class IoU",
}
DIRECTIONS = {"xy": "A to B", "yx": "B to A"}
COLORS = {"xy": DEFAULT, "yx": "#c0762c"}
_STYLES = ("-", "--")


def curve(lines: Sequence[Mapping[str, Any]], direction: str, score: str) -> dict[str, list[float]]:
    """Group a score by pairs: title of the training -> a value per seed, in the lines' order."""
    found: dict[str, list[float]] = {}
    for line in lines:
        value = line[direction].get(score) if "title" in line else None
        if value is not None:
            found.setdefault(line["title"], []).append(value)
    return found


def constant(lines: Sequence[Mapping[str, Any]], direction: str, score: str) -> float | None:
    """What one flat image gets, where it was scored."""
    rows = [line for line in lines if line["run"].endswith(f"/{BASELINES}")]
    found = [row[direction].get("constant", {}).get(score) for row in rows]
    return found[0] if found else None


def draw(by_set: Mapping[str, Sequence[Mapping[str, Any]]], path: Path) -> None:
    """Write a PNG: means as lines, from the least to the most as bands, a flat image dotted.

    Args:
      by_set: name of a set -> its lines, as `compare` writes them.
      path: of the PNG.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [row for row in ROWS if any(_known(lines, row) for lines in by_set.values())]
    size = (4.2 * len(by_set), 2.9 * len(rows))
    figure, grid = pyplot.subplots(
        len(rows), len(by_set), figsize=size, squeeze=False, layout="constrained"
    )
    for column, (name, lines) in enumerate(by_set.items()):
        for axes, scores in zip(grid[:, column], rows, strict=True):
            if _known(lines, scores):
                _panel(axes, lines, scores)
            else:
                axes.set_axis_off()
        grid[0, column].set_title(name, color=INK, fontsize=11)
    figure.supxlabel("images whose partner is known", color=MUTED, fontsize=10)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _known(lines: Sequence[Mapping[str, Any]], scores: Sequence[str]) -> bool:
    return any(curve(lines, direction, score) for direction in DIRECTIONS for score in scores)


def _panel(axes: Any, lines: Sequence[Mapping[str, Any]], scores: Sequence[str]) -> None:
    for score, style in zip(scores, _STYLES, strict=False):
        for direction, word in DIRECTIONS.items():
            found = curve(lines, direction, score)
            if not found:
                continue
            color, places = COLORS[direction], range(len(found))
            means = [statistics.mean(values) for values in found.values()]
            least, most = map(min, found.values()), map(max, found.values())
            label = word if len(scores) == 1 else f"{word}, {TITLES[score]}"
            axes.plot(places, means, style, color=color, marker="o", markersize=4, label=label)
            axes.fill_between(places, list(least), list(most), color=color, alpha=0.18, linewidth=0)
            axes.set_xticks(places, [title.removesuffix(" pairs") for title in found])
            if (flat := constant(lines, direction, score)) is not None:
                axes.axhline(flat, color=color, linestyle=":", linewidth=1)
    if any(constant(lines, direction, scores[0]) is not None for direction in DIRECTIONS):
        axes.plot([], [], ":", color=MUTED, linewidth=1, label="constant image")
    axes.set_ylabel(TITLES[scores[0]] if len(scores) == 1 else "", color=MUTED)
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=MUTED)
