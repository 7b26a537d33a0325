"""Ours beside PyTorch on this machine's GPU: one command, a table and a chart.

    python -m benchmarks.speed.gpu [--out runs/gpu] [--minutes 12]
    python -m benchmarks.speed.gpu --cpu --small     # tries the program, on any machine

The training step at 256 px with the paper's networks, batch 1 and 8: ours in each precision with
and without XLA, PyTorch eager, channels last and compiled. Each row has a process of its own; no
step waits for the one before. Then the training command itself, fed from JPEG files, with what
nvidia-smi says of the GPU's use meanwhile; `cyclegan-tf doctor`, whose steps are held to the
processor's; and the card's floor: the step's operations at the rate of a large product, and the
bytes that Adam moves. What is measured is written to OUT/gpu.json at once; OUT/gpu.md and
OUT/gpu.png are the table and the chart. Rows that no time is left for are left out.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.speed.floor import Macs, step_flops
from benchmarks.speed.gpu_worker import Row
from benchmarks.speed.jobs import Job
from cyclegan_tf.atomic import write_text

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 900
FLOATS_OF_ADAM = 7
"""Adam reads weight, gradient and two moments, and writes all but the gradient."""

_SMI = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits", "-lms", "500"]


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/gpu"), help="folder (%(default)s)")
    parser.add_argument("--minutes", type=float, default=12.0, help="limit (%(default)g)")
    parser.add_argument("--cpu", action="store_true", help="on the processor")
    parser.add_argument("--small", action="store_true", help="tiny networks and images")
    return parser.parse_args(argv)


def rows(base: Job, steps: int, small: bool = False) -> list[Row]:
    """All rows, those first that say most."""

    def of(framework: str, precision: str, layout: str = "nhwc", **more: Any) -> Job:
        return replace(base, framework=framework, precision=precision, layout=layout, **more)

    found = [
        Row(of("ours", "bfloat16"), True, steps),
        Row(of("torch", "bfloat16", "nhwc"), steps=steps),
        Row(of("torch", "bfloat16", "nhwc", compiled=True), steps=steps),
        Row(of("ours", "bfloat16"), False, steps),
        Row(of("torch", "bfloat16", "nchw"), steps=steps),
        Row(of("torch", "float32", "nchw"), steps=steps),
        Row(of("ours", "float32"), True, steps),
        Row(of("ours", "bfloat16"), True, steps, steps_per_call=10),
        Row(of("ours", "float16"), True, steps),
        Row(of("ours", "float32"), False, steps),
        Row(of("ours", "float16"), False, steps),
    ]
    if small:
        return [found[3], found[4]]
    eight = [replace(row, job=replace(row.job, batch=8)) for row in found[:4]]
    return [*found[:4], *eight, *found[4:]]


class Comparison:
    """One run of the benchmark.

    Example:
      >>> comparison = Comparison(parse(["--cpu", "--small"]))
      >>> comparison.run()
      >>> print(comparison.table())

    Args:
      arguments: the command line.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments, self._began = arguments, time.monotonic()
        self.base = Job("step", size_px=256, device="cpu" if arguments.cpu else "cuda")
        if arguments.small:
            self.base = replace(self.base, size_px=32, filters=4, blocks=1)
        self.steps = 2 if arguments.small else 30
        self.results: dict[str, Any] = {"machine": machine.describe(), "job": asdict(self.base)}
        arguments.out.mkdir(parents=True, exist_ok=True)

    def run(self) -> None:
        """Measures all that there is time for."""
        self._note("doctor", self._doctor())
        self._note("rate", self._ask(Row(replace(self.base, kind="rate"))))
        self._note("floor", self._floor())
        self.results["rows"] = []
        for row in rows(self.base, self.steps, self.arguments.small):
            if self._left() > 0:
                said = {"what": row.name, "batch": row.job.batch, **self._ask(row)}
                self.results["rows"].append(said)
                self._note("last", said)
        if self._left() > 0:
            self._note("from_jpeg", self._from_jpeg())
        write_text(self.arguments.out / "gpu.md", self.table() + "\n")

    def _left(self) -> float:
        return 60 * self.arguments.minutes - (time.monotonic() - self._began)

    def _note(self, name: str, value: Any) -> None:
        self.results[name] = value
        print(f"{name}: {json.dumps(value)}"[:300], flush=True)
        text = json.dumps(self.results, indent=1) + "\n"
        write_text(self.arguments.out / "gpu.json", text)

    def _json(self, *words: str) -> dict[str, Any]:
        """The last line of a program's output, or why there is none."""
        limit = min(PATIENCE_S, max(self._left(), 60.0))
        try:
            done = subprocess.run(
                [sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True,
                timeout=limit, check=False,
            )  # fmt: skip
            return json.loads(done.stdout[done.stdout.index("{") :])
        except subprocess.TimeoutExpired:
            return {"error": f"no end within {limit:.0f} s"}
        except ValueError:
            return {"error": (done.stderr.strip().splitlines() or ["no output"])[-1][:300]}

    def _ask(self, row: Row) -> dict[str, Any]:
        return self._json("benchmarks.speed.gpu_worker", row.to_json())

    def _doctor(self) -> dict[str, Any]:
        seconds = "0" if self.arguments.small else "60"
        return self._json("cyclegan_tf.doctor", "--json", "--seconds", seconds)

    def _floor(self) -> dict[str, Any]:
        """The least seconds of a step of batch 1 and of batch 8 on this card."""
        counted = self._json("benchmarks.speed.gpu", "--macs", self.base.to_json())
        rate = self.results["rate"]
        if "error" in counted or "error" in rate:
            return {"error": counted.get("error") or rate["error"]}
        macs = Macs(**counted["macs"])
        adam = 4 * FLOATS_OF_ADAM * counted["parameters"] / rate["bytes_per_second"]
        return {
            str(batch): step_flops(macs, batch) / rate["flops_per_second"] + adam
            for batch in (1, 8)
        }

    def _from_jpeg(self) -> dict[str, Any]:
        """The training command on JPEG files: steps per second, and the GPU's use meanwhile."""
        size, steps = self.base.size_px, 10 if self.arguments.small else 300
        with tempfile.TemporaryDirectory() as folder, Use() as use:
            images = replace(self.base, kind="draw", folder=f"{folder}/images", batch=16)
            self._json("benchmarks.speed.gpu", "--draw", images.to_json())
            words = (
                f"--data.source {folder}/images --data.load_size_px {size + size // 8} "
                f"--data.crop_size_px {size} --generator.filters {self.base.filters} "
                f"--generator.blocks {self.base.blocks} --discriminator.filters "
                f"{self.base.filters} --training.max_steps {steps} --logging.log_every_steps "
                f"{steps // 2} --logging.score_every_epochs 0 --logging.sample_every_steps 100000 "
                f"--logging.test_every_epochs 100000 --data.cache off --run_dir {folder}/run"
            ).split()
            limit = max(self._left(), 120.0)
            try:
                done = subprocess.run(
                    [sys.executable, "-m", "cyclegan_tf.train", *words], cwd=ROOT,
                    capture_output=True, text=True, timeout=limit, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return {"error": f"no end within {limit:.0f} s"}
            if done.returncode:
                return {"error": done.stderr.strip()[-300:]}
            lines = Path(folder, "run", "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [row for row in map(json.loads, lines) if row["kind"] == "train"]
        return {"s_per_step": 1 / rows[-1]["steps_per_second"], "gpu_busy_percent": use.busy()}

    def table(self) -> str:
        """All rows as Markdown; times of a step in milliseconds."""
        floor = self.results.get("floor", {})
        gpus = self.results["doctor"].get("gpus", {}).get("driver_knows") or [{}]
        name = "" if self.arguments.cpu else gpus[0].get("name", "")
        about = self.results["machine"]
        lines = [
            f"{name or about['cpu']}, {about['date'][:10]}, {self.base.size_px} px, "
            f"{self.base.blocks} blocks of {self.base.filters} filters",
            "",
            "| | batch | ms per step | over the floor | first step, s | peak GiB |",
            "|---|---|---|---|---|---|",
        ]
        for row in self.results.get("rows", []):
            if "error" in row:
                lines.append(f"| {row['what']} | {row['batch']} | {row['error']} | | | |")
                continue
            least = floor.get(str(row["batch"]))
            over = f"{row['s_per_step'] / least:.1f}" if least else ""
            held = f"{row['peak_bytes'] / 2**30:.2f}" if row["peak_bytes"] else ""
            lines.append(
                f"| {row['what']} | {row['batch']} | {1e3 * row['s_per_step']:.1f} | {over} | "
                f"{row['s_first']:.1f} | {held} |"
            )
        fed = self.results.get("from_jpeg", {})
        if "s_per_step" in fed:
            busy = fed["gpu_busy_percent"]
            use = "not known" if busy is None else f"{busy:.0f} %"
            lines += ["", f"From JPEG: {1e3 * fed['s_per_step']:.1f} ms a step, GPU busy {use}."]
        return "\n".join(lines)


class Use:
    """Samples a GPU's use while it is entered.

    Example:
      >>> with Use() as use:
      ...     train()
      >>> use.busy()
    """

    def __enter__(self) -> Use:
        self._samples: list[float] = []
        self._process: subprocess.Popen[str] | None = None
        try:
            self._process = subprocess.Popen(_SMI, stdout=subprocess.PIPE, text=True)
        except OSError:
            return self
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._reader.join()
            assert self._process.stdout is not None
            self._process.stdout.close()

    def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._samples += [float(n) for n in re.findall(r"[\d.]+", line)[:1]]

    def busy(self) -> float | None:
        """Median percent over the second half, when it trains; None where nothing is known."""
        tail = self._samples[len(self._samples) // 2 :]
        return statistics.median(tail) if tail else None


def draw(results: dict[str, Any], path: Path) -> bool:
    """Writes the chart; False where there is nothing to draw, or nothing to draw with."""
    known = [row for row in results.get("rows", []) if "s_per_step" in row]
    try:
        import matplotlib
    except ModuleNotFoundError:
        return False
    if not known:
        return False
    matplotlib.use("Agg")
    from matplotlib import pyplot

    from benchmarks.speed.chart import DEFAULT, OTHERS

    figure, axes = pyplot.subplots(figsize=(9, 0.4 * len(known) + 1), layout="constrained")
    names = [f"{row['what']}, batch {row['batch']}" for row in known]
    colors = [DEFAULT if row["what"].startswith("ours") else OTHERS for row in known]
    axes.barh(names, [1e3 * row["s_per_step"] / row["batch"] for row in known], color=colors)
    axes.invert_yaxis()
    axes.set_xlabel("ms per step and image of each domain; shorter is better")
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return True


def _helper(words: list[str]) -> bool:
    """What only a process with TensorFlow knows or does."""
    if len(words) != 2 or words[0] not in ("--macs", "--draw"):
        return False
    from benchmarks.peers import ours
    from cyclegan_tf import assembly

    job = Job.from_json(words[1])
    if words[0] == "--draw":
        ours.draw_images(Path(job.folder), job.batch, job.size_px)
        print("{}")
        return True
    experiment = ours.experiment_of(job)
    generator = assembly.build_generator(experiment, "xy")
    discriminator = assembly.build_discriminator(experiment, "x")
    parameters = 2 * (generator.count_params() + discriminator.count_params())
    print(json.dumps({"macs": asdict(ours.count_macs(job)), "parameters": parameters}))
    return True


def main(argv: list[str] | None = None) -> int:
    """Measures, writes table and chart; returns the exit status."""
    words = sys.argv[1:] if argv is None else argv
    if _helper(words):
        return 0
    comparison = Comparison(parse(words))
    comparison.run()
    print("\n" + comparison.table())
    if not draw(comparison.results, comparison.arguments.out / "gpu.png"):
        print("no chart: matplotlib is not installed, or no row was measured")
    return 1 if any("error" in row for row in comparison.results["rows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
