"""Images side by side in one image, and what their shades stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cyclegan_tf.images.pixel_values import as_dtype
from cyclegan_tf.images.ranges import ValueRange

_MIN_BAR_PX = 64


def make_grid(
    rows: Sequence[Sequence[np.ndarray]],
    gap_px: int = 4,
    column_titles: Sequence[str] | None = None,
    row_titles: Sequence[str] | None = None,
    cell_px: int | None = None,
) -> np.ndarray:
    """Draw images in rows and columns on white.

    Each is scaled to its cell without changing its shape, and centered.

    Args:
      rows: uint8 or uint16 (H, W, C) images; rows may differ in length. One channel is shown as
        gray, two as red and green, of more than three the first three.
      gap_px: white between cells and around them.
      column_titles: text above each column.
      row_titles: text left of each row.
      cell_px: width and height of every cell; by default a cell is as wide as the widest image of
        its column and as high as the highest of its row.

    Returns:
      uint8 (H, W, 3).

    Raises:
      ValueError: there is no image at all.
    """
    widths, heights = _cell_sizes(rows, cell_px)
    font = ImageFont.load_default(size=min(28, max(12, min(widths) // 10)))
    line_px = int(sum(font.getmetrics()))  # type: ignore[union-attr]
    left = gap_px + (gap_px + int(max(map(font.getlength, row_titles))) + 1 if row_titles else 0)
    top = gap_px + (gap_px + line_px if column_titles else 0)
    size = (left + sum(widths) + gap_px * len(widths), top + sum(heights) + gap_px * len(rows))
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)

    for r, y in enumerate(_starts(top, heights, gap_px)):
        if row_titles:
            draw.text((gap_px, y + (heights[r] - line_px) // 2), row_titles[r], "black", font)
        for image, x, width in zip(rows[r], _starts(left, widths, gap_px), widths, strict=False):
            shown = _scaled(_shown(image), width, heights[r])
            middle = x + (width - shown.width) // 2, y + (heights[r] - shown.height) // 2
            canvas.paste(shown, middle)
    for title, x, width in zip(
        column_titles or (), _starts(left, widths, gap_px), widths, strict=False
    ):
        draw.text((x, gap_px), _cut(title, width, font), "black", font)
    return np.asarray(canvas)


def with_bars(grid: np.ndarray, ranges: Mapping[str, ValueRange], gap_px: int = 4) -> np.ndarray:
    """Draw below a grid, for each of some ranges, a bar from black to white with its numbers.

    Args:
      grid: uint8 (H, W, 3).
      ranges: by the name of what they are of; none leaves the grid as it is.
      gap_px: white around bars and words.

    Returns:
      uint8 (H + bars, W or more, 3).
    """
    if not ranges:
        return grid
    font = ImageFont.load_default(size=12)
    line_px = int(sum(font.getmetrics()))  # type: ignore[union-attr]
    words = [(f"{name}  {known.low:g}", f"{known.high:g}") for name, known in ranges.items()]
    left, right = (int(max(font.getlength(pair[end]) for pair in words)) + 1 for end in (0, 1))
    width = max(grid.shape[1], left + right + 4 * gap_px + _MIN_BAR_PX)
    height = grid.shape[0] + len(words) * (line_px + gap_px) + gap_px
    canvas = Image.new("RGB", (width, height), "white")
    canvas.paste(Image.fromarray(grid), (0, 0))
    draw = ImageDraw.Draw(canvas)
    bar_px = width - left - right - 4 * gap_px
    bar = np.linspace(0, 255, bar_px).astype(np.uint8)[np.newaxis].repeat(line_px, 0)
    for number, (low, high) in enumerate(words):
        y = grid.shape[0] + gap_px + number * (line_px + gap_px)
        draw.text((gap_px, y), low, "black", font)
        canvas.paste(Image.fromarray(bar).convert("RGB"), (left + 2 * gap_px, y))
        draw.text((left + bar_px + 3 * gap_px, y), high, "black", font)
    return np.asarray(canvas)


def _cell_sizes(
    rows: Sequence[Sequence[np.ndarray]], cell_px: int | None
) -> tuple[list[int], list[int]]:
    """The width of each column and the height of each row."""
    columns = max(map(len, rows), default=0)
    if not columns:
        raise ValueError("a grid needs at least one image")
    widths = [
        cell_px or max(row[c].shape[1] for row in rows if len(row) > c) for c in range(columns)
    ]
    return widths, [cell_px or max((image.shape[0] for image in row), default=1) for row in rows]


def _starts(first: int, sizes: Sequence[int], gap_px: int) -> list[int]:
    """Where each cell of a row or column begins."""
    return [first + sum(sizes[:index]) + gap_px * index for index in range(len(sizes))]


def _shown(image: np.ndarray) -> Image.Image:
    image = as_dtype(image, np.uint8)
    channels = image.shape[-1]
    if channels == 1:
        image = np.repeat(image, 3, axis=-1)
    elif channels == 2:
        image = np.pad(image, ((0, 0), (0, 0), (0, 1)))
    return Image.fromarray(np.ascontiguousarray(image[..., :3]))


def _scaled(image: Image.Image, width: int, height: int) -> Image.Image:
    scale = min(width / image.width, height / image.height)
    if scale == 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _cut(title: str, width: int, font: Any) -> str:
    if font.getlength(title) <= width:
        return title
    while title and font.getlength(title + "...") > width:
        title = title[:-1]
    return title + "..."
