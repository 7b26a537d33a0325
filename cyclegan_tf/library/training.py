"""`train`, and the run it returns: translate, evaluate, export."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclegan_tf.errors import TrainingStoppedError
from cyclegan_tf.images.training_scale import FULL
from cyclegan_tf.library.loaded import Model, Network
from cyclegan_tf.runs import checkpoints
from cyclegan_tf.train import command
from cyclegan_tf.train.plan import plan_training

if TYPE_CHECKING:
    from cyclegan_tf.evaluate.results import Evaluation
    from cyclegan_tf.export.formats import Format


def open_generator(path: Path, direction: str, checkpoint: str = checkpoints.BEST) -> Network:
    """Open one direction of a run or a `.keras` file, at the scale of its training.

    Args:
      path: the run directory or file.
      direction: "xy" or "yx".
      checkpoint: of a run, "best", "last" or a step.

    Raises:
      UserError: there is no such generator.
    """
    from cyclegan_tf.networks.builders import size_divisor_of
    from cyclegan_tf.runs import targets
    from cyclegan_tf.runs.generators import load_generator, training_scale
    from cyclegan_tf.translate.translator import Translator

    network, _ = load_generator(path, direction, checkpoint=checkpoint)
    scale = training_scale(path, direction) or FULL
    translator = Translator(network, size_divisor_of(network), scale)
    return Network(network.input_shape[-1], translator, targets.ranges(path, direction))


class Run(Model):
    """A run directory: its trained model, which can be evaluated and exported.

    Args:
      path: the directory.
      checkpoint: "best", "last" or a step.

    Example:
      >>> run = cyclegan_tf.train("images", "runs/mine", minutes=60)
      >>> run.evaluate().directions[0].scores["swd"]
      >>> run.export("shipped")
    """

    def __init__(self, path: Path, checkpoint: str = checkpoints.BEST) -> None:
        super().__init__(
            path, {name: partial(open_generator, path, name, checkpoint) for name in ("xy", "yx")}
        )
        self.path, self.checkpoint = path, checkpoint

    def evaluate(self, **options: Any) -> Evaluation:
        """Score the run's test split; nothing is written.

        Args:
          **options: fields of `cyclegan_tf.evaluate.run.EvaluationJob`, such as `max_images`.

        Returns:
          Its `directions` hold the scores, and those of doing nothing beside them.

        Raises:
          UserError: the images are gone, or do not fit the options.
        """
        from cyclegan_tf.evaluate.run import EvaluationJob, evaluate

        options = {"directions": self.directions, "checkpoint": self.checkpoint, **options}
        return evaluate(EvaluationJob(self.path, **options))

    def export(
        self,
        out: str | os.PathLike,
        formats: Sequence[Format] = ("saved_model", "litert"),
        **options: Any,
    ) -> int:
        """Write the generators for other programs, each held against this model.

        Args:
          out: the folder to write to.
          formats: of "saved_model", "litert", "onnx", "keras", "web".
          **options: fields of `cyclegan_tf.export.exporter.ExportJob`, such as `overwrite`.

        Returns:
          How many files were refused, because their images are too far from the model's.

        Raises:
          UserError: an output exists, a package is missing, or the run has no checkpoint.
        """
        from cyclegan_tf.export.exporter import ExportJob, export_generators

        options = {"directions": self.directions, "checkpoint": self.checkpoint, **options}
        return export_generators(ExportJob(self.path, Path(out), formats, **options))


def train(
    source: str | os.PathLike | None = None,
    run_dir: str | os.PathLike | None = None,
    *,
    config: str | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    more_minutes: float | None = None,
    options: Mapping[str, Any] | None = None,
    quiet: bool = False,
) -> Run:
    """Train CycleGAN, or go on with a training; the same as `python -m cyclegan_tf.train`.

    Args:
      source: a folder with trainA, trainB and, perhaps, testA, testB; `tfds:NAME`; `hf:USER/SET`;
        or `demo`. None for a run that exists, or a config that names one.
      run_dir: directory of the run; one that exists is resumed.
      config: experiment file, or the name of one that comes along ("modern").
      minutes: at most so long; the learning-rate schedule ends with it.
      steps: at most so many.
      more_minutes: go on with a run that is finished, or was stopped, for so long.
      options: other fields of the experiment, such as {"data.crop_size_px": 128}.
      quiet: log problems only.

    Returns:
      The run.

    Raises:
      UserError: the images or the options do not do.
      TrainingStoppedError: a loss is not finite.
      KeyboardInterrupt: Ctrl-C, after the step at hand was finished and saved. The same call goes
        on from there.

    Example:
      >>> run = cyclegan_tf.train("images", "runs/mine", minutes=60)
      >>> run.translate("photo.jpg").save("painting.png")
    """
    given = {
        "config": config,
        "run_dir": run_dir,
        "data.source": source,
        "training.max_minutes": minutes,
        "training.max_steps": steps,
        "training.more_minutes": more_minutes,
        **(options or {}),
    }
    words = [f"--{name}={_as_typed(value)}" for name, value in given.items() if value is not None]
    plan = plan_training([*words, "--quiet"] if quiet else words)
    status = command.train(plan)
    if status == 130:
        raise KeyboardInterrupt
    if status:
        raise TrainingStoppedError(f"the training of {plan.run.path} was ended by a signal.")
    return Run(plan.run.path)


def _as_typed(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return str(list(value))
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)
