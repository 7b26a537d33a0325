"""Histograms as inline SVG: no library, no script, colors from the page."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence

import numpy as np

_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 320, 170, 12, 34, 22
_INSIDE, _FLOOR = _WIDTH - 2 * _LEFT, _HEIGHT - _BOTTOM


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
    marks = [marked] if marked is not None and math.isfinite(marked) else []
    low, high = min(finite + marks), max(finite + marks)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    median = float(np.median(finite))
    label = (
        f"Histogram of {title}: {len(finite)} images from {min(finite):{spell}} to "
        f"{max(finite):{spell}}, median {median:{spell}}"
    )
    label += "".join(f"; {marked_as} {mark:{spell}}" for mark in marks)
    if left_out := len(values) - len(finite):
        label += f"; {left_out} infinite, not drawn"
    lines = _line(_x_of(median, low, high), "median")
    lines += "".join(_line(_x_of(mark, low, high), "marked") for mark in marks)
    bars, highest = _bars(finite, low, high, spell)
    return (
        f'<svg class="histogram" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{html.escape(label)}">'
        f'<text x="{_LEFT}" y="14" class="most">most in a bar: {highest}</text>'
        f'{bars}<line class="axis" x1="{_LEFT}" x2="{_WIDTH - _LEFT}" y1="{_FLOOR}" '
        f'y2="{_FLOOR}"/>{lines}'
        f'<text x="{_LEFT}" y="{_HEIGHT - 16}">{low:{spell}}</text>'
        f'<text x="{_WIDTH - _LEFT}" y="{_HEIGHT - 16}" '
        f'text-anchor="end">{high:{spell}}</text></svg>'
    )


def _bars(values: Sequence[float], low: float, high: float, spell: str) -> tuple[str, int]:
    """Draw the bars; also return the count of the highest."""
    bins = min(20, max(5, math.ceil(2 * math.sqrt(len(values)))))
    counts, edges = np.histogram(values, bins, (low, high))
    bars = []
    for count, start, end in zip(counts, edges[:-1], edges[1:], strict=True):
        height = (_FLOOR - _TOP) * count / counts.max()
        if count:
            bars.append(
                f'<rect class="bar" x="{_x_of(start, low, high) + 0.5:.1f}" '
                f'y="{_FLOOR - height:.1f}" width="{_INSIDE / bins - 1:.1f}" '
                f'height="{height:.1f}"><title>{count} from {start:{spell}} to {end:{spell}}'
                "</title></rect>"
            )
    return "".join(bars), counts.max()


def _x_of(value: float, low: float, high: float) -> float:
    return _LEFT + _INSIDE * (value - low) / (high - low)


def _line(x: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_FLOOR + 4}"/>'
