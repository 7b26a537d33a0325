"""cyclegan_tf as its commands run it: the only file of the benchmark that knows the package.

It is imported before TensorFlow, whose environment `cyclegan_tf` sets.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

import cyclegan_tf  # noqa: F401  # isort: skip  # sets TensorFlow's environment
import keras
import numpy as np
import tensorflow as tf

from benchmarks.speed import inputs
from benchmarks.speed.floor import Macs
from benchmarks.speed.jobs import Job
from cyclegan_tf import assembly
from cyclegan_tf.assembly import training_data
from cyclegan_tf.config.experiment import Data, Discriminator, Experiment, Generator, Training
from cyclegan_tf.data import demo
from cyclegan_tf.data.pipeline import training_dataset
from cyclegan_tf.devices import hardware
from cyclegan_tf.images import io as image_io
from cyclegan_tf.inspect import graph
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.networks.builders import size_divisor_of
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.translate.folder import translate_files
from cyclegan_tf.translate.tasks import plan_tasks
from cyclegan_tf.translate.translator import Translator

# Deviation of the grain laid over drawn images, which a photograph's JPEG pays for too.
NOISE = 12.0
READ_AHEAD = 64  # steps; more than tf.data was seen to hold ready


def experiment_of(job: Job, **data: Any) -> Experiment:
    """The paper's recipe at the job's size; `data` lays over the data section."""
    sizes: dict[str, Any] = {"crop_size_px": job.size_px, "load_size_px": job.size_px}
    return Experiment(
        data=Data(**{**sizes, "batch_size": job.batch, **data}),
        generator=Generator("resnet_9blocks", filters=job.filters, blocks=job.blocks),
        discriminator=Discriminator(filters=job.filters),
        training=Training(precision=cast(Any, job.precision), seed=job.seed),
    )


def default_contender() -> str:
    """Name of the contender that precision "auto" is on this machine."""
    policy = hardware.choose_precision("auto")[0]
    names = {policy: name for name, policy in hardware.POLICIES.items()}
    return Job("", "ours", names[policy]).name


def build(job: Job) -> CycleGAN:
    """The compiled model, as the training command makes it."""
    experiment = experiment_of(job)
    training = experiment.training
    arithmetic = hardware.choose_arithmetic(training.precision, training.jit)
    return assembly.build_model(experiment, arithmetic.dtype_policy, arithmetic.jit)


def stepper(model: CycleGAN, job: Job) -> Callable[[], dict[str, float]]:
    """One step on made-up images per call, compiled and read out as `training.Trainer` does."""
    step = tf.function(
        model.train_step, autograph=False, reduce_retracing=True, jit_compile=model.jit_compile
    )
    batch = tuple(tf.constant(images) for images in inputs.batch(job.size_px, job.batch, job.seed))
    return lambda: {name: float(value) for name, value in step(batch).items()}


def loss_weights(model: CycleGAN) -> dict[str, float]:
    """Of the cycle and the identity terms, which are the same in both directions."""
    return {name: model.loss_weights[f"{name}_x"] for name in ("cycle", "identity")}


def training_step(job: Job) -> Callable[[], dict[str, float]]:
    """The same, built from nothing."""
    return stepper(build(job), job)


def _generator(job: Job) -> keras.Model:
    return assembly.build_generator(
        experiment_of(job), "xy", hardware.choose_precision(job.precision)[0]
    )


def translation(job: Job) -> Callable[[], dict[str, float]]:
    """One image, uint8 in and out, per call."""
    network = _generator(job)
    translator = Translator(network, size_divisor_of(network))
    image = inputs.image(job.size_px, job.seed)
    return lambda: {"mean": float(translator(image).mean())}


def translated_folder(job: Job) -> Callable[[], dict[str, float]]:
    """All of job.folder per call, as the command does it once its network is loaded."""
    target = Path(job.target)
    target.mkdir(parents=True, exist_ok=True)
    network = _generator(job)
    network.save(target / "generator.keras")  # for `folder_command`
    translator = Translator(network, size_divisor_of(network))
    tasks = plan_tasks(Path(job.folder), target).tasks

    def run() -> dict[str, float]:
        outcomes = list(translate_files(translator, tasks))
        if errors := [outcome.error for outcome in outcomes if outcome.error]:
            raise RuntimeError(f"{len(errors)} images were not translated: {errors[0]}")
        return {"images": len(outcomes)}

    return run


def loader(job: Job) -> Callable[[], dict[str, float]]:
    """One epoch per call, of one iterator for all, as in training; both domains count."""
    experiment = experiment_of(
        job, source=job.folder, cache=job.cache, crop_size_px=256, load_size_px=286
    )
    feed, _ = training_data.open_training_data(experiment, RunDirectory(Path(job.target)).cache)
    order = feed.order
    batches = iter(training_dataset(feed.cache_x, feed.cache_y, order, feed.transform, 0, 10**6))

    def run() -> dict[str, float]:
        # It reads ahead while others are measured: what it holds ready must not count.
        for _ in range(READ_AHEAD):
            next(batches)
        start = time.perf_counter()
        for _ in range(order.steps_per_epoch):
            next(batches)
        return {
            "seconds": time.perf_counter() - start,
            "images": 2 * order.steps_per_epoch * order.batch_size,
        }

    return run


def draw_images(folder: Path, count: int, size_px: int) -> None:
    """Write JPEGs to trainA and trainB: the demo's scenes, with grain.

    Args:
      folder: to write into.
      count: images of each domain.
      size_px: their side.
    """
    rng = np.random.default_rng(0)
    domains: list[tuple[Literal["x", "y"], str]] = [("x", "trainA"), ("y", "trainB")]
    for domain, name in domains:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            drawn = demo.train_image(domain, index, size_px).astype(np.float32)
            grainy = np.clip(drawn + rng.normal(0, NOISE, drawn.shape), 0, 255).astype(np.uint8)
            image_io.save(folder / name / f"{index:04d}.jpg", grainy)


def count_macs(job: Job) -> Macs:
    """Multiply-accumulates of the job's networks for one image of its size."""
    experiment = experiment_of(job)
    counts = []
    for network in (
        assembly.build_generator(experiment, "xy"),
        assembly.build_discriminator(experiment, "x"),
    ):
        first = next(layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D))
        outputs = (job.size_px // first.strides[0]) ** 2
        macs = graph.count_macs(network, job.size_px)
        assert macs is not None
        counts += [macs.performed, outputs * int(np.prod(first.kernel.shape))]
    return Macs(*counts)
