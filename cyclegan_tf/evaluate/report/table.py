"""The scores of one direction as a table for the terminal."""

from __future__ import annotations

from cyclegan_tf.evaluate.report import wording
from cyclegan_tf.evaluate.results import DirectionResult

_GAP = "  "


def format_table(found: DirectionResult) -> str:
    """Format scores as rows, the generator and the baselines as columns; about 90 characters wide.

    Scores that no baseline has show one number. Intervals, where there are any, come on a line of
    their own.
    """
    generator = "G(x)" if found.direction == "xy" else "F(y)"
    head = [found.label or wording.arrow(found.direction), generator, *found.baselines]
    rows: list[list[str] | str] = [head]
    for name in found.rows():
        rows.append([wording.label(name), *_cells(found, name)])
        if name in found.intervals:
            low, high = (wording.number(name, end) for end in found.intervals[name])
            rows.append(f"{low} to {high} (95 % interval)")
    widths = [
        max(len(row[c]) for row in rows if not isinstance(row, str)) for c in range(len(head))
    ]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, "-" * (sum(widths) + len(_GAP) * (len(head) - 1)))
    return "\n".join(lines)


def _cells(found: DirectionResult, name: str) -> list[str]:
    return [
        wording.number(name, found.scores[name]),
        *(
            wording.number(name, scores[name]) if name in scores else ""
            for scores in found.baselines.values()
        ),
    ]


def _line(row: list[str] | str, widths: list[int]) -> str:
    if isinstance(row, str):
        return " " * (widths[0] + len(_GAP)) + row
    numbers = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
    return _GAP.join([row[0].ljust(widths[0]), *numbers]).rstrip()
