"""The scores of one direction as a table for the terminal."""

from __future__ import annotations

from cyclegan_tf.evaluate.report import wording
from cyclegan_tf.evaluate.results import DirectionResult

_GAP = "  "


def table(found: DirectionResult) -> str:
    """Scores in rows, the generator first and then the stand-ins in columns; at most about 90
    characters wide.

    Scores that nothing stands in for have one number. Intervals, where there are any, come on a
    line of their own.
    """
    generator = "G(x)" if found.direction == "xy" else "F(y)"
    head = [f"{wording.arrow(found.direction)}", generator, *found.baselines]
    rows: list[list[str] | str] = [head]
    for name in found.rows():
        cells = [wording.number(name, found.scores[name])]
        cells += [
            wording.number(name, scores[name]) if name in scores else ""
            for scores in found.baselines.values()
        ]
        rows.append([wording.label(name), *cells])
        if name in found.intervals:
            low, high = (wording.number(name, end) for end in found.intervals[name])
            rows.append(f"{low} to {high} (95 % interval)")
    widths = [
        max(len(row[c]) for row in rows if not isinstance(row, str)) for c in range(len(head))
    ]
    lines = []
    for row in rows:
        if isinstance(row, str):
            lines.append(" " * (widths[0] + len(_GAP)) + row)
        else:
            numbers = [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            lines.append(_GAP.join([row[0].ljust(widths[0]), *numbers]).rstrip())
    lines.insert(1, "-" * (sum(widths) + len(_GAP) * (len(head) - 1)))
    return "\n".join(lines)
