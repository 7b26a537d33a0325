"""Curves as inline SVG: no library, no script, colors from the page."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 380, 180, 50, 8, 10, 24
_INSIDE, _FLOOR = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _BOTTOM
_MAX_POINTS = 300

Points = Sequence[tuple[int, float]]


def chart(
    curves: Mapping[str, Points],
    title: str,
    levels: Mapping[str, float] | None = None,
    marked_step: int | None = None,
) -> str:
    """Draw curves over the steps of a training.

    Args:
      curves: (step, value) by name, steps rising; values that are not finite are left out.
      title: what they are.
      levels: values to compare with, by the name of their curve, drawn as dashed lines.
      marked_step: drawn as a vertical line; None for none.

    Returns:
      An <svg> element whose label describes it; "" without finite values.
    """
    finite = {
        name: [(step, value) for step, value in points if math.isfinite(value)]
        for name, points in curves.items()
    }
    drawn = {name: thinned(points) for name, points in finite.items() if points}
    if not drawn:
        return ""
    shown = {name: value for name, value in (levels or {}).items() if name in drawn}
    values = [value for points in drawn.values() for _, value in points] + [*shown.values()]
    low, high = _range(values)
    last = max(1, *(points[-1][0] for points in finite.values() if points))
    parts = [_axes(low, high, last)]
    for index, (name, points) in enumerate(drawn.items()):
        if name in shown:
            parts.append(_level(index, _y(shown[name], low, high)))
        parts.append(_curve(index, [(_x(s, last), _y(v, low, high)) for s, v in points]))
    if marked_step is not None:
        x = _x(min(marked_step, last), last)
        parts.append(f'<line class="best" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{_FLOOR}"/>')
    ends = ", ".join(f"{name} {points[-1][1]:.4g}" for name, points in finite.items() if points)
    label = html.escape(f"{title} over {last} steps; last: {ends}")
    return (
        f'<svg class="curves" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label="{label}">{"".join(parts)}</svg>'
    )


def thinned(points: Points) -> list[tuple[float, float]]:
    """Reduce a curve to at most 300 points, each the mean of its neighbors."""
    size = math.ceil(len(points) / _MAX_POINTS)
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    return [
        (sum(step for step, _ in group) / len(group), sum(v for _, v in group) / len(group))
        for group in groups
    ]


def _range(values: Sequence[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    if high - low < 1e-12:
        margin = abs(high) / 2 or 0.5
        return low - margin, high + margin
    return low, high


def _x(step: float, last: int) -> float:
    return _LEFT + _INSIDE * step / last


def _y(value: float, low: float, high: float) -> float:
    return _FLOOR - (_FLOOR - _TOP) * (value - low) / (high - low)


def _axes(low: float, high: float, last: int) -> str:
    texts = [
        f'<text x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{_number(value)}</text>'
        f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        for value in (low, (low + high) / 2, high)
        for y in (_y(value, low, high),)
    ]
    return (
        f'{"".join(texts)}<text x="{_LEFT}" y="{_HEIGHT - 6}">0</text>'
        f'<text x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 6}" text-anchor="end">step {last:,}</text>'
    )


def _number(value: float) -> str:
    """At most seven characters: "0.0904", "2e-4"."""
    if value and abs(value) < 1e-3:
        digits, exponent = f"{value:.1e}".split("e")
        return f"{digits.removesuffix('.0')}e{int(exponent)}"
    return f"{value:.3g}"


def _level(index: int, y: float) -> str:
    return (
        f'<line class="level c{index}" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" '
        f'y1="{y:.1f}" y2="{y:.1f}"/>'
    )


def _curve(index: int, points: Sequence[tuple[float, float]]) -> str:
    if len(points) == 1:
        return f'<circle class="c{index}" cx="{points[0][0]:.1f}" cy="{points[0][1]:.1f}" r="3"/>'
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="c{index}" points="{path}"/>'
