"""Histograms as inline SVG: no library, no script, colors from the page."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 320, 170, 12, 34, 22


def histogram(
    values: Sequence[float],
    title: str,
    spell: str,
    marked: float | None = None,
    marked_as: str = "",
) -> str:
    """Draw how many images have which score.

    Args:
      values: at least one; those that are not finite are left out and counted in the label.
      title: what they are, as "PSNR, dB".
      spell: format of a number, as ".2f".
      marked: a value to compare with, drawn as a dashed line; None for none.
      marked_as: its name.

    Returns:
      An <svg> element whose label describes it; "" without finite values.
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    left_out = len(values) - len(finite)
    marks = [marked] if marked is not None and math.isfinite(marked) else []
    low, high = min(finite + marks), max(finite + marks)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    bins = min(20, max(5, math.ceil(2 * math.sqrt(len(finite)))))
    counts, edges = np.histogram(finite, bins, (low, high))
    inside = _WIDTH - 2 * _LEFT

    def x_of(value: float) -> float:
        return _LEFT + inside * (value - low) / (high - low)

    floor = _HEIGHT - _BOTTOM
    bars = []
    for count, start, end in zip(counts, edges[:-1], edges[1:], strict=True):
        height = (floor - _TOP) * count / counts.max()
        if count:
            bars.append(
                f'<rect class="bar" x="{x_of(start) + 0.5:.1f}" y="{floor - height:.1f}" '
                f'width="{inside / bins - 1:.1f}" height="{height:.1f}"><title>{count} from '
                f"{start:{spell}} to {end:{spell}}</title></rect>"
            )
    median = float(np.median(finite))
    words = (
        f"Histogram of {title}: {len(finite)} images from {min(finite):{spell}} to "
        f"{max(finite):{spell}}, median {median:{spell}}"
    )
    lines = _line(x_of(median), floor, "median")
    for mark in marks:
        lines += _line(x_of(mark), floor, "marked")
        words += f"; {marked_as} {mark:{spell}}"
    if left_out:
        words += f"; {left_out} infinite, not drawn"
    return (
        f'<svg class="histogram" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{html.escape(words)}">'
        f'<text x="{_LEFT}" y="14" class="most">most in a bar: {counts.max()}</text>'
        f'{"".join(bars)}<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _LEFT}" y1="{floor}" '
        f'y2="{floor}"/>{lines}'
        f'<text x="{_LEFT}" y="{_HEIGHT - 16}">{low:{spell}}</text>'
        f'<text x="{_WIDTH - _LEFT}" y="{_HEIGHT - 16}" '
        f'text-anchor="end">{high:{spell}}</text></svg>'
    )


def _line(x: float, floor: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{floor + 4}"/>'
