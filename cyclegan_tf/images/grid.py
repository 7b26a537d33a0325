"""Pictures side by side, for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cyclegan_tf.images.pixel_values import as_dtype


def grid(
    rows: Sequence[Sequence[np.ndarray]],
    gap_px: int = 4,
    column_titles: Sequence[str] | None = None,
    row_titles: Sequence[str] | None = None,
    cell_px: int | None = None,
) -> np.ndarray:
    """Pictures in rows and columns on white, each scaled to its cell without changing its shape, and centred.

    Args:
      rows: uint8 or uint16 (H, W, C) pictures; rows may differ in length. One channel is shown as gray, two as
        red and green, of more than three the first three.
      gap_px: white between cells and around them.
      column_titles: text above each column.
      row_titles: text left of each row.
      cell_px: width and height of every cell; by default a cell is as wide as the widest picture of its column
        and as high as the highest of its row.

    Returns:
      uint8 (H, W, 3).

    Raises:
      ValueError: there is no picture at all.
    """
    columns = max(map(len, rows), default=0)
    if not columns:
        raise ValueError("a grid needs at least one picture")
    widths = [cell_px or max(row[c].shape[1] for row in rows if len(row) > c) for c in range(columns)]
    heights = [cell_px or max((picture.shape[0] for picture in row), default=1) for row in rows]
    font = ImageFont.load_default(size=min(28, max(12, min(widths) // 10)))
    line_px = int(sum(font.getmetrics()))  # type: ignore[union-attr]
    left = gap_px + (gap_px + int(max(map(font.getlength, row_titles))) + 1 if row_titles else 0)
    top = gap_px + (gap_px + line_px if column_titles else 0)
    size = (left + sum(widths) + gap_px * columns, top + sum(heights) + gap_px * len(rows))
    canvas = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(canvas)

    y = top
    for r, row in enumerate(rows):
        if row_titles:
            draw.text((gap_px, y + (heights[r] - line_px) // 2), row_titles[r], "black", font)
        x = left
        for c, picture in enumerate(row):
            shown = _scaled(_shown(picture), widths[c], heights[r])
            canvas.paste(shown, (x + (widths[c] - shown.width) // 2, y + (heights[r] - shown.height) // 2))
            x += widths[c] + gap_px
        y += heights[r] + gap_px

    x = left
    for title, width in zip(column_titles or (), widths, strict=False):
        draw.text((x, gap_px), _cut(title, width, font), "black", font)
        x += width + gap_px
    return np.asarray(canvas)


def _shown(picture: np.ndarray) -> Image.Image:
    picture = as_dtype(picture, np.uint8)
    channels = picture.shape[-1]
    if channels == 1:
        picture = np.repeat(picture, 3, axis=-1)
    elif channels == 2:
        picture = np.pad(picture, ((0, 0), (0, 0), (0, 1)))
    return Image.fromarray(np.ascontiguousarray(picture[..., :3]))


def _scaled(picture: Image.Image, width: int, height: int) -> Image.Image:
    scale = min(width / picture.width, height / picture.height)
    if scale == 1:
        return picture
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _cut(title: str, width: int, font: Any) -> str:
    if font.getlength(title) <= width:
        return title
    while title and font.getlength(title + "...") > width:
        title = title[:-1]
    return title + "..."
