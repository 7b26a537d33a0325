"""Ours against PyTorch and plain Keras: training step, translation, input pipeline.

    python -m benchmarks.speed.bench [--out DIR] [--cases step-128-1,folder] [--quick]
    python -m benchmarks.speed.bench --table DIR/results.json

All is measured on this machine, in one run. First the contenders must agree with each other; then
each works in a process of its own, and in turn with the others, round after round. Every finished
case is written to DIR/results.json at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from benchmarks import machine
from benchmarks.speed import chart, floor, measure, rates, report
from benchmarks.speed.jobs import CASES, CONTENDERS, DEFAULT, Case, Job, folder_command, jobs_of
from benchmarks.speed.measure import WorkerError
from cyclegan_tf.atomic import write_text
from cyclegan_tf.errors import install_command

DEFAULT_MINUTES = 30.0
NEEDS_IMAGES = ("loader", "translated_folder")
TINY_SIZES = {128: 32, 256: 64, 512: 96}


class BenchmarkError(Exception):
    """The benchmark cannot go on; the message says why."""


def parse(argv: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--out", type=Path, default=Path("runs/bench"), help="folder for results (%(default)s)"
    )
    parser.add_argument(
        "--rounds", type=int, help="turns of each contender, instead of what --minutes allows"
    )
    parser.add_argument(
        "--minutes", type=float, default=DEFAULT_MINUTES,
        help="about how long all cases may take (%(default)g); two rounds are always made",
    )  # fmt: skip
    parser.add_argument("--cases", type=_names(CASES), help=f"some of {', '.join(CASES)}")
    parser.add_argument(
        "--contenders",
        type=_names((DEFAULT, *CONTENDERS)),
        help=f"some of {DEFAULT}, {', '.join(CONTENDERS)}",
    )
    parser.add_argument(
        "--all", action="store_true", help="every contender in every case of steps and translation"
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny networks and images, to try the program"
    )
    parser.add_argument(
        "--table", type=Path, metavar="FILE", help="print the report of an earlier results.json"
    )
    return parser.parse_args(argv)


def _names(known: Collection[str]) -> Callable[[str], set[str]]:
    def names(text: str) -> set[str]:
        given = set(text.split(","))
        if unknown := given - set(known):
            raise argparse.ArgumentTypeError(
                f"unknown {', '.join(sorted(unknown))}; known are {', '.join(known)}"
            )
        return given

    return names


class Bench:
    """One run of the benchmark.

    Example:
      >>> bench = Bench(parse(["--quick"]), Path("images"))
      >>> bench.run()
      >>> print(report.markdown(bench.results))

    Args:
      arguments: the command line.
      folder: for images and translations, emptied by the caller.
    """

    def __init__(self, arguments: argparse.Namespace, folder: Path) -> None:
        self.arguments, self.folder = arguments, folder
        self.cases = {
            name: case
            for name, case in CASES.items()
            if not arguments.cases or name in arguments.cases
        }
        quick = {"filters": 8, "blocks": 1}
        self.networks = quick if arguments.quick else {"filters": 64, "blocks": 9}
        self.log = arguments.out / "workers.log"
        self.log.write_bytes(b"")
        self.results: dict = {
            "machine": machine.describe(),
            "networks": {
                "generator": "resnet",
                "discriminator": "patch",
                "identity": True,
                **self.networks,
            },
            "quick": arguments.quick,
            "cases": {},
        }
        self.began = time.monotonic()

    def write(self) -> None:
        """Write all that is known, whole or not at all."""
        self.results["wall_s"] = time.monotonic() - self.began
        self.results["targets"] = report.targets(self.results)
        self.results["over_floor"] = report.over_floor(self.results)
        text = json.dumps(self.results, indent=1) + "\n"
        write_text(self.arguments.out / "results.json", text)

    def run(self) -> None:
        """Everything, in order.

        Raises:
          BenchmarkError: the contenders do not agree, or ours does not run at all.
        """
        self._count()
        self._agree()
        self._rate()
        if any(case.kind in NEEDS_IMAGES for case in self.cases.values()):
            self._draw()
        for name, case in self.cases.items():
            self._measure(name, case)

    def _once(self, kind: str, **fields: Any) -> dict:
        job = Job(kind, **{**self.networks, **fields})
        try:
            return measure.once(job, self.log)
        except WorkerError as error:
            raise BenchmarkError(
                f"{kind} of {job.framework} failed: {error} (see {self.log})"
            ) from error

    def _size(self, case: Case) -> int:
        return TINY_SIZES[case.size_px] if self.arguments.quick else case.size_px

    def _count(self) -> None:
        """Operations of each step, and which precision is ours by default."""
        steps = {name: case for name, case in self.cases.items() if case.kind == "step"}
        flops: dict[str, int] = {}
        for size_px in {self._size(case) for case in steps.values()} or {TINY_SIZES[128]}:
            facts = self._once("facts", size_px=size_px)
            self.results["default"] = facts["default"]
            macs = floor.Macs(**facts["macs"])
            flops |= {
                name: floor.step_flops(macs, case.batch)
                for name, case in steps.items()
                if self._size(case) == size_px
            }
        self.results["flops"] = {name: flops[name] for name in steps}

    def _agree(self) -> None:
        say("agreement of the contenders")
        found = self._once("agreement", size_px=32 if self.arguments.quick else 64)
        if "disagreement" in found:
            raise BenchmarkError(
                f"the contenders do not compute the same thing: {found['disagreement']}"
            )
        self.results["agreement"] = found["agreement"]
        self.write()

    def _rate(self) -> None:
        say("matrix rates")
        found = {
            name: self._once("rates", framework=framework)["rates"]
            for name, framework in (("tensorflow", "ours"), ("torch", "torch"))
        }
        self.results["rates"] = {**found, "best": rates.best(found)}
        self.write()

    def _draw(self) -> None:
        say("drawing images")
        few = self.arguments.quick
        self._once("draw", folder=str(self.folder / "train"), batch=12 if few else 200, size_px=256)
        self._once(
            "draw",
            folder=str(self.folder / "some"),
            batch=3 if few else 24,
            size_px=64 if few else 256,
        )

    def _measure(self, name: str, case: Case) -> None:
        arguments = self.arguments
        source = "train" if case.kind == "loader" else "some/trainA"
        jobs = [
            dataclasses.replace(job, target=str(self.folder / name / job.name))
            for job in jobs_of(
                case, self.results["default"], arguments.all, arguments.contenders,
                folder=str(self.folder / source), size_px=self._size(case), **self.networks,
            )
        ]  # fmt: skip
        if not jobs:
            return
        say(f"{case.title} ({len(jobs)} contenders)")
        scale = arguments.minutes / DEFAULT_MINUTES
        found = measure.Measurement(case, jobs, self.log, say, arguments.rounds, scale).run()
        if case.kind == "translated_folder":
            for job, row in zip(jobs, found["rows"], strict=True):
                if "error" not in row:
                    row["command_s"] = _command_seconds(job)
        self.results["cases"][name] = found
        self.write()


def _command_seconds(job: Job) -> float | None:
    """Median wall time of the whole command, from nothing; None when it fails."""
    times = []
    for _ in range(3):
        start = time.monotonic()
        command = [sys.executable, *folder_command(job)]
        if subprocess.run(command, cwd=measure.ROOT, capture_output=True).returncode:
            return None
        times.append(time.monotonic() - start)
    return statistics.median(times)


def say(text: str) -> None:
    """Print a line of progress."""
    print(text, flush=True)


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark or print a table; return the exit status."""
    arguments = parse(argv)
    if arguments.table:
        print(report.markdown(json.loads(arguments.table.read_text(encoding="utf-8"))), end="")
        return 0
    if importlib.util.find_spec("torch") is None:
        print(f"error: PyTorch is not installed: {install_command('bench')}", file=sys.stderr)
        return 2
    arguments.out.mkdir(parents=True, exist_ok=True)
    status = 0
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments, Path(folder))
        try:
            bench.run()
        except KeyboardInterrupt:
            bench.results["interrupted"], status = "stopped by Ctrl-C", 130
        except BenchmarkError as error:
            bench.results["interrupted"], status = str(error), 1
        bench.write()
    _show(bench)
    if status == 1:
        print(f"error: {bench.results['interrupted']}", file=sys.stderr)
    return status


def _show(bench: Bench) -> None:
    text, out = report.markdown(bench.results), bench.arguments.out
    print(f"\n{text}")
    (out / "report.md").write_text(text, encoding="utf-8")
    written = ["results.json", "report.md"]
    if importlib.util.find_spec("matplotlib"):
        if chart.draw(bench.results, out / "chart.png"):
            written.append("chart.png")
    else:
        say("no chart: matplotlib is not installed")
    say(f"{', '.join(written)} in {out}; {bench.results['wall_s'] / 60:.0f} minutes")


if __name__ == "__main__":
    sys.exit(main())
