"""The .tflite files in LiteRT on this CPU: ways of writing the same network, and every
architecture.

    python benchmarks/phone.py [--out runs/bench] [--size_px 256] [--rounds 11]

Two threads, one process; contenders take turns, round after round. First the paper's generator in
float32, written
with each of the operations that were tried, beside TensorFlow and eager PyTorch. Then each
architecture: parameters, multiply-accumulates, file sizes, latency of the variants. Weights are
  random: latency does not depend on them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import cyclegan_tf.cli  # noqa: F401  sets TensorFlow's environment, so it comes first

# isort: split
import keras
import machine
import numpy as np
import tensorflow as tf
import torch
from peers import torch_cyclegan

from cyclegan_tf.export.formats import VARIANTS
from cyclegan_tf.export.litert import mobile_network as phone
from cyclegan_tf.export.litert.converter import Converter
from cyclegan_tf.export.litert.runtime import THREADS, LiteRTModel, delegated_share
from cyclegan_tf.inspect import graph
from cyclegan_tf.networks import builders as networks
from cyclegan_tf.networks.convolutions import Convolution2D
from cyclegan_tf.networks.layers import ReflectionPadding2D

Call = Callable[[], object]
ARCHITECTURES = {
    "resnet_9blocks": {},
    "resnet_6blocks": {},
    "resnet_6blocks, 32 filters": {"filters": 32},
    "fast_style": {},
    "fast_style, 16 filters": {"filters": 16},
    "unet_256": {},
}


def _mirror(self, inputs, training=False):
    return ReflectionPadding2D.call(self, inputs, training)


def _whole(self, inputs, training=False):
    return Convolution2D.call(self, inputs, training)


# How the network is written -> (options of the generator, what is put back).
WAYS = {
    "MIRROR_PAD, convolutions whole": ({}, ["pad", "ends"]),
    "slices and concatenations": ({}, ["ends"]),
    "the same, end convolutions split (exported)": ({}, []),
    "the same, resize and convolution for transposed (another network)": (
        {"upsampling": "resize"},
        [],
    ),
}
_PATCHES = {
    "pad": lambda: mock.patch.object(phone._SlicedPadding, "call", _mirror),
    "ends": lambda: mock.patch.object(phone._SplitConvolution, "call", _whole),
}


def in_turns(calls: dict[str, Call], rounds: int) -> dict[str, dict[str, float]]:
    """Median, least and most milliseconds of each call, one uncounted call before."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for count in range(rounds + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            times[name] += [1e3 * (time.perf_counter() - start)] if count else []
    return {
        name: {"ms": statistics.median(some), "least": min(some), "most": max(some)}
        for name, some in times.items()
    }


def litert(network: keras.Model, size_px: int, variant: str = "float32") -> tuple[bytes, Call]:
    """A converted file and a call of it on one made-up image."""
    rng = np.random.default_rng(0)
    model = Converter(
        network, size_px, lambda: rng.uniform(-1, 1, (2, size_px, size_px, 3)).astype(np.float32)
    )
    data = model.convert(variant)
    run, image = LiteRTModel(data), rng.uniform(-1, 1, (1, size_px, size_px, 3)).astype(np.float32)
    return data, lambda: run(image)


def ways(size_px: int, rounds: int) -> dict[str, dict[str, float]]:
    """The paper's generator, written in several ways."""
    calls: dict[str, Call] = {}
    shares = {}
    for name, (options, put_back) in WAYS.items():
        with contextlib.ExitStack() as stack:
            for patch in put_back:
                stack.enter_context(_PATCHES[patch]())
            data, calls[name] = litert(
                networks.build_generator("resnet_9blocks", seed=0, **options), size_px
            )
            shares[name] = delegated_share(data)
    network, image = (
        networks.build_generator("resnet_9blocks", seed=0),
        tf.zeros((1, size_px, size_px, 3)),
    )
    graph = tf.function(lambda batch: network(batch, training=False), autograph=False)
    calls["TensorFlow, the Keras network"] = lambda: graph(image).numpy()
    eager, tensor = torch_cyclegan.generator().eval(), torch.zeros(1, 3, size_px, size_px)

    def by_torch() -> None:
        with torch.inference_mode():
            eager(tensor)

    calls["PyTorch, eager"] = by_torch
    return {
        name: {**row, "delegated": shares.get(name)}
        for name, row in in_turns(calls, rounds).items()
    }


def architectures(size_px: int, rounds: int) -> dict[str, dict]:
    """Every architecture in every variant."""
    rows = {}
    for name, options in ARCHITECTURES.items():
        network = networks.build_generator(name.split(",")[0], seed=0, **options)
        files, calls = {}, {}
        for variant in VARIANTS:
            data, calls[variant] = litert(network, size_px, variant)
            files[variant] = len(data)
        rows[name] = {
            "parameters": network.count_params(),
            "macs": graph.count_macs(network, size_px).performed,
            "bytes": files,
            "ms": {variant: row["ms"] for variant, row in in_turns(calls, rounds).items()},
        }
    return rows


def tables(found: dict) -> str:
    """Both tables in Markdown."""
    lines = [
        "| 9 blocks, 64 filters, float32 | ms, median (least-most) | in XNNPACK |",
        "|---|---|---|",
    ]
    for name, row in found["ways"].items():
        share = "" if row["delegated"] is None else f"{row['delegated']:.0%}"
        lines.append(
            f"| {name} | {row['ms']:.0f} ({row['least']:.0f}-{row['most']:.0f}) | {share} |"
        )
    lines += [
        "",
        "| architecture | parameters | GMAC | "
        + " | ".join(f"{v}: ms, MB" for v in VARIANTS)
        + " |",
    ]
    lines.append("|---" * (3 + len(VARIANTS)) + "|")
    for name, row in found["architectures"].items():
        cells = [f"{row['ms'][v]:.0f}, {row['bytes'][v] / 1e6:.1f}" for v in VARIANTS]
        lines.append(
            f"| {name} | {row['parameters'] / 1e6:.2f} M | {row['macs'] / 1e9:.1f} | "
            + " | ".join(cells)
            + " |"
        )
    return "\n".join(lines)


def main() -> int:
    """Measures, prints, writes phone.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--size_px", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=11)
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    found = {
        "machine": machine.describe(),
        "size_px": arguments.size_px,
        "ways": ways(arguments.size_px, arguments.rounds),
        "architectures": architectures(arguments.size_px, arguments.rounds),
    }
    print(tables(found))
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "phone.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
