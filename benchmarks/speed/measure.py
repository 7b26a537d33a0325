"""Ask worker processes in turn, as many at a time as fit into memory and time."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import memory_bytes
from benchmarks.speed.jobs import REFERENCE, Case, Job

ROOT = Path(__file__).resolve().parents[2]
WORKER = ("-m", "benchmarks.speed.worker")
PATIENCE_S = 1200  # for one answer; torch.compile may take minutes
MEMORY_SHARE = 0.9  # of what is free when a case starts
MIN_ROUNDS = 2
Say = Callable[[str], None]


class WorkerError(Exception):
    """A worker could not do its job; the message is the reason."""


class Worker:
    """A process with one contender in it.

    Example:
      >>> worker = Worker(CONTENDERS["ours-float32"], Path("log"))
      >>> worker.ask(count=3)["seconds"]
      >>> worker.close()

    Args:
      job: what it does.
      log: where its standard error goes.
    """

    def __init__(self, job: Job, log: Path) -> None:
        self.job = job
        self._log = log.open("ab")
        self.started = time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, *WORKER, job.to_json()],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C is for the benchmark, which then ends its workers
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout

    def ask(self, count: int = 1) -> dict[str, Any]:
        """Do `count` units of work.

        Raises:
          WorkerError: it failed, ended or does not answer.
        """
        # It may have ended while it was being set up: what it wrote says why.
        with contextlib.suppress(BrokenPipeError):
            self._requests.write(json.dumps({"count": count}).encode() + b"\n")
            self._requests.flush()
        if not select.select([self._answers], [], [], PATIENCE_S)[0]:
            raise WorkerError(f"no answer for {PATIENCE_S} s")
        line = self._answers.readline()
        if not line:
            status = self._process.wait()
            killed = status == -signal.SIGKILL
            raise WorkerError(
                "ended by the system, out of memory" if killed else f"ended with status {status}"
            )
        answer = json.loads(line)
        if "error" in answer:
            raise WorkerError(answer["error"])
        return answer

    def close(self) -> None:
        """Ends the process and all it has started."""
        with contextlib.suppress(BrokenPipeError):
            self._requests.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._answers.close()
        self._log.close()


def once(job: Job, log: Path) -> dict[str, Any]:
    """One answer from a worker of its own.

    Raises:
      WorkerError: it failed.
    """
    worker = Worker(job, log)
    try:
        return worker.ask()
    finally:
        worker.close()


@dataclass
class Row:
    """What is known of one contender in one case.

    Attributes:
      name: the contender.
      seconds: of each measured unit, in order.
      by_group: the same, by the group of workers it was measured with.
      first_s: from the start of the process to the end of its first unit.
      peak_rss_bytes: most memory its process held.
      error: why there are no times.
    """

    name: str
    seconds: list[float] = field(default_factory=list)
    by_group: dict[int, list[float]] = field(default_factory=dict)
    first_s: float | None = None
    peak_rss_bytes: int = 0
    error: str | None = None


class Measurement:
    """One case: workers are started one after another, then asked in turn, round after round.

    Example:
      >>> jobs = jobs_of(CASES["step-128-1"], "ours-float32")
      >>> found = Measurement(CASES["step-128-1"], jobs, Path("log"), print).run()
      >>> [row["median"] for row in found["rows"]]

    As many workers as fit into memory make a group; when the next one does not fit, the group is
    measured and makes room. The reference stays for every group where it can, so that all are
    measured beside it.

    Args:
      case: turns, warm-up and budget.
      jobs: the contenders, the reference first.
      log: file for what the workers print.
      say: prints a line of progress.
      rounds: turns of each contender, whatever they cost; None fits them into the case's budget.
      scale: factor for the case's budget.
    """

    def __init__(
        self,
        case: Case,
        jobs: list[Job],
        log: Path,
        say: Say,
        rounds: int | None = None,
        scale: float = 1.0,
    ) -> None:
        self.case, self.jobs, self.log, self.say, self.rounds = case, jobs, log, say, rounds
        self.allowance_s = scale * case.budget_s / max(len(jobs), 1)
        self.rows = {job.name: Row(job.name) for job in jobs}
        self.groups: list[list[str]] = []
        self._group: list[Worker] = []
        self._memory = MEMORY_SHARE * memory_bytes("MemAvailable")

    def run(self) -> dict[str, Any]:
        """Measures all; returns the case's part of the results."""
        began = time.monotonic()
        try:
            for index, job in enumerate(self.jobs):
                self._make_room()
                self._start(job)
                if index == len(self.jobs) - 1:
                    self._measure_group()
        finally:
            for worker in self._group:
                worker.close()
        return {
            "kind": self.case.kind,
            "title": self.case.title.replace(
                f"{self.case.size_px} px", f"{self.jobs[0].size_px} px"
            ),
            "unit": self.case.unit,
            "size_px": self.jobs[0].size_px,
            "batch": self.case.batch,
            "units_per_turn": self.case.per_turn,
            "warm_up": self.case.warm_up,
            "groups": self.groups,
            "wall_s": time.monotonic() - began,
            "rows": [self._summary(row) for row in self.rows.values()],
        }

    def _start(self, job: Job) -> None:
        row = self.rows[job.name]
        worker = Worker(job, self.log)
        self._group.append(worker)
        try:
            answer = worker.ask()
            row.first_s = time.monotonic() - worker.started
            for _ in range(self.case.warm_up - 1):
                answer = worker.ask()
            row.peak_rss_bytes = answer["peak_rss_bytes"]
            self.say(
                f"  {job.name}: ready after {row.first_s:.0f} s, {row.peak_rss_bytes / 2**30:.1f} "
                f"GiB"
            )
        except WorkerError as error:
            self._drop(worker, str(error))

    def _drop(self, worker: Worker, reason: str) -> None:
        self.rows[worker.job.name].error = reason
        self.say(f"  {worker.job.name}: {reason}")
        self._group.remove(worker)
        worker.close()

    def _make_room(self) -> None:
        """Measures and ends workers, if the next one would not fit beside them."""
        if not self._group or not self._memory:
            return
        # What the next one needs is not known; those before it are the only measure.
        needed = 1.25 * max(row.peak_rss_bytes for row in self.rows.values())
        if self._held(self._group) + needed <= self._memory:
            return
        self._measure_group()
        kept = [worker for worker in self._group if worker.job.name == REFERENCE]
        if self._held(kept) + needed > self._memory:
            kept = []
        for worker in self._group:
            if worker not in kept:
                worker.close()
        self._group = kept

    def _held(self, workers: list[Worker]) -> int:
        return sum(self.rows[worker.job.name].peak_rss_bytes for worker in workers)

    def _measure_group(self) -> None:
        """Asks each in turn, as often as the group's share of the budget allows."""
        number = len(self.groups)
        names = [worker.job.name for worker in self._group]
        new = [name for name in names if not self.rows[name].seconds]
        if not new:
            return
        self.groups.append(names)
        began, done = min(worker.started for worker in self._group if worker.job.name in new), 0
        rounds = self.rounds or self.case.rounds
        while done < rounds:
            start = time.monotonic()
            for worker in list(self._group):
                self._take_turn(worker, number)
            done += 1
            if done == 1 and self.rounds is None:
                left = len(new) * self.allowance_s - (time.monotonic() - began)
                more = int(left / max(time.monotonic() - start, 1e-3))
                rounds = min(self.case.rounds, max(MIN_ROUNDS, 1 + more))
        self.say(f"  {done} rounds of {', '.join(names)}")

    def _take_turn(self, worker: Worker, group: int) -> None:
        row = self.rows[worker.job.name]
        try:
            answer = worker.ask(self.case.per_turn)
        except WorkerError as error:
            self._drop(worker, str(error))
            return
        row.seconds += answer["seconds"]
        row.by_group.setdefault(group, []).extend(answer["seconds"])
        row.peak_rss_bytes = answer["peak_rss_bytes"]

    def _summary(self, row: Row) -> dict[str, Any]:
        """A row of the results: a ratio above 1 says how often faster than the reference it is."""
        result: dict[str, Any] = {
            "contender": row.name,
            "first_s": row.first_s,
            "peak_rss_bytes": row.peak_rss_bytes,
        }
        if row.error or not row.seconds:
            return {**result, "error": row.error or "not measured"}
        median = statistics.median(row.seconds)
        result |= {
            "seconds": row.seconds,
            "median": median,
            "least": min(row.seconds),
            "most": max(row.seconds),
        }
        reference = self.rows.get(REFERENCE)
        if row is reference:
            result |= {"ratio": 1.0, "alternated_with_reference": True}
        elif reference and reference.seconds:
            group = next(iter(row.by_group))
            beside = reference.by_group.get(group, [])
            result["ratio"] = statistics.median(beside or reference.seconds) / median
            result["alternated_with_reference"] = bool(beside)
        return result
