"""How training gains by more machines: two processes on this one measured, larger clusters
estimated from that.

    python benchmarks/scaling.py --crop 128 --filters 64 --blocks 9 --batch 1 --steps 20

One process alone on one core, then two processes on one core each, with the same images per
process: weak scaling. Every process is the training command itself. Bytes are counted from the
  variables and from the pool's images, and
beside that read from the loopback interface. Quiet machines only: any other load lands in the
  efficiency.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

if not __package__:  # run as a file
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.machine import describe

WARM_STEPS = 5
"""Left out of the speed: tracing, and reading images for the first time."""


def step_bytes(weights: int, replicas: int, images: int, image_bytes: int) -> float:
    """What one replica sends in one step by ring algorithms (Patarasuk and Yuan 2009).

    Args:
      weights: float32 numbers whose gradients are reduced.
      replicas: all of them.
      images: of both domains together in the global batch, gathered for the pools; 0 without pools.
      image_bytes: of one, in float32.
    """
    reduced = 2 * (replicas - 1) / replicas * 4 * weights
    all_gather = (replicas - 1) / replicas * images * image_bytes
    return reduced + all_gather


def efficiency(
    compute_seconds: float, bytes_sent: float, bytes_per_second: float, latency_seconds: float
) -> float:
    """Share of a step that computes, if nothing that travels overlaps with it: a lower bound."""
    return compute_seconds / (compute_seconds + bytes_sent / bytes_per_second + latency_seconds)


def estimate(
    facts: dict, replicas: int, bytes_per_second: float, latency_seconds: float = 20e-6
) -> float:
    """Efficiency of `replicas` from what was measured on one.

    Args:
      facts: of `measure`.
      replicas: one for each machine.
      bytes_per_second: of the link between machines.
      latency_seconds: of one message; a ring of R passes 2 (R - 1) of them, for the reductions and
        the gathering of both networks' halves of a step, and for the agreement before it.
    """
    sent = step_bytes(
        facts["weights"], replicas, 2 * facts["batch"] * replicas, facts["image_bytes"]
    )
    return efficiency(
        facts["seconds_alone"], sent, bytes_per_second, 5 * 2 * (replicas - 1) * latency_seconds
    )


def write_images(folder: Path, size: int, count: int) -> None:
    """Random smooth images in the layout of the data sets."""
    rng = np.random.default_rng(3)
    for name in ("trainA", "trainB"):
        (folder / name).mkdir(parents=True)
        for index in range(count):
            small = Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8))
            small.resize((size, size), Image.Resampling.BICUBIC).save(
                folder / name / f"{index}.png"
            )


def command(options: argparse.Namespace, source: Path, run: Path, batch: int) -> list[str]:
    """The training command."""
    last = WARM_STEPS + options.steps
    return [
        sys.executable, "-m", "cyclegan_tf.train", f"--data.source={source}", f"--run_dir={run}",
        f"--data.crop_size_px={options.crop}", f"--data.load_size_px={options.crop}",
        f"--data.batch_size={batch}",
        f"--generator.filters={options.filters}", f"--generator.blocks={options.blocks}",
        f"--discriminator.filters={options.filters}", f"--training.precision={options.precision}",
        f"--training.max_steps={last}", "--logging.log_every_steps=1",
        "--logging.score_every_epochs=0",
        "--logging.sample_every_steps=1000000", "--logging.test_every_epochs=1000000",
    ]  # fmt: skip


def start(
    words: list[str], log: Path, core: int, cluster: list[str] | None = None, number: int = 0
):
    """One process on one core."""
    known = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    known.pop("TF_CONFIG", None)
    if cluster:
        task = {"type": "worker", "index": number}
        known["TF_CONFIG"] = json.dumps({"cluster": {"worker": cluster}, "task": task})
    with log.open("w") as file:
        return subprocess.Popen(
            ["taskset", "-c", str(core), *words], stdout=file, stderr=subprocess.STDOUT, env=known
        )


def finish(processes: list, logs: list[Path]) -> None:
    """Waits; a process that failed shows what it said."""
    for process, log in zip(processes, logs, strict=True):
        if process.wait():
            for other in processes:
                other.kill()
            raise SystemExit(log.read_text()[-3000:])


def seconds_per_step(run: Path) -> float:
    """Median over the steps after the first few."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    speeds = [
        row["steps_per_second"]
        for row in rows
        if row["kind"] == "train" and row["step"] > WARM_STEPS
    ]
    return 1 / float(np.median(speeds))


def count_weights(run: Path) -> int:
    """Float32 numbers that both optimizers train: each has two moments of the size of its
    weight."""
    newest = max((run / "checkpoints").glob("*.npz"))
    with np.load(newest) as archive:
        return sum(archive[name].size for name in archive.files if name.endswith("_momentum"))


def loopback_bytes() -> int:
    """Sent over the loopback interface so far; 0 where the system does not tell."""
    try:
        return int(Path("/sys/class/net/lo/statistics/tx_bytes").read_text())
    except OSError:
        return 0


def measure(options: argparse.Namespace) -> dict:
    """Runs one process, then two."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_images(root / "images", options.crop, 8 * options.batch)
        alone, log = root / "alone", root / "log"
        finish([start(command(options, root / "images", alone, options.batch), log, 0)], [log])
        sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        cluster = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
        for one in sockets:
            one.close()
        logs, before = [root / f"log{number}" for number in (0, 1)], loopback_bytes()
        words = command(options, root / "images", root / "two", 2 * options.batch)
        finish(
            [start(words, log, number, cluster, number) for number, log in enumerate(logs)], logs
        )
        steps = WARM_STEPS + options.steps
        return {
            "seconds_alone": seconds_per_step(alone),
            "seconds_of_two": seconds_per_step(root / "two"),
            "weights": count_weights(alone),
            "batch": options.batch,
            "image_bytes": 4 * 3 * options.crop**2,
            "loopback_bytes_per_step": (loopback_bytes() - before) / steps,
        }


def report(facts: dict) -> str:
    """What was measured, and what follows for larger clusters, as Markdown."""
    counted = 2 * step_bytes(facts["weights"], 2, 4 * facts["batch"], facts["image_bytes"])
    lines = [
        f"- one process on one core: {facts['seconds_alone']:.3f} s per step; two processes: "
        f"{facts['seconds_of_two']:.3f} s, an efficiency of "
        f"{facts['seconds_alone'] / facts['seconds_of_two']:.0%}",
        f"- {facts['weights'] / 1e6:.2f} million weights; counted {counted / 1e6:.1f} MB per step "
        "by both processes together, seen on the loopback interface "
        f"{facts['loopback_bytes_per_step'] / 1e6:.1f} MB (with headers, the chief's state at the "
        "start and whatever else used it)",
        "",
        "| link | 2 | 8 | 64 |",
        "|---|---|---|---|",
    ]
    for name, speed in (("1 Gbit/s", 0.125e9), ("10 Gbit/s", 1.25e9), ("100 Gbit/s", 12.5e9)):
        shares = " | ".join(f"{estimate(facts, replicas, speed):.0%}" for replicas in (2, 8, 64))
        lines.append(f"| {name} | {shares} |")
    return "\n".join(lines)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, value in (("crop", 128), ("filters", 64), ("blocks", 9), ("batch", 1), ("steps", 20)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--precision", default="auto")
    options = parser.parse_args()
    facts = measure(options)
    print(json.dumps({**vars(options), **facts, "machine": describe()}))
    print(report(facts))


if __name__ == "__main__":
    main()
