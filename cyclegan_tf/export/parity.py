"""Comparison of an exported file with the training model on the same images."""

from __future__ import annotations

import json
import logging
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.images import io as image_io
from cyclegan_tf.metrics.image_quality import psnr, ssim
from cyclegan_tf.runs.provenance import environment

log = logging.getLogger(__name__)

ImageFunction = Callable[[np.ndarray], np.ndarray]
"""float32 (N, H, W, C) in [-1, 1] -> float32 (N, H, W, C')."""

LATENCY_ROUNDS = 5
COMPARED_IMAGES = 8

_COLUMNS = (
    *("variant", "PSNR dB", "worst", "SSIM", "max |d|", "mean |d|"),
    *("ms", "MB", "ops", "XNNPACK"),
)


@dataclass(frozen=True)
class Parity:
    """How far one export is from the training model on the same images; values are in [-1, 1].

    Attributes:
      variant: name of the export.
      images: how many were compared.
      max_abs: largest absolute difference.
      mean_abs: mean absolute difference.
      psnr_db: peak signal-to-noise ratio over all images; infinite when equal.
      worst_psnr_db: of the image that is furthest off.
      ssim: mean structural similarity.
      not_finite: how many output values are NaN or infinite.
      latency_ms: median time of one image.
      size_bytes: of the file.
      operations: how often each operation stands in it.
      delegated: share of operations that XNNPACK takes, 0 to 1; None where there is no such thing.

    Example:
      >>> parity = compare("float16", outputs, truths, 12.0, 5_000_000, {"CONV_2D": 24}, 1.0)
      >>> parity.psnr_db
      >>> parity.fault(40.0)  # None, or the reason why it must not be shipped
    """

    variant: str
    images: int
    max_abs: float
    mean_abs: float
    psnr_db: float
    worst_psnr_db: float
    ssim: float
    not_finite: int
    latency_ms: float
    size_bytes: int
    operations: dict[str, int]
    delegated: float | None

    def fault(self, min_psnr_db: float) -> str | None:
        """The reason why this export must not be shipped; None when it may."""
        if self.not_finite:
            return f"{self.not_finite} output values are NaN or infinite"
        if self.psnr_db < min_psnr_db:
            return f"PSNR {self.psnr_db:.1f} dB is below {min_psnr_db:g} dB"
        return None

    def as_dict(self) -> dict[str, Any]:
        """The fields for JSON, and `max_abs` in steps of 8 bits; infinity, not in JSON, is null."""
        fields = {**asdict(self), "max_levels": image_io.in_levels(self.max_abs)}
        return {key: None if value in (np.inf, -np.inf) else value for key, value in fields.items()}


def compare(
    variant: str,
    outputs: np.ndarray,
    truths: np.ndarray,
    latency_ms: float,
    size_bytes: int,
    operations: Mapping[str, int],
    delegated: float | None,
) -> Parity:
    """Compare the outputs of an export with those of the training model.

    Args:
      variant: name of the export.
      outputs: float32 (N, H, W, C), of the export.
      truths: float32 (N, H, W, C) in [-1, 1], of the training model.
      latency_ms: see `Parity`.
      size_bytes: see `Parity`.
      operations: see `Parity`.
      delegated: see `Parity`.
    """
    finite = np.isfinite(outputs)
    finite_outputs = np.where(finite, outputs, 0)
    differences = np.abs(finite_outputs.astype(np.float64) - truths)
    pairs = list(zip(finite_outputs, truths, strict=True))
    return Parity(
        variant=variant,
        images=len(outputs),
        max_abs=float(differences.max()),
        mean_abs=float(differences.mean()),
        psnr_db=psnr(finite_outputs, truths),
        worst_psnr_db=min(psnr(output, truth) for output, truth in pairs),
        ssim=statistics.fmean(ssim(output, truth) for output, truth in pairs),
        not_finite=int((~finite).sum()),
        latency_ms=latency_ms,
        size_bytes=size_bytes,
        operations=dict(operations),
        delegated=delegated,
    )


def function_of(network: keras.Model) -> ImageFunction:
    """Make a function of a model of Keras: compiled once, an image at a time, as exports run."""
    graph = tf.function(lambda batch: network(batch, training=False), autograph=False)
    return lambda images: np.concatenate([graph(tf.constant(one[np.newaxis])) for one in images])


class ParityCheck:
    """Runs exports on some images and compares each with the training model.

    Args:
      network: float32 (N, H, W, C) in [-1, 1] -> float32 (N, H, W, C'), the training model.
      images: float32 (N, H, W, C) in [-1, 1], all of the size the exports take.
      kernels: what the exports run on, for the report: files of 8 bits give other images on others.

    Example:
      >>> check = ParityCheck(network, images, "LiteRT with XNNPACK")
      >>> check.add("float32", LiteRTModel(path), path, operations_of(path), 1.0, 60.0)
      >>> refused = check.report(folder, allow_lossy=False)
    """

    def __init__(self, network: keras.Model, images: np.ndarray, kernels: str) -> None:
        run = function_of(network)
        self._images, self._kernels = images, kernels
        self._truths = run(images)
        self._reference_ms = median_latency_ms(run, images[:1])
        self._rows: list[Parity] = []
        self._outputs: dict[str, np.ndarray] = {}
        self._files: dict[str, tuple[Path, float]] = {}

    def add(
        self,
        variant: str,
        run: ImageFunction,
        path: Path,
        operations: Mapping[str, int],
        delegated: float | None,
        min_psnr_db: float,
    ) -> Parity:
        """Run and measure one export.

        Args:
          variant: its name.
          run: the export as a function of images.
          path: its file.
          operations: see `Parity`.
          delegated: see `Parity`.
          min_psnr_db: below this it is refused.
        """
        outputs = run(self._images)
        latency = median_latency_ms(run, self._images[:1])
        row = compare(
            variant, outputs, self._truths, latency, path.stat().st_size, operations, delegated
        )
        self._rows.append(row)
        self._outputs[variant], self._files[variant] = outputs, (path, min_psnr_db)
        return row

    def report(self, folder: Path, allow_lossy: bool) -> int:
        """Write parity.json and parity.png, log the table, remove files that are too far off.

        Returns:
          How many were refused.
        """
        faults = self._faults()
        if not allow_lossy:
            for variant in faults:
                self._files[variant][0].unlink()
        rows = [{**row.as_dict(), "fault": faults.get(row.variant)} for row in self._rows]
        report = {
            "reference_ms": self._reference_ms,
            "machine": environment()["platform"],
            "kernels": self._kernels,
            "variants": rows,
        }
        (folder / "parity.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        image_io.save(
            folder / "parity.png", comparison_grid(self._images, self._truths, self._outputs)
        )
        log.info("%s", parity_table(self._rows, self._reference_ms))
        for variant, fault in faults.items():
            outcome = "kept all the same" if allow_lossy else "refused"
            log.info("  %s: %s: %s", outcome, variant, fault)
        return 0 if allow_lossy else len(faults)

    def _faults(self) -> dict[str, str]:
        """By variant, the reason why it must not be shipped."""
        faults = {row.variant: row.fault(self._files[row.variant][1]) for row in self._rows}
        return {variant: fault for variant, fault in faults.items() if fault}


def median_latency_ms(run: ImageFunction, image: np.ndarray, rounds: int = LATENCY_ROUNDS) -> float:
    """Median time of a call, after one that does not count.

    Args:
      run: function of images; what it returns is not looked at.
      image: float32 (1, H, W, C).
      rounds: calls that count.
    """
    run(image)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run(image)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def parity_table(rows: Sequence[Parity], reference_ms: float) -> str:
    """Format the rows for a terminal, the training model's own latency first."""
    lines: list[tuple[str, ...]] = [
        _COLUMNS,
        ("keras", "", "", "", "", "", f"{reference_ms:.0f}", "", "", ""),
    ]
    lines += map(_cells, rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def _cells(row: Parity) -> tuple[str, ...]:
    return (
        row.variant,
        f"{row.psnr_db:.1f}",
        f"{row.worst_psnr_db:.1f}",
        f"{row.ssim:.4f}",
        f"{row.max_abs:.1e}",
        f"{row.mean_abs:.1e}",
        f"{row.latency_ms:.0f}",
        f"{row.size_bytes / 1e6:.1f}",
        str(sum(row.operations.values())),
        "" if row.delegated is None else f"{row.delegated:.0%}",
    )


def comparison_grid(
    inputs: np.ndarray, truths: np.ndarray, outputs: Mapping[str, np.ndarray], max_rows: int = 4
) -> np.ndarray:
    """Draw images side by side: input, the training model's translation, each variant's.

    Args:
      inputs: float32 (N, H, W, C) in [-1, 1].
      truths: float32 (N, H, W, C').
      outputs: by variant, float32 (N, H, W, C').
      max_rows: of the grid.

    Returns:
      uint8 (H', W', 3).
    """
    rows = [
        [
            image_io.from_signed(np.nan_to_num(images[index]))
            for images in (inputs, truths, *outputs.values())
        ]
        for index in range(min(max_rows, len(inputs)))
    ]
    return image_io.make_grid(rows, column_titles=["input", "Keras", *outputs])
