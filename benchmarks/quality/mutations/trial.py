"""Tries damaged files one after the other in a child process, which begins anew after a crash."""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import resource
import select
import signal
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.machine import most_held_bytes
from benchmarks.quality.mutations.damage import Damaged, damaged
from benchmarks.quality.mutations.samples import Kept, Sample, digest
from cyclegan_tf import cli
from cyclegan_tf.errors import UserError

DEADLINE_SECONDS = 10.0  # of computing
PATIENCE_SECONDS = 120.0  # of the clock
PREPARATION_SECONDS = 300.0
MEMORY_BYTES = 2**30
# Beyond the measured limit, so that a bomb ends its own process and not the machine.
_ADDRESS_BYTES = 8 * 2**30

REFUSED, UNCHANGED, BY_RIGHT = "refused", "unchanged", "changed by right"
TRACEBACK, SILENT = "traceback", "wrong in silence"
CRASH, MEMORY, TIME = "crash", "over memory", "over time"
OUTCOMES = (REFUSED, UNCHANGED, BY_RIGHT, TRACEBACK, SILENT, CRASH, MEMORY, TIME)
FAULTS = OUTCOMES[3:]

Prepare = Callable[[Path], Sequence[Sample]]


@dataclass
class Tally:
    """What came of one kind of files.

    Attributes:
      counts: by outcome, by sample.
      faults: how to repeat each fault, and what was seen.
      longest_seconds: that one file took.
      most_bytes: that one file took.

    Example:
      >>> tally = Tally()
      >>> tally.total(REFUSED)
      0
    """

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    longest_seconds: float = 0.0
    most_bytes: int = 0

    def add(self, row: dict[str, Any]) -> None:
        """Counts one file."""
        self.counts.setdefault(row["sample"], Counter())[row["outcome"]] += 1
        self.longest_seconds = max(self.longest_seconds, row.get("seconds", 0.0))
        self.most_bytes = max(self.most_bytes, row.get("bytes", 0))
        if row["outcome"] in FAULTS:
            self.faults.append(row)

    def total(self, *outcomes: str) -> int:
        """Files of these outcomes."""
        return sum(counter[outcome] for counter in self.counts.values() for outcome in outcomes)


def attempt(read: Callable[[], Any]) -> tuple[str, str]:
    """Calls a reader as a command does.

    Returns:
      "refused" and the sentence, "read" and the digest of the result, or "traceback" and that.
    """
    found = ["read", ""]

    def main(_: Sequence[str]) -> int:
        try:
            found[1] = digest(read())
        except UserError:
            raise
        except BaseException:  # an OSError, too: its sentence would not say what to do
            found[:] = TRACEBACK, traceback.format_exc()[-2000:]
        return 0

    heard = io.StringIO()
    status: Any = 0
    with contextlib.redirect_stderr(heard), contextlib.redirect_stdout(io.StringIO()):
        try:
            cli.run(main, [])
        except SystemExit as end:
            status = end.code
    if status == 0:
        return found[0], found[1]
    lines = [line for line in heard.getvalue().splitlines() if line.startswith("error: ")]
    is_clear = status in (cli.BAD_INPUT, cli.FAILED) and len(lines) == 1
    is_clear = (
        is_clear and heard.getvalue().rstrip().endswith(lines[0].rstrip()) and len(lines[0]) < 1500
    )
    return (REFUSED if is_clear else TRACEBACK), heard.getvalue()[-2000:]


def rng_of(seed: int, kind: str, index: int) -> random.Random:
    """What decides the damage of one file, whatever was tried before."""
    return random.Random(f"{seed} {kind} {index}")


def run(kind: str, prepare: Prepare, folder: Path, files: int, seed: int) -> Tally:
    """Tries so many files of a kind.

    Args:
      kind: for the seed, and for names.
      prepare: makes the valid files in a folder; called once, in a child.
      folder: for files and a log.
      files: how many.
      seed: of all damages.

    Raises:
      RuntimeError: an undamaged file cannot be read.
    """
    tally, next_index = Tally(), 0
    while next_index < files:
        for row in _of_a_child(kind, prepare, folder, range(next_index, files), seed):
            tally.add(row)
            next_index = row["index"] + 1
            if row["outcome"] in FAULTS:
                print(f"FAULT {json.dumps({**row, 'text': row['text'][-500:]})}", flush=True)
            if next_index % 100 == 0:
                print(f"{kind}: {next_index} of {files}", flush=True)
    return tally


def _of_a_child(
    kind: str, prepare: Prepare, folder: Path, indices: range, seed: int
) -> Iterator[dict[str, Any]]:
    """Rows of a child, until it has done all, or is at its end."""
    ours, theirs = os.pipe()
    begun: dict[str, Any] | None = {"error": "no preparation"}
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        _child(kind, prepare, folder, indices, seed, theirs)
    os.close(theirs)
    lines = _Lines(ours)
    while True:
        is_prepared = begun is None or "index" in begun
        line = _in_time(lines, pid) if is_prepared else lines.next(PREPARATION_SECONDS)
        if line is None or line == "":
            break
        row = json.loads(line)
        if "outcome" in row:
            yield row
            begun = None
            if row["outcome"] == MEMORY:
                break  # the memory may not come back
        else:
            begun = None if "ready" in row else row
    os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    os.close(ours)
    if begun is not None and "index" in begun:
        yield {**begun, "outcome": TIME if line is None else CRASH, "text": f"status {status}"}
    elif begun is not None:
        raise RuntimeError(f"{kind}, undamaged: {begun['error']} (status {status}; see {folder})")


def _in_time(lines: _Lines, pid: int) -> str | None:
    """The next line; None where a process computes, or waits, too long for it."""
    computed, until = _computed_seconds(pid), time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        line = lines.next(1.0)
        if line is not None:
            return line
        if _computed_seconds(pid) - computed > DEADLINE_SECONDS:
            break
    return None


def _computed_seconds(pid: int) -> float:
    """Time on processors, which does not depend on what else they do; 0 where it is not known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class _Lines:
    def __init__(self, handle: int) -> None:
        self._handle, self._data = handle, b""

    def next(self, seconds: float) -> str | None:
        """The next line, "" at the end, None where none comes in time."""
        until = time.monotonic() + seconds
        while b"\n" not in self._data:
            left = max(0.0, until - time.monotonic())
            if not select.select([self._handle], [], [], left)[0]:
                return None
            part = os.read(self._handle, 2**16)
            if not part:
                return ""
            self._data += part
        line, _, self._data = self._data.partition(b"\n")
        return line.decode()


def _child(
    kind: str, prepare: Prepare, folder: Path, indices: range, seed: int, theirs: int
) -> None:
    """Tries files and writes rows; does not return."""

    def tell(**row: Any) -> None:
        os.write(theirs, json.dumps(row).encode() + b"\n")

    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", closefd=False, buffering=1)  # noqa: SIM115
    try:
        tell(error="preparation")
        trials = Trials(prepare(folder))
        tell(ready=True)
        for index in indices:
            tell(error="the whole file")  # which may be read for the first time
            rng = rng_of(seed, kind, index)
            sample, damage = trials.choose(index, rng)
            tell(index=index, sample=sample.name, how=damage.how)
            row = trials.one(sample, damage)
            tell(index=index, sample=sample.name, how=damage.how, **row)
    except BaseException as error:
        traceback.print_exc()
        tell(error=f"{type(error).__name__}: {error}"[:2000])
    finally:
        os._exit(0)


class Trials:
    """Tries damaged files in this process.

    Args:
      samples: valid files.

    Example:
      >>> trials = Trials(samples)
      >>> sample, damage = trials.choose(0, random.Random(0))
      >>> trials.one(sample, damage)["outcome"]
      'refused'
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples
        self._kept = {sample.root: Kept(sample.root) for sample in samples}
        self._others = [sample.path.read_bytes() for sample in samples]
        self._right: dict[str, set[str]] = {}

    def _right_of(self, sample: Sample) -> set[str]:
        for _ in range(2):  # the first call may be the one that makes what others find
            found, text = attempt(sample.read)
            self._kept[sample.root].put_back()
            if found != "read":
                raise RuntimeError(f"{sample.name}: {text}")
        again = attempt(sample.read)[1]
        self._kept[sample.root].put_back()
        if again != text:
            raise RuntimeError(f"{sample.name} is read with another result each time")
        right = {text, *map(digest, sample.also_right())}
        self._kept[sample.root].put_back()
        return right

    def choose(self, index: int, rng: random.Random) -> tuple[Sample, Damaged]:
        """The sample of an index, and a damage that changes it.

        Raises:
          RuntimeError: the whole file cannot be read.
        """
        place = index % len(self._samples)
        sample, data = self._samples[place], self._others[place]
        if sample.name not in self._right:
            self._right[sample.name] = self._right_of(sample)
        while (damage := damaged(data, rng, self._others)).data == data:
            pass
        return sample, damage

    def one(self, sample: Sample, damage: Damaged) -> dict[str, Any]:
        """Hands one damaged file to its reader; gives outcome, text, seconds, bytes."""
        sample.path.write_bytes(damage.data)
        before, started = _held_bytes(), time.process_time()
        with _at_most(before + _ADDRESS_BYTES):
            found, text = attempt(sample.read)
        seconds, taken = time.process_time() - started, most_held_bytes() - before
        self._kept[sample.root].put_back()
        outcome = found
        if found == "read":
            if text in self._right[sample.name]:
                outcome = UNCHANGED
            else:
                outcome = SILENT if sample.must_be_noticed(damage) else BY_RIGHT
        if outcome not in FAULTS and taken > MEMORY_BYTES:
            outcome = MEMORY
        if outcome not in FAULTS and seconds > DEADLINE_SECONDS:
            outcome = TIME
        shown = "" if outcome in (UNCHANGED, BY_RIGHT) else text
        return {"outcome": outcome, "text": shown, "seconds": seconds, "bytes": taken}


def _held_bytes() -> int:
    """Memory held now, from which the most is counted anew."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return most_held_bytes()


@contextlib.contextmanager
def _at_most(more_bytes: int) -> Iterator[None]:
    """Lets this process have so many bytes of addresses more than now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    with contextlib.suppress(OSError, ValueError):
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
