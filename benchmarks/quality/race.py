"""One training of the race for quality per minute: its options, its clock and its files."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.speed.jobs import Job

MARKS = "marks.jsonl"


@dataclass(frozen=True)
class Entry:
    """One contender with one seed.

    Example:
      >>> entry = Entry.from_json(Path("runs/race/ours-11/entry.json").read_text())
      >>> entry.finished, entry.marks
      >>> entry.generator(5.0, "xy", ".keras")

    Attributes:
      contender: its name in results.
      framework: "ours" or "torch".
      precision: "float32" or "bfloat16"; for ours also "auto".
      layout: PyTorch's memory layout, "nchw" or "nhwc".
      config: of ours, an experiment file instead of the paper's recipe.
      seed: decides initial weights, order and augmentation.
      data: folder of trainA and trainB.
      target: folder to write, emptied by whoever starts the process.
      minutes: budget, from the start of the process.
      every_minutes: between two marks.
      size_px: side of the crop.
      load_px: side that images are brought to before it.
      filters: width of the first layer of all networks.
      blocks: residual blocks of the generators.
      ema: of ours, half-life in images of moving averages kept beside the weights; None for none,
        and for PyTorch's.
    """

    contender: str
    framework: str
    precision: str
    layout: str
    config: str | None
    seed: int
    data: str
    target: str
    minutes: float
    every_minutes: float
    size_px: int
    load_px: int
    filters: int
    blocks: int
    ema: float | None = None

    @property
    def marks(self) -> list[float]:
        """Minutes at which generators are kept; the budget's end is the last."""
        count = int(self.minutes / self.every_minutes + 1e-9)
        marks = [self.every_minutes * (index + 1) for index in range(count)]
        return marks if marks and self.minutes - marks[-1] < 1e-6 else [*marks, self.minutes]

    @property
    def job(self) -> Job:
        """The same for the parts of the benchmark of speed."""
        return Job(
            "", self.framework, self.precision, self.layout,
            size_px=self.size_px, filters=self.filters, blocks=self.blocks, seed=self.seed,
            folder=self.data,
        )  # fmt: skip

    def to_json(self) -> str:
        """For the command line of a trainer."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Entry:
        """Inverse of `to_json`."""
        return cls(**json.loads(text))

    def kept(self) -> list[dict]:
        """Marks that were reached: "minute", "seconds" and "step" of each."""
        path = Path(self.target) / MARKS
        return (
            [json.loads(line) for line in path.read_text("utf-8").splitlines()]
            if path.is_file()
            else []
        )

    def generator(self, minute: float, name: str, suffix: str) -> Path:
        """The file of a generator at a mark, such as minute_007.500_xy.pt."""
        return Path(self.target) / f"minute_{minute:07.3f}_{name}{suffix}"

    @property
    def finished(self) -> bool:
        """Whether the last mark was reached."""
        kept = self.kept()
        return bool(kept) and kept[-1]["minute"] == self.marks[-1]


class Clock:
    """Time since the process was started, less that of saving.

    Example:
      >>> clock = Clock(entry, started, save)
      >>> for step, batch in enumerate(batches, start=1):
      ...     clock.after_step(step)

    Args:
      entry: whose marks.
      started: `time.time()` just before the process was started: imports and compiling count.
      save: writes both generators; called with their mark.
    """

    def __init__(self, entry: Entry, started: float, save: Callable[[float], None]) -> None:
        self.entry, self._started, self._save = entry, started, save
        self._waiting = entry.marks

    @property
    def seconds(self) -> float:
        """Of the budget, what is used."""
        return time.time() - self._started

    @property
    def fraction(self) -> float:
        """Of the budget, what is used: 1 at its end and after."""
        return min(1.0, self.seconds / (60 * self.entry.minutes))

    def after_step(self, step: int) -> float:
        """Keep the generators where a mark is reached; return the seconds that took.

        They do not count.
        """
        # Where one step passes two marks, the weights are those of both.
        return self._keep([mark for mark in self._waiting if self.seconds >= 60 * mark], step)

    def finish(self, step: int) -> None:
        """Keep the generators for the marks left.

        A trainer that ends by its own clock ends a moment earlier.
        """
        self._keep(self._waiting, step)

    def _keep(self, due: list[float], step: int) -> float:
        if not due:
            return 0.0
        with self._stopped() as pause:
            self._waiting = self._waiting[len(due) :]
            for mark in due:
                self._save(mark)
                line = {"minute": mark, "seconds": round(pause.at, 3), "step": step}
                with (Path(self.entry.target) / MARKS).open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
        return pause.length

    @contextlib.contextmanager
    def _stopped(self) -> Iterator[_Pause]:
        pause, began = _Pause(self.seconds), time.time()
        yield pause
        pause.length = time.time() - began
        self._started += pause.length


@dataclass
class _Pause:
    """When the clock was stopped, and for how long."""

    at: float
    length: float = 0.0
