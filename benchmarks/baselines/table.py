"""The tables of the comparison: one per direction, in the layout of the paper's tables 1 to 3."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.baselines.methods import Method
from benchmarks.quality.ablation_table import Columns, cells, row

BASELINES = "baselines"
BASELINE_NAMES = ("unchanged input", "constant")
_LABELS: Columns = (
    ("pixel_accuracy", "Per-pixel acc.", ".3f"),
    ("class_accuracy", "Per-class acc.", ".3f"),
    ("class_iou", "Class IOU", ".3f"),
)
_IMAGES: Columns = (
    ("psnr", "PSNR dB", ".2f"),
    ("ssim", "SSIM", ".3f"),
    ("swd", "SWD", ".0f"),
    ("color_swd", "SWD with color", ".0f"),
)
_LAST = ("seeds", "steps", "min")


def markdown(set_name: str, lines: Sequence[dict], methods: Mapping[str, Method]) -> str:
    """Both directions' tables, the baselines below, and what is missing.

    Args:
      set_name: of the lines' runs.
      lines: as `compare` writes them.
      methods: by name, first to last.

    Returns:
      Markdown; a cell is the mean over seeds, with the least and the most where there are several.
    """
    lines = [line for line in lines if line["run"].startswith(f"{set_name}/")]
    by_method = {name: [a for a in lines if a.get("name") == name] for name in methods}
    parts = [_table(set_name, direction, lines, by_method) for direction in ("xy", "yx")]
    missing = [m.title for name, m in methods.items() if not by_method[name]]
    said = [f"Not trained: {', '.join(missing)}.\n"] if missing else []
    return "\n".join([*parts, *said])


def _table(
    set_name: str, direction: str, lines: Sequence[dict], by_method: Mapping[str, list[dict]]
) -> str:
    has_labels = any("pixel_accuracy" in line.get(direction, {}) for line in lines)
    columns = (*_LABELS, *_IMAGES) if has_labels else _IMAGES
    rows = []
    for found in by_method.values():
        if found:
            rows.append(row(found[0]["title"], found, direction, columns))
    for line in lines:
        if line["run"].endswith(f"/{BASELINES}"):
            rows += [
                cells(name, [line[direction][name]], columns)
                for name in BASELINE_NAMES
                if name in line[direction]
            ]
    heads = ["Method", *(head for _, head, _ in columns), *_LAST]
    title = f"### {set_name}, {direction[0].upper()} to {direction[1].upper()}"
    ruler = "---|" * len(heads)
    return f"{title}\n\n| {' | '.join(heads)} |\n|{ruler}\n" + "".join(f"{r}\n" for r in rows)
