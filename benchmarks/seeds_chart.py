"""What many seeds of one recipe came to, for people: means with their errors, and every training as
a dot."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from pathlib import Path

from chart import DEFAULT, INK, MUTED, OTHERS

DISPLAYED_LOSSES = {
    "swd": "sliced Wasserstein distance x 1000",
    "colour_swd": "the same that sees color",
    "color_fringe": "colored fringe",
}
TOLD = ("psnr", *DISPLAYED_LOSSES)
WAYS = {"xy": "A to B", "yx": "B to A"}
COLORS = {("float32", "transposed"): MUTED, ("bfloat16", "transposed"): DEFAULT}
RESIZE = "#cf7a1d"
Group = tuple[int, str, str, int, bool]


def groups(lines: Sequence[dict]) -> dict[Group, list[dict]]:
    """Lines by steps of the whole training, precision, upsampling, step, and whether the weights
    are averaged."""

    def key(line: dict) -> Group:
        return line["steps"], line["precision"], line["upsampling"], line["step"], line["averaged"]

    return {
        group: list(members) for group, members in itertools.groupby(sorted(lines, key=key), key)
    }


def table(lines: Sequence[dict]) -> str:
    """Markdown: a line for each group, a cell for each direction and score."""
    columns = [(way, score) for way in WAYS for score in TOLD]
    head = [
        "step",
        "precision",
        "upsampling",
        "weights",
        "seeds",
        *(f"{WAYS[way]}: {score}" for way, score in columns),
    ]
    rows = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for (steps, precision, upsampling, step, averaged), members in groups(lines).items():
        cells = [
            told([line[way][score] for line in members if score in line[way]])
            for way, score in columns
        ]
        kind = "averaged" if averaged else "raw"
        facts = f"{step} of {steps}", precision, upsampling, kind, str(len(members))
        rows.append(f"| {' | '.join([*facts, *cells])} |")
    return "\n".join(rows) + "\n"


def told(values: Sequence[float]) -> str:
    """Mean ± its standard error (lowest to highest); a dash where there is nothing."""
    if not values:
        return "-"
    mean = statistics.fmean(values)
    digits = 0 if mean >= 40 else 2 if mean >= 1 else 3  # distances; PSNR in dB; parts of 1
    error = statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return f"{mean:.{digits}f} ± {error:.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def draw(lines: Sequence[dict], path: Path) -> None:
    """Writes a PNG: a row for each direction, a panel for each score, a column of dots for each
    kind and length.

    Shown are the raw weights of the last step; a bar is the mean, its box the mean's standard
    error.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    ended = {
        (steps, precision, upsampling): members
        for (steps, precision, upsampling, step, averaged), members in groups(lines).items()
        if step == steps and not averaged
    }
    size = (max(4.4, 0.9 * len(ended)) * len(DISPLAYED_LOSSES), 3.4 * len(WAYS))
    figure, grid = pyplot.subplots(
        len(WAYS), len(DISPLAYED_LOSSES), figsize=size, squeeze=False, layout="constrained"
    )
    for (way, score), axes in zip(
        itertools.product(WAYS, DISPLAYED_LOSSES), grid.flat, strict=True
    ):
        names = []
        for place, (steps, *kind) in enumerate(sorted(ended)):
            values = [line[way][score] for line in ended[(steps, *kind)]]
            count, paint = len(values), COLORS.get(tuple(kind), RESIZE)
            offsets = [0.5 * ((7 * index) % count / count - 0.5) for index in range(count)]
            mean = statistics.fmean(values)
            error = statistics.stdev(values) / math.sqrt(count) if count > 1 else 0.0
            axes.fill_between(
                [place - 0.36, place + 0.36], mean - error, mean + error, color=OTHERS, lw=0
            )
            axes.hlines(mean, place - 0.36, place + 0.36, color=INK, lw=1.6)
            axes.scatter(
                [place + offset for offset in offsets], values, s=13, color=paint, zorder=3
            )
            names.append("\n".join([*kind, f"{steps} steps", f"{count} seeds"]))
        axes.set_xticks(range(len(names)), names)
        axes.set_title(
            f"{WAYS[way]}: {DISPLAYED_LOSSES[score]}", fontsize=10, loc="left", color=INK
        )
        axes.set_ylim(bottom=0)
        axes.tick_params(labelsize=8.5, colors=INK)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
