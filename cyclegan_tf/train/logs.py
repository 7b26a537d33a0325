"""What a training writes for people to look at: TensorBoard curves, metrics.jsonl, image grids, a
progress bar."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from cyclegan_tf.errors import UserError
from cyclegan_tf.images import io as image_io
from cyclegan_tf.runs.run_directory import RunDirectory, write_text

# A judge that is never wrong and a cycle that never shrinks are what people watch for.
DISPLAYED_LOSSES = (
    "adversarial_y",
    "adversarial_x",
    "cycle_x",
    "cycle_y",
    "discriminator_y",
    "discriminator_x",
)


class MetricsLogger:
    """Rows of metrics.jsonl and, under the same names, curves in TensorBoard.

    Args:
      run: where to write.
    """

    def __init__(self, run: RunDirectory) -> None:
        self._logs = run.logs
        self._file = run.metrics_path.open("a", encoding="utf-8")
        self._writers: dict[str, Any] = {}

    def _writer(self, kind: str) -> Any:
        """The curves of one kind, each in a folder of its own."""
        if kind not in self._writers:
            self._writers[kind] = tf.summary.create_file_writer(str(self._logs / kind))
        return self._writers[kind]

    def write(
        self,
        kind: str,
        step: int,
        epoch: int,
        values: Mapping[str, float],
        speed: float | None = None,
    ) -> None:
        """One row: `kind` is "train" or "test"; values that are not finite become null."""
        row = {"kind": kind, "step": step, "epoch": epoch}
        self._row(row, values, speed)
        with self._writing(), self._writer(kind).as_default(step):
            for name, value in values.items():
                tf.summary.scalar(_curve(name), value)
            if speed is not None:
                tf.summary.scalar("speed/steps_per_second", speed)

    def scores(self, step: int, epoch: int, weights: str, values: Mapping[str, float]) -> None:
        """One row of kind "score"; `weights` is "raw" or "averaged", whose curves lie over each
        other."""
        self._row({"kind": "score", "step": step, "epoch": epoch, "weights": weights}, values, None)
        with (
            self._writing(),
            self._writer("test" if weights == "raw" else weights).as_default(step),
        ):
            for name, value in values.items():
                tf.summary.scalar(f"score/{name}", value)

    def scalar(self, name: str, step: int, value: float) -> None:
        """A number in TensorBoard alone."""
        with self._writing(), self._writer("test").as_default(step):
            tf.summary.scalar(name, value)

    def text(self, name: str, step: int, text: str) -> None:
        """Words in TensorBoard."""
        with self._writing(), self._writer("test").as_default(step):
            tf.summary.text(name, text)

    def _row(self, row: dict[str, Any], values: Mapping[str, float], speed: float | None) -> None:
        row |= {name: value if math.isfinite(value) else None for name, value in values.items()}
        if speed is not None:
            row["steps_per_second"] = round(speed, 4)
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()

    def image(self, name: str, step: int, image: np.ndarray) -> None:
        """A uint8 (H, W, 3) image in TensorBoard."""
        with self._writing(), self._writer("test").as_default(step):
            tf.summary.image(name, image[np.newaxis])

    def flush(self) -> None:
        """Puts what was written on the disk."""
        with self._writing():
            for writer in self._writers.values():
                writer.flush()

    def close(self) -> None:
        """Flushes and closes all files."""
        self._file.close()
        with self._writing():
            for writer in self._writers.values():
                writer.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """TensorFlow has errors of its own for a full disk."""
        try:
            yield
        except tf.errors.OpError as error:
            reason = " ".join(error.message.split())[:200]
            raise UserError(
                f"The logs in {self._logs} cannot be written ({reason}); free some space, then "
                "start the same command again."
            ) from error


def _curve(name: str) -> str:
    """TensorBoard groups by the part before the slash."""
    group = (
        "judges"
        if name.startswith("accuracy")
        else "gradients"
        if name.startswith("gradient_norm")
        else "loss"
    )
    return f"{'rate' if name == 'learning_rate' else group}/{name}"


class SampleGrids:
    """Grids of fixed test images: x | G(x) | F(G(x)) | F(x), and the same from Y.

    Args:
      folder: where PNG files go.
      images: by domain, float32 (1, H, W, C) in [-1, 1] each.
      generators: by direction, "xy" and "yx".

    Attributes:
      translate: the generators as graphs, by direction, with the weights of the moment and nothing
        random.
    """

    def __init__(
        self,
        folder: Path,
        images: Mapping[str, Sequence[tf.Tensor]],
        generators: Mapping[str, keras.Model],
    ) -> None:
        self._folder = folder
        self._images = images
        self.translate = {
            direction: tf.function(
                lambda batch, network=network: network(batch, training=False),
                reduce_retracing=True,
                autograph=False,
            )
            for direction, network in generators.items()
        }

    def draw(self, step: int) -> dict[str, np.ndarray]:
        """Writes `step_XXXXXXXXX_xy.png` and `..._yx.png`; returns the grids by direction."""
        self._folder.mkdir(parents=True, exist_ok=True)
        grids = {}
        for direction in ("xy", "yx"):
            grids[direction] = self._grid(direction)
            image_io.save(self._folder / f"step_{step:09d}_{direction}.png", grids[direction])
        return grids

    def _grid(self, direction: str) -> np.ndarray:
        there, back = self.translate[direction], self.translate[direction[::-1]]
        name = direction[0]
        g, f = ("G", "F") if direction == "xy" else ("F", "G")
        titles = [name, f"{g}({name})", f"{f}({g}({name}))"]
        rows = []
        for real in self._images[name]:
            fake = there(real)
            row = [real, fake, back(fake)]
            if real.shape[-1] == fake.shape[-1]:
                row.append(back(real))
            rows.append([image_io.from_signed(image[0].numpy()) for image in row])
        if rows and len(rows[0]) == 4:
            titles.append(f"{f}({name})")
        return image_io.make_grid(rows, column_titles=titles)


class ProgressBar:
    """A bar on a terminal, a line per log row elsewhere, nothing when quiet.

    Args:
      limit_steps: the last step.
      quiet: show nothing.
    """

    def __init__(self, limit_steps: int, batch_size: int, quiet: bool) -> None:
        self._limit_steps, self._batch_size, self._quiet = limit_steps, batch_size, quiet
        self._terminal = sys.stderr.isatty() and not quiet
        self._bar = tqdm(
            total=1.0,
            disable=not self._terminal,
            bar_format="{percentage:3.0f}%|{bar:20}| {desc}",
            leave=True,
        )
        self._losses = ""

    def say(self, line: str) -> None:
        """A line that stays, above the bar."""
        if self._terminal:
            tqdm.write(line)
        elif not self._quiet:
            print(line, flush=True)

    def warn(self, line: str) -> None:
        """A problem, told even when quiet."""
        if self._terminal:
            tqdm.write(line, file=sys.stderr)
        else:
            print(line, file=sys.stderr, flush=True)

    def update(
        self, step: int, epoch: int, fraction: float, speed: float, seconds_left: float
    ) -> None:
        """Moves the bar."""
        if self._terminal:
            self._bar.n = fraction
            self._bar.set_description_str(self._line(step, epoch, speed, seconds_left))

    def log(
        self, step: int, epoch: int, values: Mapping[str, float], speed: float, seconds_left: float
    ) -> None:
        """The newest means: beside the bar, or as a line of their own."""
        self._losses = " ".join(
            f"{name} {values[name]:.3f}" for name in DISPLAYED_LOSSES if name in values
        )
        if not self._terminal:
            self.say(self._line(step, epoch, speed, seconds_left))

    def _line(self, step: int, epoch: int, speed: float, seconds_left: float) -> str:
        return (
            f"step {step}/{self._limit_steps} epoch {epoch + 1} {speed:.2f} steps/s "
            f"{speed * self._batch_size:.2f} images/s ETA {clock(seconds_left)} {self._losses}"
        )

    def close(self) -> None:
        """Leaves the bar as it is."""
        self._bar.close()


def clock(seconds: float) -> str:
    """Seconds as h:mm:ss, or m:ss."""
    hours, rest = divmod(int(max(seconds, 0)), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def save_offending_batch(
    run: RunDirectory, step: int, batch: Sequence[tf.Tensor], reason: str
) -> Path:
    """Writes the images of a step that went wrong as one PNG (X left, Y right), with a text beside
    it."""
    rows = []
    for real_x, real_y in zip(*(tensor.numpy() for tensor in batch), strict=True):
        rows.append([image_io.from_signed(np.nan_to_num(image)) for image in (real_x, real_y)])
    path = run.path / f"not_finite_step_{step:09d}.png"
    image_io.save(path, image_io.make_grid(rows, column_titles=["x", "y"]))
    write_text(path.with_suffix(".txt"), reason + "\n")
    return path
