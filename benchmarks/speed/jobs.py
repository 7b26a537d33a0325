"""What is measured: contenders, cases, and the job of a worker process."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REFERENCE = "torch-float32-nchw"  # PyTorch as it comes: what every ratio is against


@dataclass(frozen=True)
class Job:
    """One contender's part in one case, sent to its process as JSON.

    Example:
      >>> job = Job("step", "torch", "bfloat16", "nhwc", size_px=256)
      >>> job.name
      'torch-bfloat16-nhwc'

    Attributes:
      kind: what to do; a name in `worker.JOBS`.
      framework: "ours", "torch" or "keras".
      precision: "float32" or "bfloat16"; for ours also "auto".
      layout: "nchw" or "nhwc"; TensorFlow is always the latter.
      compiled: whether torch.compile wraps the networks.
      size_px: side of the images.
      batch: images of each domain per step.
      filters: width of the first layer of all networks.
      blocks: residual blocks of the generators.
      seed: decides the made-up images and the initial weights.
      cache: our `data.cache`, for the input pipeline.
      folder: of images to read.
      target: file or folder to write.
      device: PyTorch's name of where to train; "cpu" or "cuda".
    """

    kind: str
    framework: str = "ours"
    precision: str = "float32"
    layout: str = "nhwc"
    compiled: bool = False
    size_px: int = 128
    batch: int = 1
    filters: int = 64
    blocks: int = 9
    seed: int = 0
    cache: str = "off"
    folder: str = ""
    target: str = ""
    device: str = "cpu"

    @property
    def name(self) -> str:
        """The contender's name, as in tables and in --contenders."""
        parts = [self.framework, self.precision]
        if self.framework == "torch":
            parts += [self.layout] + ["compile"] * self.compiled
        return "-".join(parts)

    def to_json(self) -> str:
        """For the command line of a worker."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Job:
        """Inverse of `to_json`."""
        return cls(**json.loads(text))


def _torch(precision: str, layout: str, compiled: bool = False) -> Job:
    return Job("", "torch", precision, layout, compiled)


# The reference comes first, so that what it needs is known before the others are started.
CONTENDERS = {
    job.name: job
    for job in (
        _torch("float32", "nchw"),
        Job("", "ours", "float32"),
        Job("", "ours", "bfloat16"),
        _torch("float32", "nhwc"),
        _torch("bfloat16", "nchw"),
        _torch("bfloat16", "nhwc"),
        _torch("float32", "nchw", compiled=True),
        _torch("bfloat16", "nhwc", compiled=True),
        Job("", "keras", "float32"),
        Job("", "keras", "bfloat16"),
    )
}
_OURS = ("ours-float32", "ours-bfloat16")
_EAGER = ("torch-float32-nchw", "torch-float32-nhwc", "torch-bfloat16-nchw", "torch-bfloat16-nhwc")
# Ours in its default precision, whichever that turns out to be on this machine.
DEFAULT = "ours-auto"


@dataclass(frozen=True)
class Case:
    """One table of the comparison.

    Attributes:
      kind: the workers' job.
      title: as reports show it.
      size_px: side of the images.
      batch: images of each domain per step.
      per_turn: units of work each time a contender's turn comes.
      warm_up: turns' units done before anything is measured.
      rounds: turns of each contender at most, where the budget allows.
      budget_s: wall time the case may take where that is possible with two rounds.
      contenders: names measured by default; the others come with --all.
      unit: what one measured time is of: "step" or "image".
      options: further fields of the job.
    """

    kind: str
    title: str
    size_px: int
    batch: int
    per_turn: int
    warm_up: int
    rounds: int
    budget_s: float
    contenders: tuple[str, ...]
    unit: str = "step"
    options: tuple[tuple[str, str], ...] = ()


def _step(
    size_px: int,
    batch: int,
    per_turn: int,
    warm_up: int,
    budget_s: float,
    contenders: tuple[str, ...],
) -> Case:
    title = f"training step, {size_px} px, batch {batch}"
    return Case("step", title, size_px, batch, per_turn, warm_up, 5, budget_s, contenders)


def _translation(size_px: int, per_turn: int, budget_s: float, contenders: tuple[str, ...]) -> Case:
    title = f"translation of one image, {size_px} px"
    return Case("translation", title, size_px, 1, per_turn, 2, 5, budget_s, contenders, "image")


def _pipeline(cache: str, title: str) -> Case:
    names = (REFERENCE, DEFAULT)
    return Case("loader", title, 256, 1, 1, 1, 5, 60, names, "image", (("cache", cache),))


CASES = {
    "step-128-1": _step(128, 1, 2, 2, 480, tuple(CONTENDERS)),
    "step-128-4": _step(128, 4, 1, 1, 260, (*_OURS, *_EAGER)),
    "step-256-1": _step(256, 1, 1, 1, 260, (*_OURS, *_EAGER)),
    "step-256-4": _step(256, 4, 1, 1, 330, (REFERENCE, DEFAULT, "torch-bfloat16-nchw")),
    "translation-256": _translation(256, 4, 180, (*_OURS, *_EAGER)),
    "translation-512": _translation(512, 2, 120, (*_OURS, *_EAGER)),
    "folder": Case(
        "translated_folder", "translation of a folder of JPEGs, 256 px, in a warm process", 256, 1,
        1, 1, 3, 90,
        (REFERENCE, DEFAULT, "torch-bfloat16-nchw"), "image",
    ),
    "pipeline-files": _pipeline("off", "input pipeline from JPEG files"),
    "pipeline-cache": _pipeline("memory", "input pipeline from the cache (the torch loader has "
                                          "none)"),
}  # fmt: skip


def jobs_of(
    case: Case,
    default: str,
    every: bool = False,
    only: set[str] | None = None,
    **options: str | int,
) -> list[Job]:
    """The jobs of a case, the reference first.

    Args:
      case: the case.
      default: name of the contender that ours is by default on this machine.
      every: also contenders that are left out to save time.
      only: names to keep, where given.
      **options: further fields of the jobs: filters, blocks, size_px, folder.
    """
    wanted = {default if name == DEFAULT else name for name in case.contenders}
    if every and case.kind in ("step", "translation"):
        wanted = {
            name
            for name, job in CONTENDERS.items()
            if case.kind == "step" or job.framework != "keras"
        }
    if only is not None:
        wanted &= {default if name == DEFAULT else name for name in only}
    fields: dict[str, Any] = {
        "kind": case.kind,
        "size_px": case.size_px,
        "batch": case.batch,
        **dict(case.options),
        **options,
    }
    return [
        dataclasses.replace(job, **fields) for name, job in CONTENDERS.items() if name in wanted
    ]


def folder_command(job: Job) -> list[str]:
    """Arguments of `python` that translate job.folder with the weights left in job.target."""
    if job.framework == "torch":
        return ["-m", "benchmarks.peers.torch_cyclegan", job.to_json()]
    weights = str(Path(job.target) / "generator.keras")
    return [
        "-m",
        "cyclegan_tf.translate",
        weights,
        job.folder,
        job.target,
        "--overwrite",
        "--quiet",
    ]
