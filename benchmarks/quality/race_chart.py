"""The race's results: curves of score over minutes, and the same as a table."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.speed.chart import DEFAULT, INK, MUTED, OURS

TITLES = {
    "psnr": "PSNR in dB, higher is better",
    "pixel_accuracy": "per-pixel accuracy, higher is better",
    "swd": "sliced Wasserstein distance x 1000, lower is better",
    "color_swd": "the same that sees color, lower is better",
}
DISTANCES = ("swd", "color_swd")
DIRECTION_TITLES = {"xy": "A to B", "yx": "B to A"}
OTHERS = ("#8a9099", "#c0762c", "#8a6d4b")
RECIPES = (OURS, DEFAULT, "#4d8f6b", "#8d5fb3")
AVERAGED = ", averaged"
BASELINE_STYLES = {"unchanged input": ":", "constant": "-."}


def curves(
    lines: Sequence[dict], direction: str, score: str
) -> dict[str, list[tuple[float, list[float]]]]:
    """Group a score by contender and minute.

    Args:
      lines: of results.jsonl.
      direction: "xy" or "yx".
      score: its name.

    Returns:
      Contender -> (minute, one value per seed), minutes ascending; contenders in the order of the
      lines.
    """
    found: dict[str, dict[float, list[float]]] = {}
    for line in lines:
        value = line[direction].get(score)
        if "minute" in line and value is not None:
            found.setdefault(line["contender"], {}).setdefault(line["minute"], []).append(value)
    return {name: sorted(by_minute.items()) for name, by_minute in found.items()}


def panels(lines: Sequence[dict], score: str | None) -> list[tuple[str, str]]:
    """Direction and score of each panel: the chosen score and both distances, where measured."""
    known = {name for line in lines if "minute" in line for name in line["xy"]}
    first = score or ("pixel_accuracy" if "pixel_accuracy" in known else "psnr")
    # label maps are scored in one direction only; the other has its PSNR
    chosen = {"xy": first, "yx": first if first != "pixel_accuracy" else "psnr"}
    return [
        (d, name)
        for d in DIRECTION_TITLES
        for name in (chosen[d], *DISTANCES)
        if curves(lines, d, name)
    ]


def draw(lines: Sequence[dict], path: Path, score: str | None = None) -> None:
    """Write a PNG: a row for each direction, a panel for each score.

    Each contender has a line of means and a band from the least to the most.

    Args:
      lines: of results.jsonl.
      path: of the PNG.
      score: beside the distances; None for pixel accuracy where it is known, else PSNR.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    wanted = panels(lines, score)
    shown = [direction for direction, _ in wanted]
    columns, directions = max(map(shown.count, shown)), list(dict.fromkeys(shown))
    size = (5.3 * columns, 3.6 * len(directions))
    figure, grid = pyplot.subplots(
        len(directions), columns, figsize=size, squeeze=False, layout="constrained"
    )
    for axes in grid.flat:
        axes.set_axis_off()
    free = {d: iter(row) for d, row in zip(directions, grid, strict=True)}
    for direction, name in wanted:
        _panel(next(free[direction]), lines, direction, name)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def _panel(axes: Any, lines: Sequence[dict], direction: str, name: str) -> None:
    axes.set_axis_on()
    found = curves(lines, direction, name)
    palette = _colors(list(found))
    for contender, points in found.items():
        minutes, values = [m for m, _ in points], [v for _, v in points]
        means, style = [statistics.fmean(v) for v in values], _style(contender)
        color = palette[contender]
        axes.plot(minutes, means, style, color=color, label=contender, lw=1.8)
        least, most = [min(v) for v in values], [max(v) for v in values]
        axes.fill_between(minutes, least, most, color=color, alpha=0.18, lw=0)
    baselines = next((line for line in lines if line["contender"] == "baselines"), {})
    for baseline, style in BASELINE_STYLES.items():
        value = baselines.get(direction, {}).get(baseline, {}).get(name)
        if value is not None and name not in DISTANCES:
            axes.axhline(value, color=MUTED, ls=style, lw=1, label=baseline)
    title = f"{DIRECTION_TITLES[direction]}: {TITLES.get(name, name)}"
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    axes.set_xlabel("minutes from the start of the process", fontsize=9, color=INK)
    axes.set_xlim(left=0)
    axes.tick_params(labelsize=8.5, colors=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, frameon=False)


def _style(contender: str) -> str:
    return "--" if contender.endswith(AVERAGED) else "-"


def _colors(names: Sequence[str]) -> dict[str, str]:
    """One for each contender; moving averages have the color of their weights."""
    given: dict[str, str] = {}
    left = {True: itertools.cycle(RECIPES), False: itertools.cycle(OTHERS)}
    for name in names:
        known = given.get(name.removesuffix(AVERAGED))
        given[name] = known or next(left[name.startswith("ours")])
    return given


def table(lines: Sequence[dict], score: str | None = None) -> str:
    """Markdown, a table for each panel: minutes down, contenders across.

    Cells are the mean over seeds, with the least and the most where there are several.
    """
    parts = []
    for direction, name in panels(lines, score):
        found = curves(lines, direction, name)
        minutes = sorted({minute for points in found.values() for minute, _ in points})
        head = f"| min | {' | '.join(found)} |\n|{'---|' * (len(found) + 1)}\n"
        rows = [
            f"| {minute:g} | "
            f"{' | '.join(_cell(dict(points).get(minute)) for points in found.values())} |\n"
            for minute in minutes
        ]
        parts.append(
            f"{DIRECTION_TITLES[direction]}: {TITLES.get(name, name)}\n\n{head}{''.join(rows)}\n"
        )
    return "".join(parts)


def _cell(values: Sequence[float] | None) -> str:
    if not values:
        return "-"
    mean = f"{statistics.fmean(values):.3g}"
    return mean if len(values) == 1 else f"{mean} ({min(values):.3g} to {max(values):.3g})"
