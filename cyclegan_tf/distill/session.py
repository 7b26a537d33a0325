"""One distillation from its teacher to its report."""

from __future__ import annotations

import dataclasses
import logging
import math
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import keras
import numpy as np

from cyclegan_tf.assembly.training_data import build_transform
from cyclegan_tf.atomic import atomic_file
from cyclegan_tf.data.cache import open_cache
from cyclegan_tf.data.transforms import CROPPING, ImageTransform
from cyclegan_tf.distill import settings as asked
from cyclegan_tf.distill.answers import Answers
from cyclegan_tf.distill.observers import open_observer
from cyclegan_tf.distill.settings import Settings
from cyclegan_tf.distill.student import build_student
from cyclegan_tf.distill.training import Distillation
from cyclegan_tf.export.exporter import static_size
from cyclegan_tf.export.parity import ParityCheck, function_of
from cyclegan_tf.export.trained import TrainedGenerator, calibration_images, open_trained
from cyclegan_tf.inspect.graph import count_macs
from cyclegan_tf.networks.builders import size_divisor_of
from cyclegan_tf.runs.generators import direction_name, save_generator
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.signals import StopSignals

log = logging.getLogger(__name__)

_SHOWN_IMAGES = 4
COMPARED_IMAGES = 16
# The paper's sizes, where a file does not say: resized to 286, cropped to 256.
_LOAD_BY_CROP = 286 / 256
_CROPPED = {"scale_width": "scale_width_and_crop", "none": "crop"}


@dataclass(frozen=True)
class DistillJob:
    """What to distill.

    Attributes:
      target: the teacher: a run directory or a `.keras` file.
      out: folder to write to; locked by the caller.
      directions: "xy", "yx" or both, one after the other.
      settings: see `Settings`.
      checkpoint: of a run, "best", "last" or a step.
      quiet: show no progress.

    Example:
      >>> distill(DistillJob(Path("runs/mine"), Path("small"), ["xy"], Settings(max_minutes=5)))
      0
    """

    target: Path
    out: Path
    directions: Sequence[str]
    settings: Settings = field(default_factory=Settings)
    checkpoint: str = "best"
    quiet: bool = False


def student_path(out: Path, direction: str) -> Path:
    """Give the place of a student."""
    return out / f"student_{direction}.keras"


def distill(job: DistillJob) -> int:
    """Teach a student in each direction.

    Returns:
      0 at the end; 130 or 143 after Ctrl-C or SIGTERM, the state saved.

    Raises:
      UserError: the teacher or the images cannot be had, or the folder was begun otherwise.
      TrainingStoppedError: the loss is no longer a number.
    """
    images = Path(job.settings.images) if job.settings.images else None
    teachers = {
        direction: open_trained(job.target, direction, images, job.checkpoint)
        for direction in job.directions
    }
    asked.begin(job.out, job.settings, {name: one.origin for name, one in teachers.items()})
    with StopSignals() as stop:
        for direction, teacher in teachers.items():
            if not _distill_one(job, direction, teacher, stop):
                return stop.exit_status
    _say_what_follows(job)
    return 0


def _distill_one(
    job: DistillJob, direction: str, teacher: TrainedGenerator, stop: StopSignals
) -> bool:
    """Teach one student to its end; say whether it came to that."""
    folder = job.out / direction
    folder.mkdir(exist_ok=True)
    size_px = static_size(teacher, job.settings.size_px)
    channels = teacher.network.input_shape[-1], teacher.network.output_shape[-1]
    student = build_student(job.settings, channels, direction)
    _line("teacher", f"{direction_name(job.target, direction)} of {teacher.origin}")
    macs = describe_macs(teacher.network, student, size_px)
    _line("student", macs)
    observer, words = open_observer(
        job.settings.features, job.target, direction, job.checkpoint, channels[1]
    )
    _line("features", words)
    run = function_of(teacher.network)
    answers = _answers(job, direction, teacher, student, size_px)
    examples = calibration_images(teacher.test_images(), _SHOWN_IMAGES, size_px)
    shown = examples, np.asarray(run(examples))
    quiet = job.quiet
    work = Distillation(student, answers, observer, job.settings, folder, shown, quiet)
    resumed = work.resume()
    if resumed:
        _line("resume", resumed)
    path = student_path(job.out, direction)
    if work.finished and path.exists() and (folder / "parity.json").exists():
        _line("done", f"{path} is finished; more --max_minutes or --max_steps go on")
        return True
    work.train(stop)
    if not work.finished:
        return False
    with atomic_file(path) as partial:
        save_generator(student, partial, teacher.scale)
    _report(folder, path, teacher, student, size_px)
    _line("macs", macs)
    return True


def describe_macs(teacher: keras.Model, student: keras.Model, size_px: int) -> str:
    """Describe a student's size beside its teacher's, in multiply-accumulates of one image."""
    parameters = f"{student.count_params():,} parameters"
    counted = [count_macs(network, size_px) for network in (teacher, student)]
    if counted[0] is None or counted[1] is None:
        return parameters
    large, small = (each.performed for each in counted if each is not None)
    return (
        f"{parameters}; {small / 1e6:,.0f} of {large / 1e6:,.0f} million multiply-accumulates at "
        f"{size_px} px, 1/{large / small:.1f}"
    )


def _answers(
    job: DistillJob, direction: str, teacher: TrainedGenerator, student: keras.Model, size_px: int
) -> Answers:
    images = teacher.training_images()
    divisor = math.lcm(teacher.size_divisor_px, size_divisor_of(student))
    if job.target.is_dir():
        transform = build_transform(RunDirectory(job.target).experiment())
        mode = transform.mode if transform.mode in CROPPING else _CROPPED[transform.mode]
        load = round(transform.load_size_px * size_px / transform.crop_size_px)
        transform = dataclasses.replace(
            transform, mode=mode, load_size_px=load, crop_size_px=size_px, size_divisor_px=divisor
        )
    else:
        load = round(_LOAD_BY_CROP * size_px)
        transform = ImageTransform("resize_and_crop", load, size_px, divisor)
    show = sys.stderr.isatty() and not job.quiet
    cache = open_cache(images, transform, "auto", job.out / "cache", f"train_{direction}", show)
    _line("images", f"{len(cache)}, squares of {size_px} px")
    settings = job.settings
    graph = function_of(teacher.network)
    return Answers(graph, cache, transform, settings.looks, settings.batch_size, settings.seed)


def _report(
    folder: Path, path: Path, teacher: TrainedGenerator, student: keras.Model, size_px: int
) -> None:
    """Compare with the teacher on images of the test split: parity.json, parity.png, a table."""
    images = calibration_images(teacher.test_images(), COMPARED_IMAGES, size_px)
    check = ParityCheck(teacher.network, images, "TensorFlow; keras is the teacher")
    check.add(path.stem, function_of(student), path, {}, None, 0.0)
    check.report(folder, allow_lossy=True)


def _say_what_follows(job: DistillJob) -> None:
    for direction in job.directions:
        path = shlex.quote(str(student_path(job.out, direction)))
        _line("written", path)
        if job.target.is_dir():
            data = RunDirectory(job.target).experiment().data
            source = (
                f"--data.x_dir {shlex.quote(data.x_dir)} --data.y_dir {shlex.quote(data.y_dir)}"
                if data.x_dir is not None and data.y_dir is not None
                else f"--data.source {shlex.quote(data.source)}"
            )
            _line("score it", f"cyclegan-tf evaluate {path} {source}")


def _line(name: str, text: str) -> None:
    log.info("%s", f"{name:<10}{text}")
