"""index.html of a run: one page that grows with the training and opens from the disk.

Rows come from metrics.jsonl, so that a resumed run shows all of them. Sample images are linked, not
copied. There is no script, and nothing is fetched from a network.
"""

from __future__ import annotations

import logging
import re
import shlex
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import jinja2
from markupsafe import Markup

from cyclegan_tf.atomic import write_text
from cyclegan_tf.runs import metrics_log
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.budget import Budget
from cyclegan_tf.train.forecast import duration
from cyclegan_tf.train.monitoring import curves

log = logging.getLogger(__name__)

_EVERY_SECONDS = 10.0
# A page of a long run takes longer to draw; this keeps it under 1 % of the training all the same.
_TIMES_ITS_COST = 200
_CHARTS = {
    "Cycle loss": r"cycle_[xy]",
    "Adversarial loss of the generators": r"adversarial_[xy]",
    "Discriminator loss": r"discriminator_[xy]",
    "Identity loss": r"identity_[xy]",
    "Learning rate": r"learning_rate",
    "Steps per second": r"steps_per_second",
}
_SAMPLE = re.compile(r"step_(\d+)_(xy|yx)\.png")


class Training(Protocol):
    """What a page shows of a training; a `Trainer` has it.

    Example:
      >>> Standing.of("running", trainer).progress
    """

    budget: Budget
    step: int
    seconds: float

    def seconds_left(self) -> float:
        """Estimates the time to the end."""


@dataclass(frozen=True)
class Standing:
    """Where a training stands.

    Attributes:
      state: "running", "finished" or "stopped".
      step: steps done.
      steps: most that there will be.
      progress: in [0, 1], by whichever of steps and minutes is nearer its end.
      seconds: of training so far.
      seconds_left: estimated.

    Example:
      >>> Standing("running", 400, 800, 0.5, 60.0, 60.0).state
      'running'
    """

    state: str
    step: int
    steps: int
    progress: float
    seconds: float
    seconds_left: float

    @classmethod
    def of(cls, state: str, training: Training) -> Standing:
        """Where a training stands at this moment."""
        step, seconds, budget = training.step, training.seconds, training.budget
        progress = budget.progress(step, seconds)
        return cls(state, step, budget.steps, progress, seconds, training.seconds_left())


class RunPage:
    """Writes a run's index.html, at most every 10 s and for less than 1 % of the time.

    Args:
      run: whose page it is.
      best_metric: the score that chooses the best checkpoint.
      higher_is_better: whether more of it is better.
      unchanged: that score of the unchanged input, by direction; empty where it is not known.

    Example:
      >>> page = RunPage(run, "color_swd", False, {"xy": 900.0, "yx": 850.0})
      >>> page.draw(Standing("running", 400, 800, 0.5, 60.0, 60.0), best=(300, 512.0))
    """

    def __init__(
        self,
        run: RunDirectory,
        best_metric: str,
        higher_is_better: bool,
        unchanged: Mapping[str, float],
    ) -> None:
        self._run, self._metric, self._higher = run, best_metric, higher_is_better
        self._unchanged = unchanged
        self._warnings: dict[str, int] = {}
        self._next = 0.0
        self._has_failed = False

    def warn(self, step: int, text: str) -> None:
        """Note a warning for the page; one that is there already keeps its first step."""
        self._warnings.setdefault(text, step)

    def draw(self, standing: Standing, best: tuple[int, float] | None) -> None:
        """Write the page, unless the last one is too young; an end is always written.

        A page that cannot be written never ends a training: that is said once, as a warning.

        Args:
          standing: of the training.
          best: step and score of the best checkpoint; None without one.
        """
        start = time.monotonic()
        if standing.state == "running" and start < self._next:
            return
        try:
            write_text(self._run.path / "index.html", self.render(standing, best))
        except Exception as error:  # whatever it is, the training is worth more
            if not self._has_failed:
                log.warning(f"{self._run.path / 'index.html'} cannot be written: {error}")
            self._has_failed = True
        now = time.monotonic()
        self._next = now + max(_EVERY_SECONDS, _TIMES_ITS_COST * (now - start))

    def render(self, standing: Standing, best: tuple[int, float] | None) -> str:
        """Render the page.

        Args:
          standing: of the training.
          best: step and score of the best checkpoint; None without one.

        Returns:
          HTML, UTF-8.
        """
        rows = list(metrics_log.rows(self._run.metrics_path))
        return (
            _environment()
            .get_template("run.html")
            .render(
                name=self._run.path.absolute().name,
                now=standing,
                percent=f"{100 * standing.progress:.0f}",
                done=duration(standing.seconds),
                left=duration(standing.seconds_left),
                best=best,
                metric=self._metric,
                higher=self._higher,
                unchanged=self._unchanged,
                latest=self._latest(rows),
                charts=self._charts(rows, best),
                samples=self._samples(),
                warnings=self._warnings,
                commands=self._commands(standing),
            )
        )

    def _latest(self, rows: list[dict[str, Any]]) -> dict[str, float]:
        """The newest score by direction, of the raw weights."""
        found = {}
        for direction in ("xy", "yx"):
            points = _points(rows, "score", f"{self._metric}_{direction}")
            if points:
                found[direction] = points[-1][1]
        return found

    def _charts(
        self, rows: list[dict[str, Any]], best: tuple[int, float] | None
    ) -> list[tuple[str, list[str], Markup]]:
        """Title, names of the curves and drawing of each chart."""
        scores = {d: _points(rows, "score", f"{self._metric}_{d}") for d in ("xy", "yx")}
        title = f"Score: {self._metric} ({'higher' if self._higher else 'lower'} is better)"
        marked = None if best is None else best[0]
        found = [(title, scores, curves.chart(scores, title, self._unchanged, marked))]
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

    def _commands(self, standing: Standing) -> dict[str, str]:
        run = shlex.quote(str(self._run.path))
        go_on = {"Go on with this run": f"cyclegan-tf train --run_dir {run}"}
        return (go_on if standing.state == "stopped" else {}) | {
            "Translate images": f"cyclegan-tf translate {run} INPUT OUTPUT",
            "Evaluate on the test split": f"cyclegan-tf evaluate {run}",
            "Export for other programs": f"cyclegan-tf export {run} OUTPUT",
        }


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
