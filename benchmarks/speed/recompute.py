"""Compare ways to recompute activations: none, ours, and `keras.RematScope`.

    python -m benchmarks.speed.recompute            # about three minutes on two free cores
    python -m benchmarks.speed.recompute --size_px 128 --steps 3

One generator, forward and backward, float32, batch 1; each way in a process of its own, one after
another. Printed are the median CPU time of a step, the peak memory above that before the first
step, and the largest difference of a gradient from the plain one.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WAYS = ("plain", "ours", "scope around layers", "scope around segments")


def main() -> int:
    """Runs all ways; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size_px", type=int, default=256)
    parser.add_argument("--steps", type=int, default=7)
    options = parser.parse_args()
    print("| way | CPU s per step | peak MiB above start | difference of gradients |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for way in WAYS:
            job = json.dumps([way, options.size_px, options.steps, folder])
            command = [sys.executable, "-m", "benchmarks.speed.recompute", "--job", job]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                errors = [line for line in done.stderr.splitlines() if "Error: " in line]
                print(f"| {way} | {errors[-1].strip() if errors else 'failed'} | | |")
            else:
                print(done.stdout.strip().splitlines()[-1])
    return 0


def run_job(way: str, size_px: int, steps: int, folder: str) -> None:
    """Measures one way and prints its row."""
    import numpy as np
    import tensorflow as tf

    call, weights = _built(way)

    @tf.function(autograph=False)
    def step(batch):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.abs(call(batch) - batch))
        return tape.gradient(loss, weights)

    values = np.random.default_rng(0).uniform(-1, 1, (1, size_px, size_px, 3))
    batch = tf.constant(values.astype(np.float32))
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(steps + 1):
        before = time.process_time()
        gradients = [gradient.numpy() for gradient in step(batch)]
        seconds.append(time.process_time() - before)
    peak = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) // 1024
    plain = Path(folder) / "plain.npz"
    if way == "plain":
        np.savez(plain, *gradients)
    with np.load(plain) as kept:
        pairs = zip(kept.values(), gradients, strict=True)
        difference = max(float(np.abs(one - other).max()) for one, other in pairs)
    print(f"| {way} | {statistics.median(seconds[1:]):.2f} | {peak} | {difference:.1e} |")


def _built(way: str):
    """The call of a generator, and its trainable values."""
    import keras

    from cyclegan_tf.model.recompute import rematerialized_call
    from cyclegan_tf.networks import build_generator, landmarks

    scope = keras.RematScope(mode="full")
    with scope if way == "scope around layers" else contextlib.nullcontext():
        network = build_generator("resnet_9blocks", seed=0)
    weights = [variable.value for variable in network.trainable_variables]
    if way == "ours":
        return lambda batch: rematerialized_call(network, batch, True), weights
    if way != "scope around segments":
        return lambda batch: network(batch, training=True), weights
    ends = [layer.output for layer in landmarks.block_ends(network)]
    bounds = [network.inputs[0], *ends, network.outputs[0]]
    with scope:
        segments = [keras.Model(a, b) for a, b in itertools.pairwise(bounds)]

    def call(batch):
        for segment in segments:
            batch = segment(batch, training=True)
        return batch

    return call, weights


if __name__ == "__main__":
    if sys.argv[1:2] == ["--job"]:
        run_job(*json.loads(sys.argv[2]))
    else:
        sys.exit(main())
