"""The evaluation as one HTML file that opens from disk: scores beside stand-ins, images,
histograms.

Images lie inside as PNG, charts as SVG; there is no script and nothing is fetched.
"""

from __future__ import annotations

import base64
import html
import math
from collections.abc import Mapping

import numpy as np

from cyclegan_tf.evaluate.report import wording
from cyclegan_tf.evaluate.report.charts import histogram
from cyclegan_tf.evaluate.report.template import PAGE
from cyclegan_tf.evaluate.results import (
    DirectionResult,
    Evaluation,
    ReportImage,
    higher_is_better,
    in_order,
)
from cyclegan_tf.evaluate.scores import fitted
from cyclegan_tf.images import io as image_io
from cyclegan_tf.images.codecs import ENCODERS

_MAX_PX = 384
_FEW_PX = 128
_DRAWN = ("pixel_accuracy", "psnr", "ssim", "mae", "cycle_error", "luminance_correlation", "change")
# Real images are what these ask for: nobody is expected to beat them.
_OF_SETS = ("swd", "colour_swd", "fid", "kid")
_GROUPS = {
    "worst": ("Worst", "the worst first"),
    "median": ("Median", "around the middle of the order"),
    "best": ("Best", "the best first"),
    "all": ("All images", "the worst first"),
}
_FLAT_ORDER = {"worst": "Lowest", "median": "Middle", "best": "Highest", "all": "All images"}


def report(found: Evaluation) -> str:
    """The whole page.

    Args:
      found: what `evaluate` found.

    Returns:
      HTML, UTF-8, complete in itself.
    """
    parts = [f"<h1>Evaluation <span>{_text(found.title)}</span></h1>", _facts(found.facts)]
    if found.notes:
        parts.append(
            '<ul class="notes">'
            + "".join(f"<li>{_text(note)}</li>" for note in found.notes)
            + "</ul>"
        )
    if len(found.directions) > 1:
        links = (
            f'<a href="#{each.direction}">{_text(wording.arrow(each.direction))}</a>'
            for each in found.directions
        )
        parts.append(f'<nav aria-label="Directions">{"".join(links)}</nav>')
    parts += [_direction(each) for each in found.directions]
    parts.append(f'<section id="protocol"><h2>Protocol</h2>{_facts(found.protocol)}</section>')
    return PAGE.substitute(title=_text(f"Evaluation of {found.title}"), body="\n".join(parts))


def _direction(found: DirectionResult) -> str:
    generator = _generator(found.direction)
    counts = found.counts
    pairs = (
        f", {counts['pairs']} of them with a true translation"
        if counts["pairs"]
        else ", none with a known truth"
    )
    return "\n".join(
        [
            f'<section id="{found.direction}"><h2>{_text(wording.arrow(found.direction))}, '
            f"{generator}</h2>",
            f"<p>{counts['inputs']} inputs{pairs}; {counts['targets']} real targets.</p>",
            f'<p class="origin">{_text(found.origin)}</p>',
            _scores(found),
            _meanings(found),
            *[_group(found, name, shown) for name, shown in found.groups.items() if shown],
            _histograms(found),
            _levels(found),
            _classes(found.classes),
            "</section>",
        ]
    )


def _scores(found: DirectionResult) -> str:
    head = "".join(
        f'<th scope="col">{_text(name)}</th>'
        for name in (_generator(found.direction), *found.baselines)
    )
    rows = []
    for name in found.rows():
        value = found.scores[name]
        beside = [
            scores.get(name) if name in scores else math.nan for scores in found.baselines.values()
        ]
        cells = f"<td><strong>{wording.number(name, value)}</strong>{_interval(found, name)}</td>"
        cells += "".join(
            _beside(name, value, other, judged=not (baseline == "random real" and name in _OF_SETS))
            for baseline, other in zip(found.baselines, beside, strict=True)
        )
        rows.append(f'<tr><th scope="row">{_row_label(name)}</th>{cells}</tr>')
    return _table(
        "Scores beside those of images that took no translating. A green tick marks what the "
        "generator beats, a red cross what it does not.",
        f'<th scope="col">score</th>{head}',
        rows,
    )


def _row_label(name: str) -> str:
    score = wording.SCORES[name]
    unit = f', <span class="unit">{_text(score.unit)}</span>' if score.unit else ""
    better = f"<small>{score.better} is better</small>" if score.better else ""
    return f"{_text(score.label)}{unit}{better}"


def _interval(found: DirectionResult, name: str) -> str:
    if name not in found.intervals:
        return ""
    low, high = (wording.number(name, end) for end in found.intervals[name])
    return f"<small>{low} to {high}</small>"


def _beside(name: str, value: float | None, other: float | None, judged: bool) -> str:
    if other is None or math.isnan(other):
        return "<td></td>"
    mark = ""
    if judged and value is not None and wording.SCORES[name].better:
        beaten = value > other if higher_is_better(name) else value < other
        sign, words = ("✓", "beaten") if beaten else ("✗", "not beaten")
        mark = f' <span class="{words.replace(" ", "-")}" role="img" aria-label="{words}">{sign}</span>'
    return f"<td>{wording.number(name, other)}{mark}</td>"


def _meanings(found: DirectionResult) -> str:
    rows = [
        f"<dt>{_text(wording.SCORES[n].label)}</dt><dd>{_text(wording.SCORES[n].meaning)}</dd>"
        for n in found.scores
    ]
    rows += [
        f"<dt>{_text(name)}</dt><dd>{_text(meaning[0].upper() + meaning[1:])}.</dd>"
        for name, meaning in wording.STAND_INS.items()
        if name in found.baselines
    ]
    return f"<details><summary>What the rows and columns mean</summary><dl>{''.join(rows)}</dl></details>"


def _group(found: DirectionResult, name: str, shown: list[ReportImage]) -> str:
    title, order = _GROUPS[name]
    label = wording.SCORES[found.ranked_by].label
    if not wording.SCORES[found.ranked_by].better:
        title, order = _FLAT_ORDER[name], "which is no measure of quality"
    figures = "".join(_figure(each, found.ranked_by) for each in shown)
    return f'<h3>{title} by {_text(label)} <small>({order})</small></h3><div class="group">{figures}</div>'


def _figure(shown: ReportImage, ranked_by: str) -> str:
    cells = "".join(
        f'<div><img{_look(image)} src="{data_uri(image)}" '
        f'alt="{_text(f"{title} of {shown.name}")}">'
        f"<span>{_text(title)}</span></div>"
        for title, image in shown.columns.items()
    )
    told = [
        f"{_text(wording.SCORES[name].label)} {wording.number(name, value)}"
        for name, value in sorted(
            in_order(shown.scores).items(), key=lambda item: item[0] != ranked_by
        )
        if value is not None
    ]
    columns = len(shown.columns)
    return (
        f'<figure><div class="row" style="--columns:{columns}">{cells}</div>'
        f"<figcaption><b>{_text(shown.name)}</b> {' · '.join(told)}</figcaption></figure>"
    )


def _look(image: np.ndarray) -> str:
    """Single pixels are to be seen where there are few of them, and nowhere else."""
    return ' class="small"' if max(image.shape[:2]) <= _FEW_PX else ""


def data_uri(image: np.ndarray) -> str:
    """An image as it is written into the page.

    Args:
      image: float32 (H, W, C) in [-1, 1]; larger than 384 px, it is reduced.

    Returns:
      A PNG as a data URI.
    """
    longer = max(image.shape[:2])
    if longer > _MAX_PX:
        size = [max(1, round(side * _MAX_PX / longer)) for side in image.shape[:2]]
        image = fitted(image, np.empty(size))
    shown = image_io.make_grid([[image_io.from_signed(image)]], gap_px=0)
    return "data:image/png;base64," + base64.b64encode(ENCODERS[".png"](shown)).decode("ascii")


def _histograms(found: DirectionResult) -> str:
    unchanged = found.baselines.get("unchanged input", {})
    drawn = []
    for name in _DRAWN:
        values = [value for value in found.per_image.get(name, ()) if value is not None]
        score = wording.SCORES[name]
        title = f"{score.label}{', ' + score.unit if score.unit else ''}"
        chart = histogram(
            values, title, f".{score.digits}f", unchanged.get(name), "unchanged input"
        )
        if chart:
            drawn.append(f"<figure>{chart}<figcaption>{_text(title)}</figcaption></figure>")
    if not drawn:
        return ""
    return (
        "<h3>Single images</h3><p>How many images have which score. Solid line: the median; "
        f'dashed: the mean of the unchanged input.</p><div class="charts">{"".join(drawn)}</div>'
    )


def _levels(found: DirectionResult) -> str:
    if not found.swd_levels:
        return ""
    rows = [
        f'<tr><th scope="row">{side} px</th><td>{wording.number("swd", value)}</td></tr>'
        for side, value in found.swd_levels.items()
    ]
    caption = "Sliced Wasserstein distance by level of the pyramid: detail at the top, shapes and colors below."
    return _table(
        caption,
        '<th scope="col">shorter side of the level</th><th scope="col">SWD, × 1000</th>',
        rows,
    )


def _classes(classes: Mapping[str, Mapping[str, float | None]]) -> str:
    if not classes:
        return ""
    rows = []
    for name, scores in classes.items():
        cells = "".join(
            f"<td>{'-' if value is None else f'{value:.3f}'}</td>" for value in scores.values()
        )
        rows.append(f'<tr><th scope="row">{_text(name)}</th>{cells}</tr>')
    head = "".join(
        f'<th scope="col">{title}</th>'
        for title in ("class", "share of the truth", "accuracy", "IoU")
    )
    return _table("The classes of the palette one by one.", head, rows)


def _table(caption: str, head: str, rows: list[str]) -> str:
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{_text(caption)}"><table>'
        f"<caption>{_text(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _facts(facts: Mapping[str, str]) -> str:
    return (
        "<dl>"
        + "".join(f"<dt>{_text(k)}</dt><dd>{_text(v)}</dd>" for k, v in facts.items())
        + "</dl>"
    )


def _generator(direction: str) -> str:
    return "G(x)" if direction == "xy" else "F(y)"


def _text(value: str) -> str:
    return html.escape(value)
