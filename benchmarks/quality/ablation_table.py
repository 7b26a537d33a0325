"""The ablation's tables: variants in the order of the paper's, mean and spread over seeds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

Columns = tuple[tuple[str, str, str], ...]

_PAIRED: Columns = (
    ("psnr", "PSNR dB", ".2f"),
    ("ssim", "SSIM", ".3f"),
    ("mae", "MAE", ".3f"),
    ("swd", "SWD", ".1f"),
    ("color_swd", "SWD with color", ".1f"),
)
_COLORS: Columns = (
    ("checkerboard", "checkerboard dB", ".1f"),
    ("color_shift", "color shift", ".3f"),
    ("identity_color_shift", "color shift of G(y)", ".3f"),
)
_ANIMALS: Columns = (
    ("animals_psnr", "animals PSNR dB", ".2f"),
    ("animals_mae", "animals MAE", ".3f"),
    ("nearer", "nearer than input", ".0f"),
)
_LABELS: Columns = (
    ("pixel_accuracy", "Per-pixel acc.", ".3f"),
    ("class_accuracy", "Per-class acc.", ".3f"),
    ("class_iou", "Class IOU", ".3f"),
)
COLUMNS: dict[str, dict[str, tuple[str, Columns]]] = {
    "demo": {
        "xy": ("X to Y: stripes drawn, summer to autumn", (*_ANIMALS, *_PAIRED, *_COLORS)),
        "yx": ("Y to X: stripes removed, autumn to summer", (*_ANIMALS, *_PAIRED, *_COLORS)),
    },
    "facades": {
        "xy": ("Photo to labels", (*_LABELS, *_PAIRED, *_COLORS)),
        "yx": ("Labels to photo", (*_PAIRED, *_COLORS)),
    },
    "color": {
        "xy": ("A fixed change of color", (*_PAIRED, *_COLORS)),
        "yx": ("The change undone", (*_PAIRED, *_COLORS)),
    },
    "maps": {
        "xy": ("Aerial photograph to map", (*_PAIRED, *_COLORS)),
        "yx": ("Map to aerial photograph", (*_PAIRED, *_COLORS)),
    },
}
"""Title and columns (score, heading, format) of each direction's table."""

BASELINES = "baselines"
BASELINE_NAMES = ("unchanged input", "constant", "random real", "truth")


def markdown(set_name: str, lines: Sequence[dict], order: Sequence[str]) -> str:
    """Both directions' tables.

    Args:
      set_name: of `COLUMNS`.
      lines: as `ablation.py` writes them; one may hold the baselines.
      order: names of variants, first to last.

    Returns:
      Markdown; a cell is the mean over seeds, with the least and the most where there are several.
    """
    lines = [line for line in lines if line["run"].startswith(f"{set_name}/")]
    parts = []
    for direction, (title, columns) in COLUMNS[set_name].items():
        rows = [
            row(_title(of_name), of_name, direction, columns)
            for name in order
            if (of_name := [line for line in lines if line.get("name") == name])
        ]
        for line in lines:
            if line["run"] == f"{set_name}/{BASELINES}":
                rows += [
                    cells(name, [line[direction][name]], columns)
                    for name in BASELINE_NAMES
                    if name in line[direction]
                ]
        heads = ["Loss", *(head for _, head, _ in columns), "seeds", "steps", "min"]
        parts.append(
            f"### {title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}\n"
            + "".join(f"{line}\n" for line in rows)
        )
    return "\n".join(parts)


def _title(lines: Sequence[dict]) -> str:
    return lines[0]["title"]


def row(title: str, lines: Sequence[dict], direction: str, columns: Columns) -> str:
    """One variant: mean and spread over its lines, then seeds, steps and minutes."""
    seeds = " ".join(str(line["seed"]) for line in sorted(lines, key=lambda line: line["seed"]))
    steps = "/".join(str(n) for n in sorted({line["steps"] for line in lines}))
    minutes = statistics.fmean(line["minutes"] for line in lines)
    return cells(
        title, [line[direction] for line in lines], columns, (seeds, steps, f"{minutes:.1f}")
    )


def cells(
    title: str, found: Sequence[dict], columns: Columns, last: Sequence[str] = ("", "", "")
) -> str:
    """A row of Markdown: scores of `columns` over dictionaries of them, "-" where none has one."""
    shown = [_cell([scores.get(name) for scores in found], form) for name, _, form in columns]
    return f"| {' | '.join([title, *shown, *last])} |"


def _cell(values: Sequence[float | None], form: str) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return "-"
    mean = f"{statistics.fmean(known):{form}}"
    return mean if len(known) == 1 else f"{mean} ({min(known):{form}} to {max(known):{form}})"
