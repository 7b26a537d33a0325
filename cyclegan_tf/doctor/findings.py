"""What of a machine's facts harms a training, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cyclegan_tf.errors import install_command

MAX_DIFFERENCE = {"float32": 1e-3, "mixed_bfloat16": 0.1, "mixed_float16": 0.05}
"""How far losses of the first steps may be from the processor's in float32."""

_LITTLE_MEMORY_GIB = 4.0


@dataclass(frozen=True)
class Finding:
    """One thing that was noticed.

    Attributes:
      level: "error" where trainings would be wrong or fail, "warning" where they would be slow,
        "note" for the rest.
      text: what, and what to do.

    Example:
      >>> Finding("note", "There is no GPU.").level
      'note'
    """

    level: Literal["error", "warning", "note"]
    text: str


def look(report: Mapping[str, Any]) -> list[Finding]:
    """Looks at the facts of a report, worst first; keys as the command's --json has them."""
    found = [*_gpus(report), *_memory(report), *_steps(report.get("steps") or [])]
    order = ("error", "warning", "note")
    return sorted(found, key=lambda finding: order.index(finding.level))


def status(found: list[Finding]) -> int:
    """The exit status. 0: fine, 1: trainings would be slow, 2: they would fail or be wrong."""
    levels = {finding.level for finding in found}
    return 2 if "error" in levels else 1 if "warning" in levels else 0


def _gpus(report: Mapping[str, Any]) -> list[Finding]:
    gpus = report["gpus"]
    if gpus["seen"]:
        return []
    if not gpus["driver_knows"] and not gpus["device_file"]:
        return [Finding("note", "There is no GPU here: trainings run on the processor.")]
    if not gpus["driver_knows"]:
        return [
            Finding(
                "warning",
                "There is an NVIDIA device, but nvidia-smi names no GPU: install NVIDIA's driver, "
                "or pass the GPU into this container (docker run --gpus all).",
            )
        ]
    return [Finding("warning", f"TensorFlow does not see the GPU: {_why_unseen(report['cuda'])}")]


def _why_unseen(cuda: Mapping[str, Any]) -> str:
    if cuda["built_for"] is None:
        return f"this TensorFlow was built without CUDA; {install_command('gpu')} brings the other."
    if cuda["missing"]:
        libraries = ", ".join(cuda["missing"])
        return f"{libraries} cannot be found; {install_command('gpu')} brings them."
    return (
        f"its libraries ({cuda['built_for']}) are here; see whether CUDA_VISIBLE_DEVICES hides "
        "the GPU, and whether the driver is as new as that CUDA. With TF_CPP_MIN_LOG_LEVEL=0 "
        "TensorFlow says what it misses."
    )


def _memory(report: Mapping[str, Any]) -> list[Finding]:
    free = report["processor"]["free_memory_gib"]
    if report["gpus"]["seen"] or free is None or free >= _LITTLE_MEMORY_GIB:
        return []
    return [
        Finding(
            "warning",
            f"{free:g} GiB of memory are free; a training at 256 px takes 3: end other programs, "
            "or give --training.gradient_checkpointing true and a smaller --data.crop_size_px.",
        )
    ]


def _steps(rows: list[Mapping[str, Any]]) -> list[Finding]:
    found = []
    for row in rows:
        name = f"{row['device']}, {row['precision']}, XLA {'on' if row['jit'] else 'off'}"
        if row.get("error"):
            found.append(Finding("error", f"A training step failed ({name}): {row['error']}"))
        elif row.get("apart") is not None and not row["apart"] <= MAX_DIFFERENCE[row["precision"]]:
            found.append(
                Finding(
                    "error",
                    f"Losses of the first steps ({name}) are {row['apart']:.2g} apart from the "
                    "processor's in float32: do not trust trainings on this device; update its "
                    "driver, and tell us.",
                )
            )
    return found
