"""The .tflite files in LiteRT on this CPU: ways to write a network, and every architecture.

    python -m benchmarks.deploy.phone [--out runs/bench] [--size_px 256] [--rounds 11]

Two threads, one process; contenders take turns, round after round. First the paper's generator in
float32, written with each of the operations that were tried, beside TensorFlow and eager PyTorch.
Then each architecture: parameters, multiply-accumulates, file sizes, latency of the variants.
Weights are random: latency does not depend on them.
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
from typing import Any, cast
from unittest import mock

import keras
import numpy as np
import tensorflow as tf
import torch

from benchmarks import machine
from benchmarks.peers import torch_cyclegan
from cyclegan_tf.export.formats import VARIANTS, Variant
from cyclegan_tf.export.litert import mobile_network as phone
from cyclegan_tf.export.litert.converter import Converter
from cyclegan_tf.export.litert.runtime import THREADS, LiteRTModel, delegated_share
from cyclegan_tf.inspect import graph
from cyclegan_tf.networks import builders as networks
from cyclegan_tf.networks.convolutions import Convolution2D
from cyclegan_tf.networks.layers import ReflectionPadding2D

Call = Callable[[], object]
PAPER: dict[str, Any] = {"filters": 64, "blocks": 9}
ARCHITECTURES: dict[str, dict[str, Any]] = {
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
WAYS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "MIRROR_PAD, convolutions whole": ({}, ["padding", "ends"]),
    "slices and concatenations": ({}, ["ends"]),
    "the same, end convolutions split (exported)": ({}, []),
    "the same, resize and convolution for transposed (another network)": (
        {"upsampling": "resize"},
        [],
    ),
}
_PATCHES = {
    "padding": lambda: mock.patch.object(phone._SlicedPadding, "call", _mirror),
    "ends": lambda: mock.patch.object(phone._SplitConvolution, "call", _whole),
}


def in_turns(calls: dict[str, Call], rounds: int) -> dict[str, dict[str, float]]:
    """Median, least and most milliseconds of each call, after one uncounted call."""
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


def litert(network: keras.Model, size_px: int, variant: Variant = "float32") -> tuple[bytes, Call]:
    """Convert a network; return the file and a call of it on one made-up image.

    Args:
      network: a generator.
      size_px: side of the image.
      variant: of the file.
    """
    rng = np.random.default_rng(0)
    model = Converter(
        network, size_px, lambda: rng.uniform(-1, 1, (2, size_px, size_px, 3)).astype(np.float32)
    )
    data = model.convert(variant)
    run, image = LiteRTModel(data), rng.uniform(-1, 1, (1, size_px, size_px, 3)).astype(np.float32)
    return data, lambda: run(image)


def ways(size_px: int, rounds: int) -> dict[str, dict[str, float | None]]:
    """Time the paper's generator, written in several ways."""
    calls: dict[str, Call] = {}
    shares = {}
    for name, (options, put_back) in WAYS.items():
        with contextlib.ExitStack() as stack:
            for patch in put_back:
                stack.enter_context(_PATCHES[patch]())
            network = networks.build_generator("resnet_9blocks", seed=0, **PAPER, **options)
            data, calls[name] = litert(network, size_px)
            shares[name] = delegated_share(data)
    network = networks.build_generator("resnet_9blocks", seed=0, **PAPER)
    image = tf.zeros((1, size_px, size_px, 3))
    graph = tf.function(lambda batch: network(batch, training=False), autograph=False)
    calls["TensorFlow, the Keras network"] = lambda: graph(image).numpy()
    eager, tensor = torch_cyclegan.generator(**PAPER).eval(), torch.zeros(1, 3, size_px, size_px)

    def by_torch() -> None:
        with torch.inference_mode():
            eager(tensor)

    calls["PyTorch, eager"] = by_torch
    return {
        name: {**row, "delegated": shares.get(name)}
        for name, row in in_turns(calls, rounds).items()
    }


def architectures(size_px: int, rounds: int) -> dict[str, dict]:
    """Time every architecture in every variant."""
    rows = {}
    for name, options in ARCHITECTURES.items():
        kind = cast(Any, name.split(",")[0])
        network = networks.build_generator(kind, seed=0, **options)
        macs = graph.count_macs(network, size_px)
        assert macs is not None
        files: dict[str, int] = {}
        calls: dict[str, Call] = {}
        for variant in VARIANTS:
            data, calls[variant] = litert(network, size_px, variant)
            files[variant] = len(data)
        rows[name] = {
            "parameters": network.count_params(),
            "macs": macs.performed,
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


def main(argv: list[str] | None = None) -> int:
    """Measure, print, write phone.json."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/bench"))
    parser.add_argument("--size_px", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=11)
    arguments = parser.parse_args(argv)
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
