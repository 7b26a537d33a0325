"""A run directory: what it holds, who may write to it, and the rules for going on with it."""

from __future__ import annotations

import contextlib
import filecmp
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from cyclegan_tf.atomic import write_text
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.config.files import RENAMED_RECORDS, with_new_names
from cyclegan_tf.config.networks import AUTO_VALUES
from cyclegan_tf.errors import UserError
from cyclegan_tf.runs.metrics_log import truncate_metrics
from cyclegan_tf.runs.provenance import environment

# Fields that may differ when a run goes on: they decide what is written or how fast, never the
# result (the best checkpoint is one).
MUTABLE_FIELDS = (
    "logging.log_",
    "logging.sample_",
    "logging.test_",
    "training.checkpoint_",
    "training.keep_checkpoints",
    "training.gradient_checkpointing",
    "training.strategy",
    "data.cache",
    "data.tfds_dir",
)
# Fields whose "auto" is decided when a run begins; its config holds the decision.
AUTO_FIELDS = tuple(f"generator.{name}" for name in AUTO_VALUES)
# Fields that a run with a color skip has decided to be 0 when it began, where neither was given.
IDENTITY_FIELDS = ("loss.identity_x", "loss.identity_y")
# Fields that name a file, and what a run calls the copy that it keeps.
FILE_FIELDS = {"generator.init_file_xy": "network_xy", "generator.init_file_yx": "network_yx"}


def differences(old: Experiment, new: Experiment) -> list[tuple[str, object, object]]:
    """Fields in which two experiments differ, as (dotted name, old value, new value)."""
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


def _with_files(values: dict[str, Any], change: Callable[[str, str], str]) -> dict[str, Any]:
    """An experiment's dictionary in which `change` has been made to every file that it names."""
    changed = {section: dict(fields or {}) for section, fields in values.items()}
    for field in FILE_FIELDS:
        section, name = field.split(".")
        if (path := changed.get(section, {}).get(name)) is not None:
            changed[section][name] = change(field, path)
    return changed


def _same_bytes(one: object, other: object) -> bool:
    """Whether two paths are of files that hold the same."""
    try:
        return filecmp.cmp(str(one), str(other), shallow=False)
    except OSError:
        return False


@dataclass(frozen=True)
class RunDirectory:
    """Paths of one training run.

    Attributes:
      path: the directory.

    Example:
      >>> run = RunDirectory(Path("runs/demo"))
      >>> if run.exists():
      ...     print(run.experiment().data.source)
    """

    path: Path

    @property
    def config_path(self) -> Path:
        """The resolved experiment."""
        return self.path / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoint files."""
        return self.path / "checkpoints"

    @property
    def logs(self) -> Path:
        """Folder for TensorBoard."""
        return self.path / "logs"

    @property
    def samples(self) -> Path:
        """Folder of image grids."""
        return self.path / "samples"

    @property
    def cache(self) -> Path:
        """Folder of the disk cache."""
        return self.path / "cache"

    @property
    def data_path(self) -> Path:
        """Which images train and which test."""
        return self.path / "data.json"

    @property
    def metrics_path(self) -> Path:
        """One JSON object per line: kind, step, epoch, values."""
        return self.path / "metrics.jsonl"

    @property
    def origin_path(self) -> Path:
        """Where the first weights came from; only in runs that did not begin with random ones."""
        return self.path / "init.json"

    def exists(self) -> bool:
        """Whether a run has begun here."""
        return self.config_path.is_file()

    def config_values(self) -> dict[str, Any]:
        """The written config as a nested dictionary.

        Raises:
          UserError: this is not a run directory.
        """
        if not self.exists():
            raise UserError(
                f"{self.path} is not a run directory: it has no config.yaml.",
                code="missing",
                field=str(self.path),
            )
        try:
            values = yaml.safe_load(self.config_path.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise UserError(
                f"{self.config_path} cannot be read: {' '.join(str(error).split())}",
                code="unreadable",
                field=str(self.config_path),
            ) from error
        if not isinstance(values, dict):
            raise UserError(
                f"{self.config_path} is empty or damaged; it must hold the run's experiment.",
                code="unreadable",
                field=str(self.config_path),
            )
        return with_new_names(values, str(self.config_path))

    def experiment(self) -> Experiment:
        """The experiment this run holds, the files it names where they are now.

        Raises:
          UserError: this is not a run directory, or its config is not one of this version.
        """
        values = self.config_values()
        try:
            return Experiment.from_dict(self.with_absolute_paths(values))
        except (TypeError, ValueError) as error:
            raise UserError(
                f"{self.config_path} does not fit this version of cyclegan_tf: {error}",
                code="mismatch",
                field=str(self.config_path),
            ) from error

    def with_absolute_paths(self, values: dict[str, Any]) -> dict[str, Any]:
        """This run's config with the files it names where they are now; a run may have been
        moved."""
        return _with_files(values, lambda _, path: str(self.path.absolute() / path))

    def data_split(self) -> dict[str, list[str]] | None:
        """Names of the images this run began with, by list; None for a new run."""
        return (
            json.loads(self.data_path.read_text(encoding="utf-8"))
            if self.data_path.is_file()
            else None
        )

    def init_record(self) -> dict[str, Any] | None:
        """Where this run's first weights came from, as `create` was given; None for random ones.

        Raises:
          UserError: the record cannot be read.
        """
        if not self.origin_path.is_file():
            return None
        try:
            record = json.loads(self.origin_path.read_text(encoding="utf-8"))
            return {RENAMED_RECORDS.get(name, name): value for name, value in record.items()}
        except (OSError, ValueError, AttributeError) as error:
            raise UserError(
                f"{self.origin_path} is damaged: it must hold what the run started from.",
                code="unreadable",
                field=str(self.origin_path),
            ) from error

    def check_new(self) -> None:
        """Refuses a directory that holds something else than a run.

        Raises:
          UserError: it does.
        """
        if self.path.is_dir() and any(
            entry.name not in (".lock", "cache") for entry in self.path.iterdir()
        ):
            raise UserError(
                f"{self.path} exists and is not a run directory; give another --run_dir.",
                code="exists",
                field="--run_dir",
            )

    def create(
        self,
        experiment: Experiment,
        images: Mapping[str, Sequence[str]],
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes what was asked, on what and with which images; the config last, since it makes a
        run of a folder.

        Of the files that the experiment names it keeps copies of its own, so that it can be moved.

        Args:
          experiment: what was asked.
          images: names by list.
          origin: where the first weights come from, ready for JSON; None for random ones.

        Raises:
          UserError: the directory cannot be written, or holds something else.
        """
        self.check_new()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(self.path / "environment.json", json.dumps(environment(), indent=2) + "\n")
            write_text(self.data_path, json.dumps(images, indent=1) + "\n")
            if origin is not None:
                write_text(self.origin_path, json.dumps(origin, indent=2) + "\n")
            values = _with_files(experiment.as_dict(), self._keep)
            write_text(self.config_path, yaml.safe_dump(values, sort_keys=False))
        except OSError as error:
            raise self._unwritable(error) from error

    def _keep(self, field: str, path: str) -> str:
        """Copies the file of a field into the run; returns its name there."""
        name = FILE_FIELDS[field] + Path(path).suffix
        shutil.copyfile(path, self.path / name)
        return name

    def check_resumable(self, experiment: Experiment) -> None:
        """Refuses to go on under another experiment.

        Raises:
          UserError: names every field that differs, with both values.
        """
        begun = self.experiment()
        found = [
            (name, old, new)
            for name, old, new in differences(begun, experiment)
            if not name.startswith(MUTABLE_FIELDS)
            and not (name in AUTO_FIELDS and new == "auto")
            and not (name in IDENTITY_FIELDS and new is None and left_out_identity(begun))
            and not (name in FILE_FIELDS and _same_bytes(old, new))
        ]
        if found:
            fields = "; ".join(
                f"{name} is {old!r} there, {new!r} asked" for name, old, new in found
            )
            raise UserError(
                f"{self.path} holds a different experiment: {fields}. Leave these out to go on "
                "with it, or give another --run_dir.",
                code="mismatch",
                field=found[0][0],
            )

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the directory for this process; the system lets go of it even after kill -9.

        Raises:
          UserError: another process is training here, or the directory cannot be written.
        """
        lock = FileLock(self.path / ".lock")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(blocking=False)
        except Timeout:
            raise UserError(
                f"{self.path} is in use by another process (number {self._holder()}); wait for it, "
                "stop it, or give another --run_dir.",
                code="in_use",
                field=str(self.path),
            ) from None
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            (self.path / ".lock").write_text(str(os.getpid()), encoding="utf-8")
            yield
        finally:
            self._leave_nothing_unbegun()
            lock.release()

    def _holder(self) -> str:
        """The number of the process that holds the lock; Windows lets nobody else read it."""
        try:
            return (self.path / ".lock").read_text(encoding="utf-8").strip() or "unknown"
        except OSError:
            return "unknown"

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(
            f"The run directory {self.path} cannot be written: {error.strerror or error}.",
            code="unwritable",
            field=str(self.path),
        )

    def _leave_nothing_unbegun(self) -> None:
        """Takes away what a start that failed has made."""
        if self.exists():
            return
        shutil.rmtree(self.cache, ignore_errors=True)
        (self.path / ".lock").unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty: somebody else's
            self.path.rmdir()

    def truncate_metrics(self, step: int) -> None:
        """Drop rows of metrics.jsonl later than `step`: the resumed run writes them again."""
        truncate_metrics(self.metrics_path, step)
