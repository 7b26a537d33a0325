"""Check that the whole training step compiles by XLA, and says what the plain step says.

    python -m benchmarks.quality.compiled                  # about twelve minutes on two cores
    python -m benchmarks.quality.compiled --only float16,unet
    python -m benchmarks.quality.compiled --routes gpu     # the graph that a GPU is given

Each variant makes some steps with its moving averages and pools twice from one start, by
TensorFlow's kernels and compiled, on this machine's processor. Compared are all logged values of
each step, relative to their size, and every variable at the end, relative to its largest; running
means and Adam's moments are left out, since the values show them. `--routes gpu` gives the
compiled step the layers' routes for a GPU, as `training.jit auto` does there. The exit status is 1
where one variant does not compile, or differs by more than its bound.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import numpy as np
import tensorflow as tf

from cyclegan_tf import assembly
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.devices import hardware
from cyclegan_tf.devices.strategy import DistributionContext
from cyclegan_tf.runs import state
from cyclegan_tf.train.device_steps import DeviceSteps

STEPS = 3
BOUNDS = {"float32": 2e-3, "bfloat16": 6e-2, "float16": 2e-2}
"""Of a logged value; kinks of ReLU and |x| magnify rounding, which differs in fused operations."""

BOUNDS_OF_VARIABLES = {"float32": 1e-2, "bfloat16": 0.1, "float16": 0.1}
"""Of a variable; the pools hold what the networks made, rounded."""

_LOGGED = "tracker/"
_STEPPED = "accuracy"
"""One patch of a few dozen may lie on the threshold."""

_RECOMPUTED = {"gradient_checkpointing": True}
_WGANGP = {"gan_mode": "wgangp"}
_PAIRS: dict[str, dict[str, Any]] = {
    "data": {"pairs": "auto"},
    "discriminator": {"conditional": True},
}
_UNET = {"architecture": "unet_128", "blocks": None}
_SMALL: dict[str, dict[str, Any]] = {
    "generator": {"architecture": "resnet_6blocks", "blocks": 1, "filters": 4},
    "discriminator": {"filters": 4, "n_layers": 2},
    # With the paper's epsilon Adam moves a weight whose gradient is rounding by its whole rate.
    "optimizer": {"learning_rate": 2e-5, "epsilon": 1e-3},
    "training": {"pool_size_images": 3, "ema_half_life_images": 8},
}


@dataclass(frozen=True)
class Variant:
    """One experiment; sections are laid over a small one.

    Attributes:
      name: in the table.
      precision: of the networks.
      batch: images of each domain per step.
      size_px: side of the images.
      sections: fields by section.
      draws_fractions: whether the step draws random fractions, which XLA makes otherwise from the
        same bits: then only finite values are asked for.

    Example:
      >>> Variant("batch 4", batch=4).experiment().data.batch_size
      4
    """

    name: str
    precision: str = "float32"
    batch: int = 1
    size_px: int = 32
    sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    draws_fractions: bool = False

    def experiment(self) -> Experiment:
        """The experiment that it is."""
        data = {"batch_size": self.batch, "crop_size_px": self.size_px}
        sections = {**self.sections, "data": data | self.sections.get("data", {})}
        names = {**_SMALL, **sections}
        return Experiment.from_dict(
            {name: _SMALL.get(name, {}) | sections.get(name, {}) for name in names}
        )


def changed(name: str, section: str, precision: str = "float32", **fields: Any) -> Variant:
    """A variant by fields of one section."""
    return Variant(name, precision, sections={section: fields})


VARIANTS = (
    *(Variant(name, name) for name in BOUNDS),
    *(
        Variant(f"{name}, recomputed", name, 2, sections={"training": _RECOMPUTED})
        for name in BOUNDS
    ),
    Variant("batch 4", batch=4),
    changed("products of 64 channels", "generator", filters=32),
    changed("vanilla", "loss", gan_mode="vanilla"),
    Variant("wgangp", sections={"loss": _WGANGP}, draws_fractions=True),
    Variant("wgangp, bfloat16", "bfloat16", sections={"loss": _WGANGP}, draws_fractions=True),
    Variant("conditional pairs", sections=_PAIRS),
    changed("several steps in one call", "training", steps_per_call=STEPS),
    changed("no pool", "training", pool_size_images=0),
    changed("resize", "generator", upsampling="resize"),
    changed("antialiased", "generator", upsampling="antialiased"),
    changed("batch normalization", "generator", norm="batch"),
    changed("batch normalization of discriminators", "discriminator", norm="batch"),
    changed("affine", "generator", norm_affine=True),
    Variant("dropout", sections={"generator": {"dropout": True}}, draws_fractions=True),
    changed("color skip and long skips", "generator", color_skip="on", long_skips="on"),
    changed("fast_style", "generator", architecture="fast_style"),
    changed("pixel discriminator", "discriminator", architecture="pixel"),
    Variant("unet_128", size_px=128, sections={"generator": _UNET}),
)


def batches(experiment: Experiment) -> list[tuple[tf.Tensor, ...]]:
    """Smooth random images, the same every time."""
    rng = np.random.default_rng(3)
    size, count = experiment.data.crop_size_px, experiment.data.batch_size

    def images() -> tf.Tensor:
        small = rng.normal(size=(count, 5, 5, 3)).astype(np.float32)
        return tf.tanh(tf.image.resize(small, (size, size), "bicubic"))

    return [(images(), images()) for _ in range(STEPS)]


@contextlib.contextmanager
def routes_of(device: str) -> Iterator[None]:
    """The layers take the routes of a "gpu", or those of this machine."""
    if device == "gpu":
        with mock.patch.object(hardware, "has_gpu", return_value=True):
            yield
    else:
        yield


def run(variant: Variant, jit: bool) -> tuple[list[dict[str, float]], dict[str, np.ndarray]]:
    """Makes the steps; returns the logged values of each, and every variable at the end."""
    experiment = variant.experiment()
    model = assembly.build_model(experiment, hardware.POLICIES[variant.precision], jit)
    averages, variables = assembly.build_averages(model, experiment), state.variables(model)
    if averages is not None:
        variables |= averages.variables()
    per_call = experiment.training.steps_per_call
    steps, shown = DeviceSteps(model, averages, DistributionContext(), per_call), []
    given = iter(batches(experiment))
    for _ in range(STEPS // per_call):
        steps.run(given, per_call)
        shown.append(steps.values())
    return shown, state.snapshot(variables | state.variables(model))


def differences(variant: Variant, routes: str = "cpu") -> tuple[float, float]:
    """Returns the largest difference of a logged value and of a variable, each relative."""
    with routes_of(routes):
        found, compiled = run(variant, True)
    expected, plain = run(variant, False)
    if variant.draws_fractions:
        is_finite = all(np.isfinite(list(row.values())).all() for row in found)
        return (0.0 if is_finite else float("nan")), 0.0
    values = max(
        abs(found[i][name] - value) / max(abs(value), 1e-2)
        for i, row in enumerate(expected)
        for name, value in row.items()
        if not name.startswith(_STEPPED)
    )
    assert set(plain) == set(compiled)
    variables = max(
        float(np.abs(compiled[name] - array).max(initial=0)) / max(float(np.abs(array).max()), 0.02)
        for name, array in plain.items()
        if array.dtype == np.float32 and not name.startswith(_LOGGED) and "optimizer" not in name
    )
    counters = [n for n, a in plain.items() if a.dtype != np.float32 and (a != compiled[n]).any()]
    return (float("inf") if counters else values), variables


def main() -> int:
    """Compares all variants; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="parts of names, by commas")
    parser.add_argument("--routes", choices=("cpu", "gpu"), default="cpu")
    options = parser.parse_args()
    wanted = options.only.split(",")
    print("| variant | logged values | variables | s | |\n|---|---|---|---|---|")
    failed = 0
    for variant in VARIANTS:
        if not any(part in variant.name for part in wanted):
            continue
        began = time.perf_counter()
        try:
            values, variables = differences(variant, options.routes)
            is_good = (
                values <= BOUNDS[variant.precision]
                and variables <= BOUNDS_OF_VARIABLES[variant.precision]
            )
            text = f"{values:.1e} | {variables:.1e}"
        except (tf.errors.OpError, ValueError) as error:
            is_good, text = False, f"{type(error).__name__}: {' '.join(str(error).split())[:200]} |"
        failed += not is_good
        said = "" if is_good else "FAILED"
        print(
            f"| {variant.name} | {text} | {time.perf_counter() - began:.0f} | {said} |", flush=True
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
