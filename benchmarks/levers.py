"""What each lever of our training step gives: the step as it is, and with one lever at a time taken
away.

    python benchmarks/levers.py [--out runs/bench] [--size_px 128] [--precision bfloat16] [--rounds
    5] [--only NAME,...]

One process; each variant takes turns with the step as it is, round after round, on the same made-up
batch, and is then dropped, so that neither a busy minute of the machine nor memory decides. A
variant is made by putting the plain way back for as long as its graph is traced.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import cyclegan_tf.cli  # noqa: F401  sets TensorFlow's environment, so it comes first

# isort: split
import inputs
import keras
import machine
import tensorflow as tf
from jobs import Job
from peers import ours

from cyclegan_tf.model import cyclegan as model
from cyclegan_tf.model import gradients, optimizers
from cyclegan_tf.networks import builders as networks
from cyclegan_tf.networks import convolutions, layers

LayerCall = Callable[[], float]
STEPS_AT_ONCE = 4


def _apart(network, batches, training, recompute=False):
    """`together`, each batch in a call of its own."""
    return [
        None if b is None else gradients.together(network, [b], training, recompute)[0]
        for b in batches
    ]


class _ReadEachTime(gradients.CachedWeights):
    """Weights that every call reads, and casts, for itself."""

    def __init__(self, networks, tape, states=()):  # noqa: ARG002  states are assigned where they are drawn
        self.variables = [
            variable for network in networks for variable in network.trainable_variables
        ]
        self.tensors = [variable.value for variable in self.variables]
        tape.watch(self.tensors)

    @contextlib.contextmanager
    def used(self):
        yield


_conv = networks._Parts.conv


def _relu_first(self, x, name, *args, relu=None, **kwargs):
    return _conv(self, self.relu(x, relu) if relu else x, name, *args, **kwargs)


@contextlib.contextmanager
def _without_remapper() -> Iterator[None]:
    tf.config.optimizer.set_experimental_options({"remapping": False})
    yield
    tf.config.optimizer.set_experimental_options({"remapping": True})


def _patch(
    owner: object, name: str, new: object
) -> Callable[[], contextlib.AbstractContextManager]:
    return lambda: mock.patch.object(owner, name, new)


# What is taken away -> how.
TAKEN_AWAY: dict[str, Callable[[], contextlib.AbstractContextManager]] = {
    "nothing": contextlib.nullcontext,
    "batches together in one call": _patch(model, "together", _apart),
    "instance norm by the fused kernel": _patch(
        layers.InstanceNormalization, "_fused", layers.InstanceNormalization._plain
    ),
    "weights read and cast once": _patch(model, "CachedWeights", _ReadEachTime),
    "fused Adam": _patch(optimizers.FusedAdam, "update_step", keras.optimizers.Adam.update_step),
    "filter gradients as matrix products": _patch(
        convolutions.Convolution2D, "_products_pay", lambda *_: False
    ),
    "reflection padding of our own": _patch(
        layers, "_mirrored_once", lambda x: tf.pad(x, layers._paddings(1, 1), "REFLECT")
    ),
    "gradient of the crop as one padding": _patch(
        convolutions.CropFirst2D, "call", lambda self, x, **_: keras.layers.Cropping2D.call(self, x)
    ),
    "ReLU after the padding": _patch(networks._Parts, "conv", _relu_first),
    "TensorFlow's fusing (remapper)": _without_remapper,
}
ADDED = ("recompute", "several steps per call", "XLA")


def build(name: str, job: Job) -> tuple[LayerCall, float]:
    """A step of the variant, traced and run once, and the seconds that took; the step returns a
    loss."""
    start = time.perf_counter()
    with TAKEN_AWAY.get(name, contextlib.nullcontext)():
        gan = ours.build(job)
        gan.recompute = name == "recompute"
        batch = tuple(
            tf.constant(images) for images in inputs.batch(job.size_px, job.batch, job.seed)
        )
        one = tf.function(gan.train_step, autograph=False, jit_compile=name == "XLA")

        def many(x: tf.Tensor, y: tf.Tensor) -> dict[str, tf.Tensor]:
            for _ in range(STEPS_AT_ONCE - 1):
                gan.train_step((x, y))
            return gan.train_step((x, y))

        run = (
            tf.function(many, autograph=False)
            if name == "several steps per call"
            else lambda x, y: one((x, y))
        )

        def step() -> float:
            return sum(float(value) for value in run(*batch).values())

        step()
    return step, time.perf_counter() - start


def measure(job: Job, names: list[str], rounds: int) -> Iterator[dict]:
    """One row per variant: seconds per step with and without, their ratio round by round, seconds
    to the first step."""
    as_it_is, _ = build("nothing", job)
    as_it_is()
    for name in names:
        try:
            variant, first = build(name, job)
            variant()
            times = [(_seconds(as_it_is), _seconds(variant, name)) for _ in range(rounds)]
        except Exception as error:  # a variant that does not run is a result too
            yield {"variant": name, "error": " ".join(str(error).split())[:200]}
            continue
        ratios = sorted(changed / plain for plain, changed in times)
        yield {
            "variant": name,
            "as_it_is_s": statistics.median(plain for plain, _ in times),
            "changed_s": statistics.median(changed for _, changed in times),
            "ratio": statistics.median(ratios),
            "ratio_least": ratios[0],
            "ratio_most": ratios[-1],
            "first_s": first,
        }
        del variant
        gc.collect()


def _seconds(step: LayerCall, name: str = "") -> float:
    start = time.perf_counter()
    step()
    return (time.perf_counter() - start) / (
        STEPS_AT_ONCE if name == "several steps per call" else 1
    )


HEAD = (
    "| variant | ms per step | as it is, in turn | ratio, median (least-most) | s to first step |"
)
HEAD += "\n|---|---|---|---|---|"


def line(row: dict) -> str:
    """A row of the Markdown table; a ratio above 1 is what the lever gives, or what the addition
    costs."""
    name = ("with " if row["variant"] in ADDED else "without ") + row["variant"]
    if "error" in row:
        return f"| {name} | does not run: {row['error']} | | | |"
    ratio = f"{row['ratio']:.3f} ({row['ratio_least']:.3f}-{row['ratio_most']:.3f})"
    return f"| {name} | {1e3 * row['changed_s']:.0f} | {1e3 * row['as_it_is_s']:.0f} | {ratio} | {row['first_s']:.0f} |"


def main() -> int:
    """Measures, prints, writes levers-PRECISION-SIZE.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--size_px", type=int, default=128)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--precision", choices=["auto", "float32", "bfloat16"], default="auto")
    parser.add_argument("--filters", type=int, default=64)
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument(
        "--only", type=lambda text: text.split(","), help="some of the variants, by name"
    )
    arguments = parser.parse_args()
    job = Job(
        "step", precision=arguments.precision, size_px=arguments.size_px, batch=arguments.batch,
        filters=arguments.filters, blocks=arguments.blocks,
    )  # fmt: skip
    rows = []
    print(HEAD, flush=True)
    for row in measure(job, arguments.only or [*list(TAKEN_AWAY)[1:], *ADDED], arguments.rounds):
        rows.append(row)
        print(line(row), flush=True)
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / f"levers-{arguments.precision}-{arguments.size_px}.json"
    path.write_text(
        json.dumps({"machine": machine.describe(), "rows": rows}, indent=1) + "\n", encoding="utf-8"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
