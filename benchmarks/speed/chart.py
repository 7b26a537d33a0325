"""The chart: a panel for each case of training and translation, a bar for each contender."""

from __future__ import annotations

from pathlib import Path
from typing import Any

OURS, DEFAULT, OTHERS, INK, MUTED = "#7fb2e5", "#1c64b0", "#c3c7cc", "#22262b", "#5d646c"


def draw(results: dict, path: Path) -> bool:
    """Write a PNG whose bars span the least and the most measured; False: nothing to draw."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    cases = [case for case in results["cases"].values() if case["kind"] in ("step", "translation")]
    cases = [case for case in cases if any("median" in row for row in case["rows"])]
    if not cases:
        return False
    panels = [[row for row in case["rows"] if "median" in row] for case in cases]
    pairs = [
        max(len(rows) for rows in panels[start : start + 2]) for start in range(0, len(panels), 2)
    ]
    figure, grid = pyplot.subplots(
        len(pairs), 2, figsize=(14, 0.34 * sum(pairs) + 0.95 * len(pairs) + 0.5), squeeze=False,
        gridspec_kw={"height_ratios": [bars + 1 for bars in pairs]}, layout="constrained",
    )  # fmt: skip
    for axes, case, rows in zip(grid.flat, cases, panels, strict=False):
        _panel(axes, case, sorted(rows, key=lambda row: -row["median"]), results["default"])
    for axes in list(grid.flat)[len(cases) :]:
        axes.set_axis_off()
    machine = results["machine"]
    title = f"{machine['cpu']}, {machine['cores']} cores, {machine['date'][:10]}; shorter is better"
    figure.suptitle(title, color=MUTED, fontsize=10)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return True


def _panel(axes: Any, case: dict, rows: list[dict], default: str) -> None:
    medians = [row["median"] for row in rows]
    names = [
        row["contender"] + (" (default)" if row["contender"] == default else "") for row in rows
    ]
    palette = [
        DEFAULT
        if row["contender"] == default
        else OURS
        if row["contender"].startswith("ours")
        else OTHERS
        for row in rows
    ]
    spread = [
        [row["median"] - row["least"] for row in rows],
        [row["most"] - row["median"] for row in rows],
    ]
    axes.barh(
        names,
        medians,
        color=palette,
        height=0.72,
        xerr=spread,
        error_kw={"ecolor": INK, "elinewidth": 0.8},
    )
    for index, row in enumerate(rows):
        ratio = f", {row['ratio']:.2f} x" if "ratio" in row else ""
        text = f" {row['median']:.2f} s{ratio}"
        axes.text(row["most"], index, text, va="center", ha="left", fontsize=8.5, color=INK)
    axes.set_xlim(0, 1.28 * max(row["most"] for row in rows))
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_title(
        f"{case['title']}: seconds per {case['unit']}", fontsize=10, loc="left", color=INK
    )
    axes.tick_params(labelsize=8.5, colors=INK, length=0)
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.set_xticks([])
