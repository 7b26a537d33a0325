"""One contender's process: `python -m benchmarks.speed.worker JOB`.

It sets its job up, then waits: a line {"count": N} on standard input asks for N units of work, and
a line {"seconds": [...], "peak_rss_bytes": ..., "values": {...}} on standard output is the answer;
{"error": "..."} ends it. The end of standard input ends the process. While it waits it does
nothing, so that another can be measured.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from benchmarks import machine
from benchmarks.speed.jobs import Job

MODULES = {
    "ours": "benchmarks.peers.ours",
    "torch": "benchmarks.peers.torch_cyclegan",
    "keras": "benchmarks.peers.keras_tutorial",
}
Turn = Callable[[int], dict]


def timed(job: Job, name: str) -> Turn:
    """A turn that times single units of what the contender's module offers under `name`."""
    unit = getattr(import_module(MODULES[job.framework]), name)(job)

    def turn(count: int) -> dict:
        seconds = []
        for _ in range(count):
            start = time.perf_counter()
            values = unit()
            # A unit that has something to do first, such as filling its queues, takes its time
            # itself. Where one call handles many images, the time is that of one.
            taken = values.get("seconds", time.perf_counter() - start)
            seconds.append(taken / values.get("images", 1))
        wrong = [name for name, value in values.items() if not math.isfinite(value)]
        if wrong:
            raise ArithmeticError(f"{', '.join(wrong)} not finite")
        return {"seconds": seconds, "values": values}

    return turn


def _once(compute: Callable[[Job], dict]) -> Callable[[Job], Turn]:
    return lambda job: lambda _: compute(job)


def _agreement(job: Job) -> dict:
    from benchmarks.speed import agreement

    try:
        return {"agreement": agreement.check(job)}
    except agreement.DisagreementError as error:
        return {"disagreement": str(error)}


def _facts(job: Job) -> dict:
    """What only our package knows: the default precision here, and the size of the networks."""
    import dataclasses

    from benchmarks.peers import ours

    return {"default": ours.default_contender(), "macs": dataclasses.asdict(ours.count_macs(job))}


def _rates(job: Job) -> dict:
    from benchmarks.speed import rates

    return {"rates": rates.measure(job)}


def _draw(job: Job) -> dict:
    from benchmarks.peers import ours

    ours.draw_images(Path(job.folder), job.batch, job.size_px)
    return {}


JOBS: dict[str, Callable[[Job], Turn]] = {
    "step": lambda job: timed(job, "training_step"),
    "translation": lambda job: timed(job, "translation"),
    "translated_folder": lambda job: timed(job, "translated_folder"),
    "loader": lambda job: timed(job, "loader"),
    "agreement": _once(_agreement),
    "facts": _once(_facts),
    "rates": _once(_rates),
    "draw": _once(_draw),
}


def peak_rss_bytes() -> int:
    """Most memory this process has held; children do not count.

    Not getrusage, where there is another way: its maximum outlives exec, so it could be that of the
    process which started this one.
    """
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return machine.most_held_bytes() or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    """Serves one job until standard input ends."""
    # Whatever a library prints goes to standard error: standard output is the protocol's.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    with contextlib.suppress(OSError):
        # Should memory run out, the system ends this process and not one that nobody asked to
        # measure.
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="utf-8")
    try:
        job = Job.from_json(sys.argv[1])
        with tempfile.TemporaryDirectory() as compiled:
            # Each process compiles for itself, or its time to the first step would depend on
            # earlier runs.
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = compiled
            turn = JOBS[job.kind](job)
            for line in sys.stdin:
                reply = turn(json.loads(line)["count"])
                print(json.dumps({**reply, "peak_rss_bytes": peak_rss_bytes()}), file=answers)
    except Exception as error:  # whatever a framework raises is this contender's result
        reason = " ".join(str(error).split())[:300] or "no message"
        print(json.dumps({"error": f"{type(error).__name__}: {reason}"}), file=answers)
        raise


if __name__ == "__main__":
    main()
