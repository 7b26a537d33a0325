"""What a training is watched by: log, image grids, losses and scores of the test split, guards, the
best so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from cyclegan_tf.assembly import TrainingData
from cyclegan_tf.data import screening
from cyclegan_tf.data.pipeline import evaluation_pairs, evaluation_reader
from cyclegan_tf.errors import UserError
from cyclegan_tf.evaluate.scores import PAIRED
from cyclegan_tf.evaluate.split import read_split
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.ema import ExponentialMovingAverage
from cyclegan_tf.runs import checkpoints, state
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train import diagnostics as guards
from cyclegan_tf.train.logs import MetricsLogger, ProgressBar, SampleGrids
from cyclegan_tf.train.validation import BestCheckpoint, ValidationResult, Validator


@dataclass(frozen=True)
class MonitorConfig:
    """What to look at.

    Attributes:
      sample_images: of each domain in a grid.
      test_images: of each domain whose losses are measured.
      score_images: of each domain that are scored; 0 scores nothing.
      best_by: the score that chooses the best checkpoint.
      patience: scorings without a better one after which to stop; None never stops.
    """

    sample_images: int
    test_images: int
    score_images: int
    best_by: str
    patience: int | None


class TrainingMonitor:
    """Looks at a training without disturbing it: weights, random states and running means stay as
    they are.

    Args:
      run: where to write.
      feed: images.
      model: compiled.
      averages: of the generators' weights; None where there are none.
      progress: takes lines for people.
      watch: what to look at.

    Raises:
      UserError: the scores that are asked for cannot be had from this test split.
    """

    def __init__(
        self,
        run: RunDirectory,
        feed: TrainingData,
        model: CycleGAN,
        averages: ExponentialMovingAverage | None,
        progress: ProgressBar,
        watch: MonitorConfig,
    ) -> None:
        self._run, self._feed, self._model, self._progress, self._watch = (
            run,
            feed,
            model,
            progress,
            watch,
        )
        self._test = tf.function(model.test_step, autograph=False, reduce_retracing=True)
        self._guards = guards.Diagnostics(critic=model.gan_mode == "wgangp")
        self._samples = SampleGrids(run.samples, self._sample_images(), _generators(model))
        self._scorer = self._make_scorer(averages)
        self._best: BestCheckpoint | None = None
        if self._scorer is not None:
            self._best = BestCheckpoint(
                run.checkpoints, watch.best_by, self._scorer.higher_is_better, watch.patience
            )
        self._scored_at: int | None = None

    def _make_scorer(self, averages: ExponentialMovingAverage | None) -> Validator | None:
        watch, source = self._watch, self._feed.source
        if watch.score_images and len(source.test_x) and len(source.test_y):
            # A generator that no judge trains may come last in any score and still be as it should.
            counted = [d for d in ("xy", "yx") if d[1] in self._model.adversarial_domains] or [
                "xy",
                "yx",
            ]
            split = read_split(source, self._feed.transform, watch.score_images)
            return Validator(split, self._samples.translate, counted, watch.best_by, averages)
        field, value = "early_stopping_patience", str(watch.patience)
        if watch.patience is None:
            field, value = "best_metric", watch.best_by
        if watch.patience is not None or (watch.score_images and watch.best_by in PAIRED):
            raise UserError(
                f"training.{field} is {value}, but there is no test split to "
                "score; give testA and testB images (or --data.test_fraction), or leave it out."
            )
        return None

    @property
    def should_stop(self) -> bool:
        """Whether so many scorings in a row were no better that training should stop."""
        return self._best is not None and self._best.exhausted

    # Begin and end.

    def open(self, step: int) -> None:
        """Begins to write; looks at all images, and warns of those that spoil the training or its
        scores."""
        self._journal = MetricsLogger(self._run)
        source, feed = self._feed.source, self._feed
        flat: list[str] = []
        shared: list[str] = []
        if self._scorer is None and self._watch.score_images:
            self._progress.say(
                "there is no test split, so nothing is scored and no checkpoint is called the best"
            )
        if "lazy" in (feed.cache_x.kind, feed.cache_y.kind):
            self._progress.say(
                "images are read as they are wanted; cyclegan_tf.check looks at all of them"
            )
            return
        for train, test, cache in (
            (source.train_x, source.test_x, feed.cache_x),
            (source.train_y, source.test_y, feed.cache_y),
        ):
            more_flat, more_shared = screening.find_flat_and_leaked(
                train, cache, test, feed.transform
            )
            flat, shared = flat + more_flat, shared + more_shared
        split = None if self._scorer is None else self._scorer.split
        scored = set() if split is None else {*split.names_x, *split.names_y}
        self._warn(step, guards.flat_images(flat))
        self._warn(step, guards.memorised_images(shared, len(scored & set(shared))))

    def flush(self) -> None:
        """Puts what was written on the disk."""
        self._journal.flush()

    def close(self) -> None:
        """Ends writing."""
        self._journal.close()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training must know, ready for JSON."""
        return {
            "guards": self._guards.state_dict(),
            "best": self._best.state_dict() if self._best else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`; checkpoints of versions that knew of no scores hold nothing of
        it."""
        if state.get("guards"):
            self._guards.load_state_dict(state["guards"])
        if state.get("best") and self._best:
            self._best.load_state_dict(state["best"])

    # On the way.

    def row(self, step: int, epoch: int, values: Mapping[str, float], speed: float) -> None:
        """One row of running means."""
        self._journal.write("train", step, epoch, values, speed)
        self._warn(step, self._guards.after_row(step, values))

    def write_samples(self, step: int) -> None:
        """Grids of fixed test images, as files and in TensorBoard."""
        for direction, grid in self._samples.draw(step).items():
            self._journal.image(f"samples_{direction}", step, grid)

    def evaluate_test_losses(self, step: int, epoch: int) -> None:
        """Losses of unaugmented test images; the running training means are kept aside
        meanwhile."""
        source, metric_trackers = self._feed.source, self._model.metric_trackers
        if not len(source.test_x) or not len(source.test_y):
            return
        kept = {
            name: [v.numpy() for v in tracker.variables]
            for name, tracker in metric_trackers.items()
        }
        random_state = tf.identity(self._model.penalty_seed.state.value)
        self.reset_trackers()
        results: dict[str, tf.Tensor] = {}
        for pair in evaluation_pairs(
            source.test_x, source.test_y, self._feed.transform, self._watch.test_images
        ):
            results = self._test(pair)
        self._journal.write(
            "test", step, epoch, {name: float(value) for name, value in results.items()}
        )
        for name, values in kept.items():
            for variable, value in zip(metric_trackers[name].variables, values, strict=True):
                variable.assign(value)
        self._model.penalty_seed.state.assign(random_state)

    def reset_trackers(self) -> None:
        """Begins new running means."""
        for tracker in self._model.metric_trackers.values():
            tracker.reset_state()

    def score(self, step: int, epoch: int, images_seen: int) -> None:
        """Scores raw and averaged weights, and keeps the better ones if they are the best so far.

        Args:
          step: last step done; a second scoring of one step does nothing.
          epoch: it belongs to.
          images: of each domain shown so far.

        Raises:
          UserError: the best checkpoint cannot be written.
        """
        if self._scorer is None or self._best is None or self._scored_at == step:
            return
        self._scored_at = step
        found, seconds = self._scorer.score()
        for scored in found:
            self._journal.scores(step, epoch, scored.weights, scored.values())
        self._journal.scalar("speed/scoring_seconds", step, seconds)
        chosen = self._scorer.best_of(found)
        better = self._best.offer(step, chosen, lambda: self._arrays(chosen))
        self._progress.say(self._told(step, found, better, seconds))
        for direction, domains in self._scorer.domains.items():
            told = self._guards.after_scores(
                direction, found[0].by_direction[direction], domains, images_seen
            )
            self._warn(step, told)

    def _arrays(self, chosen: ValidationResult | None) -> dict[str, np.ndarray]:
        assert self._scorer is not None
        assert chosen is not None
        with self._scorer.applied(chosen.weights):
            return state.snapshot(state.generator_variables(self._model))

    def _told(
        self, step: int, found: Sequence[ValidationResult], better: bool, seconds: float
    ) -> str:
        assert self._best is not None
        name = self._watch.best_by
        totals = ", ".join(
            f"{s.weights} {'unknown' if s.total is None else f'{s.total:.4g}'}" for s in found
        )
        best = "best so far" if better else f"best {self._best.score:.4g} at step {self._best.step}"
        if self._best.score is None:
            best = f"no image has a {name}, so there is no best checkpoint"
        return f"score at step {step}: {name} {totals} ({best}; {seconds:.1f} s)"

    def save_generators(self) -> None:
        """Writes both generators as `.keras` files, with the best weights where scores have chosen
        some."""
        chosen = (
            checkpoints.select(self._run.checkpoints)
            if self._best and self._best.score is not None
            else None
        )
        named = state.generator_variables(self._model)
        own = state.snapshot(named)
        try:
            if chosen is not None:
                state.restore(named, chosen.arrays, chosen.path)
            for direction, network in _generators(self._model).items():
                final = self._run.path / f"generator_{direction}.keras"
                partial_file = final.with_suffix(".partial.keras")
                network.save(partial_file)
                partial_file.replace(final)
        finally:
            state.restore(named, own, "memory")
        origin = "the last step" if chosen is None else chosen.origin
        self._progress.say(f"generator_xy.keras and generator_yx.keras are those of {origin}")

    def _warn(self, step: int, alarms: Sequence[guards.Diagnosis]) -> None:
        for alarm in alarms:
            self._progress.warn(f"warning: {alarm.text}")
            self._journal.text(f"warning/{alarm.kind}", step, alarm.text)

    def _sample_images(self) -> dict[str, list[tf.Tensor]]:
        source, images = self._feed.source, {}
        for domain, test, train in (
            ("x", source.test_x, source.train_x),
            ("y", source.test_y, source.train_y),
        ):
            chosen = test if len(test) else train
            read = evaluation_reader(chosen, self._feed.transform)
            count = min(self._watch.sample_images, len(chosen))
            # Spread over the list: neighbors in a folder are often alike.
            images[domain] = [read(int(i)) for i in np.linspace(0, len(chosen) - 1, count)]
        return images


def _generators(model: CycleGAN) -> dict[str, Any]:
    return {"xy": model.generator_xy, "yx": model.generator_yx}
