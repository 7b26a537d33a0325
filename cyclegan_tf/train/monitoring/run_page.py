"""index.html of a run: one page that grows with the training and opens from the disk.

Curves and warnings come from metrics.jsonl, so that a resumed run shows all of them. Sample images
are linked, not copied. There is no script, and nothing is fetched from a network.
"""

from __future__ import annotations

import functools
import logging
import re
import shlex
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jinja2
from markupsafe import Markup

from cyclegan_tf.atomic import write_text
from cyclegan_tf.evaluate.scores import HIGHER_IS_BETTER
from cyclegan_tf.runs import image_record, metrics_log
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.budget import Budget
from cyclegan_tf.train.forecast import Forecast, duration
from cyclegan_tf.train.monitoring import curves
from cyclegan_tf.train.monitoring.choices import LABELS
from cyclegan_tf.train.monitoring.validation import BestCheckpoint

log = logging.getLogger(__name__)

_EVERY_SECONDS = 10.0
# A page of a long run takes longer to draw; this keeps it under 1 % of the training all the same.
_TIMES_ITS_COST = 200
_CHARTS = {
    "Cycle loss": r"cycle_[xy]",
    "Adversarial loss of the generators": r"adversarial_[xy]",
    "Discriminator loss": r"discriminator_[xy]",
    "Identity loss": r"identity_[xy]",
    "Difference from the truth, of pairs": r"paired_[xy]",
    "Difference from the input": r"self_[xy]",
    "Learning rate": r"learning_rate",
    "Steps per second": r"steps_per_second",
}
_SAMPLE = re.compile(r"step_(\d+)_(xy|yx)\.png")


class Training(Protocol):
    """What a page shows of a training; a `Trainer` has it.

    Attributes:
      budget: how long it lasts.
      forecast: of its first steps.
      step: steps done.
      seconds: of training so far.

    Example:
      >>> page.draw("running", trainer)
    """

    budget: Budget
    forecast: Forecast
    step: int
    seconds: float

    def seconds_left(self) -> float:
        """Estimates the time to the end."""


class RunPage:
    """Writes a run's index.html: where there is news, at most every 10 s, for less than 1 % of the
    time.

    Args:
      run: whose page it is.
      best_metric: the score that chooses the best checkpoint.
      unchanged: gives that score of the unchanged input by direction, as far as it is known.
      best: the best checkpoint; None where nothing is scored.
      is_over: tells of a kind of warning whether its cause went away.
      labels: what the directions are called, "apples to oranges".

    Attributes:
      has_news: whether something was written that the page does not show yet.
      problem: what ended the training; None where nothing did.

    Example:
      >>> page = RunPage(run, "color_swd", validator.unchanged_scores, best, lambda kind: False)
      >>> page.draw("running", trainer)
    """

    def __init__(
        self,
        run: RunDirectory,
        best_metric: str,
        unchanged: Callable[[], Mapping[str, float]],
        best: BestCheckpoint | None,
        is_over: Callable[[str], bool],
        labels: Mapping[str, str] = LABELS,
    ) -> None:
        self._run, self._metric, self._unchanged = run, best_metric, unchanged
        self._best, self._is_over, self._labels = best, is_over, labels
        self.has_news, self.problem = True, ""
        self._next = 0.0
        self._has_failed = False

    def draw(self, state: str, training: Training) -> None:
        """Write the page, unless there is no news or the last one is too young.

        An end is always written. A page that cannot be written never ends a training: that is said
        once, as a warning.

        Args:
          state: "running", "finished" or "stopped".
          training: as it stands.
        """
        start = time.monotonic()
        if state == "running" and (start < self._next or not self.has_news):
            return
        try:
            write_text(self._run.path / "index.html", self.render(state, training))
        except Exception as error:  # whatever it is, the training is worth more
            if not self._has_failed:
                log.warning(f"{self._run.path / 'index.html'} cannot be written: {error}")
            self._has_failed = True
        now = time.monotonic()
        self.has_news = False
        self._next = now + max(_EVERY_SECONDS, _TIMES_ITS_COST * (now - start))

    def render(self, state: str, training: Training) -> str:
        """Render the page.

        Args:
          state: "running", "finished" or "stopped".
          training: as it stands.

        Returns:
          HTML, UTF-8.
        """
        rows = list(metrics_log.rows(self._run.metrics_path))
        best = self._best if self._best is not None and self._best.score is not None else None
        return (
            _environment()
            .get_template("run.html")
            .render(
                name=self._run.path.absolute().name,
                state=state,
                problem=self.problem,
                progress=training.budget.progress(training.step, training.seconds),
                times=_times(state, training) | self._pairs,
                best=best,
                metric=self._metric,
                higher=HIGHER_IS_BETTER[self._metric],
                unchanged=self._unchanged(),
                labels=self._labels,
                latest=self._latest(rows),
                charts=self._charts(rows, None if best is None else best.step),
                samples=self._samples(),
                warnings=self._warnings(rows),
                commands=self._commands(state),
            )
        )

    @functools.cached_property
    def _pairs(self) -> dict[str, str]:
        """How many pairs a training has that has some; their number never changes."""
        words = image_record.pairs_in_words(self._run.data_path)
        return {"Pairs": words} if words else {}

    def _warnings(self, rows: list[dict[str, Any]]) -> list[tuple[str, int, bool]]:
        """Text, step and whether it is over; what is still so comes first."""
        found = [
            (str(row.get("text")), row["step"], self._is_over(str(row.get("name"))))
            for row in rows
            if row.get("kind") == "warning"
        ]
        return sorted(found, key=lambda warning: warning[2])

    def _latest(self, rows: list[dict[str, Any]]) -> dict[str, float]:
        """The newest score by direction, of the raw weights."""
        found = {}
        for direction in ("xy", "yx"):
            points = _points(rows, "score", f"{self._metric}_{direction}")
            if points:
                found[direction] = points[-1][1]
        return found

    def _charts(
        self, rows: list[dict[str, Any]], best_step: int | None
    ) -> list[tuple[str, list[str], Markup]]:
        """Title, names of the curves and drawing of each chart."""
        labels = self._labels.items()
        scores = {label: _points(rows, "score", f"{self._metric}_{d}") for d, label in labels}
        unchanged = self._unchanged()
        levels = {label: unchanged[d] for d, label in labels if d in unchanged}
        better = "higher" if HIGHER_IS_BETTER[self._metric] else "lower"
        title = f"Score: {self._metric} ({better} is better)"
        found = [(title, scores, curves.chart(scores, title, levels, best_step))]
        names = sorted({name for row in rows if row.get("kind") == "train" for name in row})
        for title, pattern in _CHARTS.items():
            chosen = {n: _points(rows, "train", n) for n in names if re.fullmatch(pattern, n)}
            found.append((title, chosen, curves.chart(chosen, title)))
        return [
            (title, [name for name, points in chosen.items() if points], Markup(drawing))
            for title, chosen, drawing in found
            if drawing
        ]

    def _samples(self) -> list[tuple[str, int, str]]:
        """Direction, step and address of the newest grids."""
        newest: dict[str, tuple[int, str]] = {}
        for path in self._run.samples.glob("step_*.png"):
            if match := _SAMPLE.fullmatch(path.name):
                found = int(match[1]), f"{self._run.samples.name}/{path.name}"
                newest[match[2]] = max(newest.get(match[2], found), found)
        return [
            (direction, *newest[direction]) for direction in ("xy", "yx") if direction in newest
        ]

    def _commands(self, state: str) -> dict[str, str]:
        run = shlex.quote(str(self._run.path))
        train = f"cyclegan-tf train --run_dir {run}"
        go_on = {"Go on, if it was stopped": train}
        if state == "finished":
            go_on = {"Go on for half an hour": f"{train} --training.more_minutes 30"}
        return go_on | {
            "Translate images": f"cyclegan-tf translate {run} INPUT OUTPUT",
            "Evaluate on the test split": f"cyclegan-tf evaluate {run}",
            "Export for other programs": f"cyclegan-tf export {run} OUTPUT",
        }


def _times(state: str, training: Training) -> dict[str, str]:
    """What is known of time and steps, by its name on the page."""
    now, budget, left = time.time(), training.budget, training.seconds_left()
    found = {"Trained": f"{training.step:,} steps in {duration(training.seconds)}"}
    if state == "running" and left:
        end = time.strftime("%a %H:%M", time.localtime(now + left))
        found["To come"] = f"about {duration(left)}, until {end}"
    limits = [f"{budget.steps:,} steps"] if budget.steps else []
    if budget.seconds:
        limits.append(f"{round(budget.seconds / 60, 1):g} minutes")
    if state != "finished":
        found["Ends at"] = ", or at ".join(limits)
    if state == "running" and training.forecast.sentence:
        found["Forecast"] = training.forecast.sentence
    found["Written"] = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
    return found


def _points(rows: list[dict[str, Any]], kind: str, name: str) -> list[tuple[int, float]]:
    """A curve of metrics.jsonl; scores are of the raw weights."""
    return [
        (row["step"], float(row[name]))
        for row in rows
        if row.get("kind") == kind
        and row.get("weights") in (None, "raw")
        and isinstance(row.get(name), (int, float))
    ]


def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("cyclegan_tf.train.monitoring"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
