"""What a training writes down and checks: losses, image grids, scores, warnings, best weights."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from cyclegan_tf.assembly.training_data import TrainingData
from cyclegan_tf.atomic import atomic_file
from cyclegan_tf.data import screening, value_ranges
from cyclegan_tf.data.pipeline import evaluation_reader
from cyclegan_tf.errors import UserError
from cyclegan_tf.evaluate.offline import open_scoring
from cyclegan_tf.evaluate.scores import PAIRED
from cyclegan_tf.evaluate.split import read_split
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.model.ema import ExponentialMovingAverage
from cyclegan_tf.model.loss_weights import idle_generators
from cyclegan_tf.runs import checkpoints, generators, state, targets
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.monitoring import diagnostics, logs
from cyclegan_tf.train.monitoring.choices import MonitorConfig
from cyclegan_tf.train.monitoring.disk import unwritable
from cyclegan_tf.train.monitoring.held_out import held_out_losses
from cyclegan_tf.train.monitoring.rewind import SAMPLES, SCORE, TEST, rewind
from cyclegan_tf.train.monitoring.run_page import RunPage
from cyclegan_tf.train.monitoring.samples import SampleGrids
from cyclegan_tf.train.monitoring.validation import BestCheckpoint, ValidationResult, Validator

log = logging.getLogger(__name__)


class TrainingMonitor:
    """Measures a training without disturbing it.

    Weights, random states and running means stay as they are.

    Args:
      run: where to write.
      data: images.
      model: compiled.
      averages: of the generators' weights; None where there are none.
      config: what to measure.

    Attributes:
      page: shows all of it.

    Raises:
      UserError: the scores that are asked for cannot be had from this test split.

    Example:
      >>> monitor = TrainingMonitor(run, data, model, None, MonitorConfig(4, 20, 20, "swd", None))
      >>> monitor.open(step=0)
      >>> monitor.score(step=100, epoch=0, images_seen=100)
    """

    def __init__(
        self,
        run: RunDirectory,
        data: TrainingData,
        model: CycleGAN,
        averages: ExponentialMovingAverage | None,
        config: MonitorConfig,
    ) -> None:
        self._run, self._data, self._model, self._config = run, data, model, config
        self._test = tf.function(model.test_step, autograph=False, reduce_retracing=True)
        self._diagnostics = diagnostics.Diagnostics(model.gan_mode == "wgangp", config.labels)
        ranges = value_ranges.of_gray(data.source.train_x, data.source.train_y)
        images = self._sample_images()
        self._samples = SampleGrids(run.samples, images, _generators(model), ranges)
        self._validator = self._make_validator(averages)
        self._best: BestCheckpoint | None = None
        if self._validator is not None:
            self._best = BestCheckpoint(
                run.checkpoints,
                config.best_metric,
                self._validator.higher_is_better,
                config.patience,
            )
        self.page = self._make_page()
        self._scored_at: int | None = None
        self._tested_at: int | None = None

    def _make_validator(self, averages: ExponentialMovingAverage | None) -> Validator | None:
        config, source = self._config, self._data.source
        if config.score_images and len(source.test_x) and len(source.test_y):
            # A generator that no discriminator trains may come last in any score and still be as
            # it should.
            adversarial = [d for d in ("xy", "yx") if d[1] in self._model.adversarial_domains]
            split = read_split(source, self._data.transform, config.score_images)
            return Validator(
                split,
                self._samples.translate,
                adversarial or ("xy", "yx"),
                config.best_metric,
                averages,
                open_scoring(config.features),
            )
        field, value = "early_stopping_patience", str(config.patience)
        if config.patience is None:
            field, value = "best_metric", config.best_metric
        if config.patience is not None or (config.score_images and config.best_metric in PAIRED):
            raise UserError(
                f"training.{field} is {value}, but there is no test split to "
                "score; give testA and testB images (or --data.test_fraction), or leave it out.",
                code="missing",
                field=f"training.{field}",
            )
        return None

    def _make_page(self) -> RunPage:
        metric, is_over = self._config.best_metric, self._diagnostics.is_over
        unchanged = self._validator.unchanged_scores if self._validator else dict
        labels = self._config.labels
        return RunPage(self._run, metric, unchanged, self._best, is_over, labels)

    @property
    def should_stop(self) -> bool:
        """Whether so many scorings in a row were no better that training should stop."""
        return self._best is not None and self._best.should_stop

    def forget_patience(self) -> None:
        """Waits anew for a better score."""
        if self._best is not None:
            self._best.wait = 0

    # Start, end, resume.

    def open(self, step: int) -> None:
        """Opens the logs, and warns of images that spoil the training or its scores."""
        self._logger = logs.MetricsLogger(self._run, self._config.trackers)
        self._logger.log_beginning(step, self._model)
        data = self._data
        if self._validator is None and self._config.score_images:
            log.info(
                "there is no test split, so nothing is scored and no checkpoint is called the best"
            )
        if data.source.train_x.is_drawn:
            return  # there is no flat one, and no test image among the training images
        if "lazy" in (data.cache_x.kind, data.cache_y.kind):
            log.info("images are read as they are wanted; cyclegan_tf.check looks at all of them")
        else:
            self._screen(step)

    def _screen(self, step: int) -> None:
        source, data = self._data.source, self._data
        flat, leaked, dark = list[str](), list[str](), dict[str, float]()
        for domain, train, test, cache in (
            ("X", source.train_x, source.test_x, data.cache_x),
            ("Y", source.train_y, source.test_y, data.cache_y),
        ):
            found = screening.find_flat_and_leaked(train, cache, test, data.transform)
            flat, leaked = flat + found.flat, leaked + found.leaked
            dark |= {domain: found.used} if found.used else {}
        split = None if self._validator is None else self._validator.split
        scored = set() if split is None else {*split.names_x, *split.names_y}
        self._warn(step, diagnostics.dark_images(dark))
        self._warn(step, diagnostics.flat_images(flat))
        self._warn(step, diagnostics.leaked_images(leaked, len(scored & set(leaked))))

    def flush(self) -> None:
        """Puts what was written on the disk."""
        self._logger.flush()
        self.page.has_news = True

    def close(self) -> None:
        """Closes the logs."""
        self._logger.close()

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training must know, ready for JSON."""
        return {
            "guards": self._diagnostics.state_dict(),
            "best": self._best.state_dict() if self._best else None,
            "scored_at": self._scored_at,
            "tested_at": self._tested_at,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`; checkpoints of early versions hold nothing of scores."""
        if state.get("guards"):
            self._diagnostics.load_state_dict(state["guards"])
        if state.get("best") and self._best:
            self._best.load_state_dict(state["best"])
        self._scored_at, self._tested_at = state.get("scored_at"), state.get("tested_at")

    def rewind(self, step: int, is_end: bool) -> None:
        """Takes back, from the logs, what the training will write again.

        Args:
          step: of the checkpoint; 0 without one.
          is_end: only the end of the training is left, of which some may be written already.

        Raises:
          UserError: the logs cannot be written.
        """
        again = {SAMPLES} if is_end else set()
        again |= {TEST} if is_end and self._tested_at != step else set()
        again |= {SCORE} if is_end and self._scored_at != step else set()
        try:
            rewind(self._run, step, again)
        except (OSError, tf.errors.OpError) as error:
            raise unwritable(self._run.path, error) from error

    # During the training.

    def log_row(self, step: int, epoch: int, values: Mapping[str, float], speed: float) -> None:
        """Writes one row of running means, and warns of what is wrong with it.

        Args:
          step: last step done.
          epoch: it belongs to, from 0.
          values: by name.
          speed: steps per second.
        """
        self._logger.log_losses("train", step, epoch, values, speed)
        self.page.has_news = True
        self._warn(step, self._diagnostics.after_row(step, values))

    def write_samples(self, step: int) -> None:
        """Writes grids of fixed test images, as files and to the trackers."""
        for direction, grid in self._samples.write(step).items():
            self._logger.log_image(f"samples_{direction}", step, grid)
        self.page.has_news = True

    def evaluate_test_losses(self, step: int, epoch: int) -> None:
        """Writes the losses of unaugmented test images; the running training means stay.

        Args:
          step: last step done; a second time at one step does nothing.
          epoch: it belongs to.
        """
        source = self._data.source
        if not len(source.test_x) or not len(source.test_y) or self._tested_at == step:
            return
        self._tested_at = step
        found = held_out_losses(self._model, self._test, self._data, self._config.test_images)
        if found:
            self._logger.log_losses("test", step, epoch, found)

    def score(self, step: int, epoch: int, images_seen: int) -> None:
        """Scores raw and averaged weights, and keeps the better ones if they are the best so far.

        Args:
          step: last step done; a second scoring of one step does nothing.
          epoch: it belongs to.
          images_seen: of each domain so far.

        Raises:
          UserError: the best checkpoint cannot be written.
        """
        validator, best = self._validator, self._best
        if validator is None or best is None or self._scored_at == step:
            return
        if self._scored_at is None:
            log.info("scoring   the test images; the first time takes longest")
        self._scored_at = step
        found, seconds = validator.score()
        for result in found:
            self._logger.log_scores(step, epoch, result.weights, result.values())
        self._logger.log_scalar("speed/scoring_seconds", step, seconds)
        self.page.has_news = True

        def snapshot(result: ValidationResult) -> dict[str, np.ndarray]:
            with validator.swapped_in(result.weights):
                return state.snapshot(state.generator_variables(self._model))

        is_best = best.update(step, validator.best_of(found), snapshot)
        log.info(self._score_line(step, found, best, is_best, seconds))
        idle = idle_generators(self._model.loss_weights)
        for direction, domains in validator.domains.items():
            if direction in idle:
                continue  # what no term trains is no cause for warnings
            scores = found[0].by_direction[direction]
            self._warn(
                step, self._diagnostics.after_scores(direction, scores, domains, images_seen)
            )

    def _score_line(
        self,
        step: int,
        found: Sequence[ValidationResult],
        best: BestCheckpoint,
        is_best: bool,
        seconds: float,
    ) -> str:
        name = self._config.best_metric
        totals = ", ".join(
            f"{s.weights} {'unknown' if s.total is None else f'{s.total:.4g}'}" for s in found
        )
        if best.score is None:
            comment = f"no image has a {name}, so there is no best checkpoint"
        else:
            comment = "best so far" if is_best else f"best {best.score:.4g} at step {best.step}"
        return f"score at step {step}: {name} {totals} ({comment}; {seconds:.1f} s)"

    def save_generators(self) -> None:
        """Writes both generators as `.keras` files.

        They have the best weights where scores have chosen some, else those of the moment.
        """
        best = None
        if self._best is not None and self._best.score is not None:
            best = checkpoints.select(self._run.checkpoints)
        named = state.generator_variables(self._model)
        own = state.snapshot(named)
        try:
            if best is not None:
                state.restore(named, best.arrays, best.path)
            for direction, network in _generators(self._model).items():
                with atomic_file(self._run.path / f"generator_{direction}.keras") as file:
                    scale = generators.training_scale(self._run.path, direction)
                    ranges = targets.ranges(self._run.path, direction)
                    cutting = targets.cutting(self._run.path)
                    generators.save_generator(network, file, scale, ranges, cutting)
        finally:
            state.restore(named, own, "memory")
        origin = "the last step" if best is None else best.origin
        log.info(f"generator_xy.keras and generator_yx.keras are those of {origin}")

    def _warn(self, step: int, found: Sequence[diagnostics.Diagnosis]) -> None:
        for diagnosis in found:
            log.warning(diagnosis.text)
            self._logger.log_warning(step, diagnosis.kind, diagnosis.text)

    def _sample_images(self) -> dict[str, list[tf.Tensor]]:
        source, images = self._data.source, {}
        for domain, test, train in (
            ("x", source.test_x, source.train_x),
            ("y", source.test_y, source.train_y),
        ):
            chosen = test if len(test) else train
            read = evaluation_reader(chosen, self._data.transform)
            count = min(self._config.sample_images, len(chosen))
            # Spread over the list: neighbors in a folder are often alike.
            images[domain] = [read(int(i)) for i in np.linspace(0, len(chosen) - 1, count)]
        return images


def _generators(model: CycleGAN) -> dict[str, Any]:
    return {"xy": model.generator_xy, "yx": model.generator_yx}
