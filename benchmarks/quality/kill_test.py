"""Kills real trainings at random moments, goes on with them, and compares with one left in peace.

    python -m benchmarks.quality.kill_test --kills 200 --out runs/kill_test

A training is begun, ended by SIGKILL at a random moment, and begun again by the same command, up to
four times over; then it may finish. What it has come to must equal what an undisturbed training
has: every array and the state of the last checkpoint, the best one, the rows of metrics.jsonl, the
points of TensorBoard, the sample images, the weights of both `.keras` files; and no file of any
other name may be left. Moments are drawn from five kinds:

- start: before an operation on a file, while there is no config.yaml;
- step: after a random time, which mostly hits training steps and the tracing before them;
- checkpoint, best: before an operation on a file in that folder;
- end: before an operation on a file, after the checkpoint of the last step.

The training is a tiny one, of some seconds, or one like the finished run `--like`. Trainings are
forked from this process, which imports TensorFlow once and does nothing with it. Exit status: 0
where all is equal, 1 otherwise.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

from cyclegan_tf.runs import checkpoints
from cyclegan_tf.runs.metrics_log import rows
from cyclegan_tf.runs.run_directory import RunDirectory

# By kind, the operations of which one is chosen.
MOMENTS = {"start": 10, "checkpoint": 8, "best": 6, "end": 20}
KINDS = ("step", *MOMENTS)
MAX_KILLS_PER_RUN = 4
# Names of operations on files, in Python's audit events, whose first argument is a path.
OPERATIONS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link"}
TINY = (
    "--data.load_size_px=18 --data.crop_size_px=16 --generator.architecture=resnet_6blocks "
    "--generator.blocks=1 --generator.filters=2 --discriminator.filters=2 "
    "--discriminator.n_layers=1 --training.pool_size_images=3 --training.precision=float32 "
    "--training.best_metric=cycle_error --optimizer.learning_rate=5e-4 "
    "--training.ema_half_life_images=4 --training.max_steps=7 --training.checkpoint_every_steps=2 "
    "--logging.log_every_steps=1 --logging.sample_images=1 --logging.sample_every_steps=3 "
    "--logging.test_images=1 --logging.score_every_epochs=1 --logging.test_every_epochs=1"
).split()


def tiny_images(root: Path) -> Path:
    """Draw a data set of random smooth images, 4 and 3 for training and 2 each for the test."""
    rng = np.random.default_rng(11)
    for name, count in (("trainA", 4), ("trainB", 3), ("testA", 2), ("testB", 2)):
        (root / name).mkdir(parents=True, exist_ok=True)
        for index in range(count):
            small = Image.fromarray(rng.integers(0, 256, (5, 5, 3), np.uint8))
            small.resize((20, 20), Image.Resampling.BICUBIC).save(root / name / f"{index}.png")
    return root


class Moment:
    """When a training kills itself.

    Args:
      run: where it trains.
      kind: of `KINDS`.
      number: of the operation on a file, from 1; for "step", seconds.
      last: the training's last step.

    Example:
      >>> Moment(Path("runs/killed"), "checkpoint", 2, last=7).arm()
    """

    def __init__(self, run: Path, kind: str, number: float, last: int) -> None:
        self._run, self._kind, self._left = RunDirectory(run.absolute()), kind, number
        self._last_checkpoint = self._run.checkpoints / f"step_{last:09d}.npz"

    def arm(self) -> None:
        """Wait for the moment, in this process."""
        if self._kind == "step":
            timer = threading.Timer(self._left, self._kill)
            timer.daemon = True
            timer.start()
        else:
            sys.addaudithook(self._look)

    def _look(self, event: str, arguments: tuple) -> None:
        if event not in OPERATIONS or not isinstance(arguments[0], str | bytes):
            return
        path = os.path.abspath(os.fsdecode(arguments[0]))
        if path.startswith(f"{self._run.path}{os.sep}") and self._is_of_kind(Path(path)):
            self._left -= 1
            if self._left < 1:
                self._kill()

    def _is_of_kind(self, path: Path) -> bool:
        if self._kind == "start":
            return not os.path.exists(self._run.config_path)
        if self._kind == "end":
            return os.path.exists(self._last_checkpoint)
        folder = self._run.checkpoints
        return path.parent == (folder if self._kind == "checkpoint" else folder / "best")

    def _kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)


def train(words: Sequence[str], log: Path, moment: Moment | None = None) -> int:
    """Train in a process of its own; return its exit status, -9 where it was killed."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 70
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
        os.dup2(output, 1)
        os.dup2(output, 2)
        if moment is not None:
            moment.arm()
        from cyclegan_tf.train import command

        command.run(words)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 70
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def outcome(folder: Path) -> dict[str, Any]:
    """What a training has come to: plain values and bytes by name, without times."""
    run = RunDirectory(folder)
    found: dict[str, Any] = {"finished": run.finished_step(), "points": points(run)}
    for name, path in (
        ("last checkpoint", checkpoints.list_checkpoints(run.checkpoints)[0]),
        ("best checkpoint", checkpoints.best_file(run.checkpoints)),
    ):
        if path is not None:
            arrays, state = checkpoints.read(path)
            found[f"{name}: state"] = {**state, "seconds": 0}
            found |= {f"{name}: {key}": value.tobytes() for key, value in arrays.items()}
    found["rows"] = [{**row, "steps_per_second": 0} for row in rows(run.metrics_path)]
    for path in sorted(run.samples.iterdir()):
        found[f"samples/{path.name}"] = path.read_bytes()
    for path in sorted(folder.glob("generator_*.keras")):
        found |= {f"{path.name}: {key}": value for key, value in weights(path).items()}
    logs = run.logs.name
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    found["files"] = sorted(str(name) for name in names if name.parts[0] != logs)
    return found


def weights(path: Path) -> dict[str, bytes]:
    """The weights in a `.keras` file, by their names there."""
    found: dict[str, bytes] = {}
    with zipfile.ZipFile(path) as archive:
        file = h5py.File(io.BytesIO(archive.read("model.weights.h5")))
    with file:
        file.visititems(
            lambda name, node: (
                found.update({name: node[()].tobytes()}) if isinstance(node, h5py.Dataset) else None
            )
        )
    return found


def points(run: RunDirectory) -> list[tuple[str, str, int]]:
    """The points of all TensorBoard curves, (folder, tag, step), without times and warnings."""
    from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

    found = []
    for path in sorted(run.logs.glob("*/events*")):
        for event in LegacyEventFileLoader(str(path)).Load():
            tags = [value.tag for value in event.summary.value]
            found += [(path.parent.name, tag, event.step) for tag in tags]
    # A process that starts once more warns once more of what it sees in the images.
    return sorted(point for point in found if not point[1].startswith("warning/"))


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Names of what differs between two outcomes."""
    return sorted(name for name in {**one, **other} if one.get(name) != other.get(name))


class KillTest:
    """Kills trainings that are like one left in peace.

    Args:
      like: a finished run, which is left as it is.
      out: folder for the runs that are killed; those that come out equal are removed.
      seed: of the moments.

    Attributes:
      kills: trainings killed so far, by kind of moment.
      runs: trainings finished so far.
      unequal: names of what differed, by run.

    Example:
      >>> test = KillTest(Path("runs/whole"), Path("runs/killed"), seed=0)
      >>> test.run(kills=20)
    """

    def __init__(self, like: Path, out: Path, seed: int) -> None:
        self._random, self._out, self._wanted = random.Random(seed), out, outcome(like)
        self._config, self._last = RunDirectory(like).config_path, self._wanted["finished"]
        self._seconds = 6.0
        self.kills: Counter[str] = Counter()
        self.runs = 0
        self.unequal: dict[str, list[str]] = {}

    def run(self, kills: int) -> None:
        """Kill so many times, then print what was found."""
        while self.kills.total() < kills:
            number = self._random.randint(1, MAX_KILLS_PER_RUN)
            self._one(self._out / f"run_{self.runs:04d}", min(number, kills - self.kills.total()))
            print(self, flush=True)

    def _one(self, folder: Path, kills: int) -> None:
        """One training, killed up to so often, then finished and compared."""
        log, words = folder.with_suffix(".log"), ["--config", str(self._config)]
        words += ["--run_dir", str(folder)]
        killed: list[tuple[str, float]] = []
        status: int = -signal.SIGKILL
        while len(killed) < kills and status == -signal.SIGKILL:
            moment = self._moment()
            status = train(words, log, Moment(folder, *moment, self._last))
            if status == -signal.SIGKILL:
                killed.append(moment)
        if status == -signal.SIGKILL:
            started = time.monotonic()
            status = train(words, log)
            self._seconds = max(self._seconds, time.monotonic() - started)
        self.kills.update(kind for kind, _ in killed)
        self.runs += 1
        found = [f"exit status {status}"] if status else differences(outcome(folder), self._wanted)
        if found:
            self.unequal[f"{folder} {killed}"] = found
        else:
            shutil.rmtree(folder)
            log.unlink()

    def _moment(self) -> tuple[str, float]:
        kind = self._random.choice(KINDS)
        if kind == "step":
            return kind, self._random.uniform(0, self._seconds)
        return kind, self._random.randint(1, MOMENTS[kind])

    def __str__(self) -> str:
        by_kind = ", ".join(f"{self.kills[kind]} {kind}" for kind in KINDS)
        return (
            f"{self.kills.total()} kills ({by_kind}) of {self.runs} trainings; unequal afterwards: "
            f"{len(self.unequal)}"
        )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the test; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--out", type=Path, help="folder; a temporary one by default")
    parser.add_argument("--like", type=Path, help="a finished run; a tiny one by default")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(argv)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow  # noqa: F401  (once for all that are forked)

    out = given.out or Path(tempfile.mkdtemp(prefix="kill_test_"))
    out.mkdir(parents=True, exist_ok=True)
    like = given.like or out / "whole"
    if given.like is None:
        words = [*TINY, f"--data.source={tiny_images(out / 'images')}", f"--run_dir={like}"]
        if status := train(words, out / "whole.log"):
            raise SystemExit(f"The undisturbed training ended with {status}: {out / 'whole.log'}")
    test = KillTest(like, out, given.seed)
    test.run(given.kills)
    for run, names in test.unequal.items():
        print(f"UNEQUAL {run}: {', '.join(names[:10])}")
    if given.out is None and not test.unequal:
        shutil.rmtree(out)
    return 1 if test.unequal else 0


if __name__ == "__main__":
    sys.exit(main())
