"""Renders an evaluation as one HTML file: scores beside baselines, images, histograms.

Images lie inside as PNG, charts as SVG; there is no script and nothing is fetched. The page is
written in `templates/`, light or dark as the reader's system is, from 320 px on.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from dataclasses import dataclass

import jinja2
import numpy as np
from markupsafe import Markup

from cyclegan_tf.evaluate.baselines import resized_like
from cyclegan_tf.evaluate.report import charts, summary, wording
from cyclegan_tf.evaluate.results import (
    DirectionResult,
    Evaluation,
    ReportImage,
    in_order,
)
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.codecs import ENCODERS

_MAX_PX = 384
# Single pixels are to be seen where an image has few of them, and nowhere else.
_SMALL_PX = 128
_WITH_HISTOGRAM = (
    "pixel_accuracy",
    "psnr",
    "ssim",
    "mae",
    "cycle_error",
    "luminance_correlation",
    "change",
)
_GROUPS = {
    "worst": ("Worst", "the worst first"),
    "median": ("Median", "around the middle of the order"),
    "best": ("Best", "the best first"),
    "all": ("All images", "the worst first"),
}
_FLAT_ORDER = {"worst": "Lowest", "median": "Middle", "best": "Highest", "all": "All images"}


def render_report(found: Evaluation) -> str:
    """Render the whole page.

    Args:
      found: what `run.evaluate` found.

    Returns:
      HTML, UTF-8, complete in itself.
    """
    return _environment().get_template("page.html").render(found=found).lstrip()


@dataclass(frozen=True)
class _BaselineCell:
    """A baseline's value of one score; `beaten` is None where nothing is compared."""

    value: float | None
    beaten: bool | None

    @property
    def known(self) -> bool:
        return self.value is not None and not math.isnan(self.value)


@dataclass(frozen=True)
class _ScoreRow:
    name: str
    score: wording.Score
    value: float | None
    interval: tuple[float, float] | None
    baselines: list[_BaselineCell]


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cyclegan_tf.evaluate.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "arrow": wording.arrow,
        "number": lambda value, name: wording.number(name, value),
        "data_uri": data_uri,
        "is_small": lambda pixels: max(pixels.shape[:2]) <= _SMALL_PX,
        "captions": _captions,
    }
    environment.globals |= {
        "SCORES": wording.SCORES,
        "BASELINES": wording.BASELINES,
        "score_rows": _score_rows,
        "summarize": summary.summarize,
        "group_title": _group_title,
        "histograms": _histograms,
    }
    return environment


def _score_rows(found: DirectionResult) -> Iterator[_ScoreRow]:
    for name in found.rows():
        value = found.scores[name]
        cells = [
            _BaselineCell(scores.get(name), summary.beats(name, value, scores.get(name), baseline))
            for baseline, scores in found.baselines.items()
        ]
        yield _ScoreRow(name, wording.SCORES[name], value, found.intervals.get(name), cells)


def _group_title(group: str, ranked_by: str) -> tuple[str, str]:
    if not wording.SCORES[ranked_by].better:
        return _FLAT_ORDER[group], "which is no measure of quality"
    return _GROUPS[group]


def _captions(image: ReportImage, ranked_by: str) -> list[str]:
    """Write an image's scores, that of the ranking first."""
    ordered = sorted(in_order(image.scores).items(), key=lambda item: item[0] != ranked_by)
    return [
        f"{wording.SCORES[name].label} {wording.number(name, value)}"
        for name, value in ordered
        if value is not None
    ]


def data_uri(image: np.ndarray) -> str:
    """Encode an image for the page.

    Args:
      image: float32 (H, W, C) in [-1, 1]; larger than 384 px, it is reduced.

    Returns:
      A PNG as a data URI.
    """
    longer = max(image.shape[:2])
    if longer > _MAX_PX:
        size = [max(1, round(side * _MAX_PX / longer)) for side in image.shape[:2]]
        image = resized_like(image, np.empty(size))
    pixels = image_io.make_grid([[image_io.from_signed(image)]], gap_px=0)
    return "data:image/png;base64," + base64.b64encode(ENCODERS[".png"](pixels)).decode("ascii")


def _histograms(found: DirectionResult) -> Iterator[tuple[str, Markup]]:
    """Draw single images' scores: titles and charts."""
    unchanged = found.baselines.get("unchanged input", {})
    for name in _WITH_HISTOGRAM:
        values = [value for value in found.per_image.get(name, ()) if value is not None]
        score = wording.SCORES[name]
        title = f"{score.label}{', ' + score.unit if score.unit else ''}"
        chart = charts.histogram(
            values, title, f".{score.digits}f", unchanged.get(name), "unchanged input"
        )
        if chart:
            yield title, Markup(chart)
