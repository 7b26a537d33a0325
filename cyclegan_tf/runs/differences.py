"""In what two experiments differ, and what of it keeps a run from going on."""

from __future__ import annotations

import dataclasses
import filecmp
from pathlib import Path

from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.config.networks import AUTO_VALUES
from cyclegan_tf.errors import UserError

# Fields that may differ when a run goes on: they decide what is written or how fast, never the
# result (the best checkpoint is one).
MUTABLE_FIELDS = (
    "logging.log_",
    "logging.sample_",
    "logging.test_",
    "logging.score_features",
    "logging.to",
    "training.checkpoint_",
    "training.keep_checkpoints",
    "training.gradient_checkpointing",
    "training.steps_per_call",
    "training.strategy",
    "data.cache",
    "data.name_",
    "data.tfds_dir",
)
# Fields whose "auto" is decided when a run begins; its config holds the decision.
DATA_AUTO_FIELDS = tuple(f"{name}_{domain}" for name in ("channels", "range") for domain in "xy")
AUTO_FIELDS = (
    *(f"generator.{name}" for name in AUTO_VALUES),
    *(f"data.{name}" for name in DATA_AUTO_FIELDS),
)
# Fields that a run with a color skip has decided to be 0 when it began, where neither was given.
IDENTITY_FIELDS = ("loss.identity_x", "loss.identity_y")
# Fields of how long a run lasts.
LENGTH_FIELDS = tuple(
    f"training.{name}" for name in ("constant_epochs", "decay_epochs", "max_steps", "max_minutes")
)
# Fields that name a file, and what a run calls the copy that it keeps.
FILE_FIELDS = {
    "generator.init_file_xy": "network_xy",
    "generator.init_file_yx": "network_yx",
    "loss.semantic": "semantic",
}


def differences(old: Experiment, new: Experiment) -> list[tuple[str, object, object]]:
    """Lists fields in which two experiments differ, as (dotted name, old value, new value)."""
    before, after = old.as_dict(), new.as_dict()
    return [
        (f"{section}.{name}", before[section][name], value)
        for section, fields in after.items()
        for name, value in fields.items()
        if before[section][name] != value
    ]


def left_out_identity(begun: Experiment) -> bool:
    """Whether a run has gone without identity terms, as those with an active color skip do."""
    has_skip = begun.generator.color_skip != "off" or bool(begun.generator.network_files)
    return has_skip and begun.loss.identity_x == begun.loss.identity_y == 0


def conflicts(begun: Experiment, asked: Experiment) -> list[tuple[str, object, object]]:
    """Finds the differences that decide results, so that a run cannot go on under them.

    Args:
      begun: the run's experiment.
      asked: what it would go on with.

    Returns:
      As `differences`.
    """
    return [
        (name, old, new)
        for name, old, new in differences(begun, asked)
        if not name.startswith(MUTABLE_FIELDS)
        and not (name in AUTO_FIELDS and new == "auto")
        and not (name in IDENTITY_FIELDS and new is None and left_out_identity(begun))
        and not (name in FILE_FIELDS and _same_bytes(old, new))
    ]


def with_decisions(begun: Experiment, asked: Experiment) -> Experiment:
    """Puts what a run's images decided when it began in place of "auto".

    Args:
      begun: the run's experiment.
      asked: what it goes on with.
    """
    decided = {
        name: getattr(begun.data, name)
        for name in DATA_AUTO_FIELDS
        if getattr(asked.data, name) == "auto"
    }
    return dataclasses.replace(asked, data=dataclasses.replace(asked.data, **decided))


def check_same(place: Path, begun: Experiment, asked: Experiment) -> None:
    """Refuses to go on with a run under another experiment.

    Args:
      place: of the run.
      begun: the run's experiment.
      asked: what it would go on with.

    Raises:
      UserError: names every field that differs, with both values.
    """
    found = conflicts(begun, asked)
    if not found:
        return
    fields = "; ".join(f"{name} is {old!r} there, {new!r} asked" for name, old, new in found)
    longer = "--training.more_minutes N makes it longer. " if found[0][0] in LENGTH_FIELDS else ""
    raise UserError(
        f"{place} holds a different experiment: {fields}. {longer}Leave these out to go on with "
        "it, or give another --run_dir.",
        code="mismatch",
        field=found[0][0],
    )


def _same_bytes(one: object, other: object) -> bool:
    """Whether two paths are of files that hold the same."""
    try:
        return filecmp.cmp(str(one), str(other), shallow=False)
    except OSError:
        return False
