"""What one distillation is asked for, and what its folder was begun with. Needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclegan_tf.atomic import write_text
from cyclegan_tf.errors import UserError

CONFIG = "distill.json"
"""In the folder of a distillation, and what it is known by."""
DEFAULT_MINUTES = 10.0
_MAY_CHANGE = ("max_steps", "max_minutes")


@dataclass(frozen=True)
class Settings:
    """How a student is made and taught.

    Attributes:
      architecture: of `networks.ARCHITECTURES`.
      filters: of the student; None is the architecture's own.
      blocks: likewise.
      images: folder of images; None takes those the teacher was trained on.
      size_px: side of the squares to learn on; None is the teacher's.
      features: whose activations are compared: "auto", "discriminator", "none", or a name of
        `features.catalog`.
      l1: weight of the mean absolute difference.
      ssim: weight of 1 - SSIM.
      feature_weight: weight of the difference of activations.
      statistics: weight of the difference of their means and deviations by channel.
      learning_rate: of the first step; it falls along a cosine to 0.
      batch_size: images of a step.
      looks: crops of each image that the teacher is asked about; its answers are kept.
      max_steps: where to end; None does not.
      max_minutes: likewise.
      seed: of the student's first weights and of the images' order.

    Example:
      >>> Settings(filters=8, max_minutes=1.5).architecture
      'mobile'
    """

    architecture: str = "mobile"
    filters: int | None = None
    blocks: int | None = None
    images: str | None = None
    size_px: int | None = None
    features: str = "auto"
    l1: float = 1.0
    ssim: float = 1.0
    feature_weight: float = 0.2
    statistics: float = 0.2
    learning_rate: float = 2e-3
    batch_size: int = 1
    looks: int = 8
    max_steps: int | None = None
    max_minutes: float | None = None
    seed: int = 0

    def check(self) -> None:
        """Refuse numbers out of range.

        Raises:
          UserError: names the option.
        """
        least: dict[str, int] = {
            "filters": 1, "blocks": 1, "size_px": 16, "batch_size": 1, "looks": 1, "max_steps": 1,
            "seed": 0,
        }  # fmt: skip
        for name, minimum in least.items():
            value = getattr(self, name)
            if value is not None and value < minimum:
                raise UserError(
                    f"--{name} must be {minimum} or more, and is {value}.", field=f"--{name}"
                )
        for name in ("learning_rate", "max_minutes"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UserError(f"--{name} must be above 0, and is {value}.", field=f"--{name}")
        weights = ("l1", "ssim", "feature_weight", "statistics")
        for name in weights:
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise UserError(f"--{name} must be 0 or more, and is {value}.", field=f"--{name}")
        if not any(getattr(self, name) for name in weights):
            raise UserError("all weights of the loss are 0; leave one of them.", field="--l1")

    @property
    def seconds(self) -> float | None:
        """Limit of time; that of `DEFAULT_MINUTES` where nothing ends it otherwise."""
        if self.max_minutes is None and self.max_steps is None:
            return 60 * DEFAULT_MINUTES
        return None if self.max_minutes is None else 60 * self.max_minutes


def begin(out: Path, settings: Settings, teachers: dict[str, str]) -> None:
    """Keep what a folder is begun with, or compare with what it was.

    Args:
      out: the folder, which exists.
      settings: as asked for now.
      teachers: by direction, what describes the teacher and its weights.

    Raises:
      UserError: it was begun with others; names the first that differs.
    """
    values = dataclasses.asdict(settings)
    before = read(out)
    known = dict(before.get("teachers", {}))
    for name, value in values.items() if before else ():
        held = before["settings"].get(name)
        if name not in _MAY_CHANGE and held != value:
            raise UserError(
                f"--{name} is {value}, but {out} was begun with {held}; give that, or another OUT.",
                code="mismatch",
                field=f"--{name}",
            )
    for direction, teacher in teachers.items():
        if known.get(direction, teacher) != teacher:
            raise UserError(
                f"{out} was begun with the teacher {known[direction]}, and this is {teacher}; name "
                "that one (--checkpoint takes a step), or another OUT.",
                code="mismatch",
                field=str(out),
            )
    content = {"settings": values, "teachers": known | teachers}
    if content != before:
        write_text(out / CONFIG, json.dumps(content, indent=1) + "\n", durable=True)


def read(out: Path) -> dict[str, Any]:
    """Read what a folder was begun with; empty where nothing has begun.

    Raises:
      UserError: it cannot be read.
    """
    path = out / CONFIG
    if not path.exists():
        return {}
    try:
        content = json.loads(path.read_bytes())
        if isinstance(content["settings"], dict) and isinstance(content["teachers"], dict):
            return content
    except Exception:  # of the disk, the encoding, the syntax, or other content
        pass
    raise UserError(f"{path} cannot be read; give another OUT.", code="unreadable", field=str(path))


def check_out(out: Path) -> None:
    """Refuse a folder of somebody else's.

    Raises:
      UserError: it is a file, or holds something that no distillation put there.
    """
    if out.exists() and not out.is_dir():
        raise UserError(
            f"{out} is a file; give a folder to write to.", code="exists", field=str(out)
        )
    if out.is_dir() and not (out / CONFIG).exists():
        others = [path.name for path in out.iterdir() if not path.name.startswith(".")]
        if others:
            raise UserError(
                f"{out} holds {others[0]} and no distillation to go on with; give another OUT.",
                code="exists",
                field=str(out),
            )
