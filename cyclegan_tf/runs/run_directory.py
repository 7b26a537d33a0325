"""A run directory: what it holds, who may write to it, and the rules for going on with it."""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cyclegan_tf.atomic import write_text
from cyclegan_tf.config.experiment import SECTIONS, Experiment
from cyclegan_tf.config.files import RENAMED_RECORDS, with_new_names
from cyclegan_tf.errors import UserError, reading
from cyclegan_tf.runs import image_record, seal
from cyclegan_tf.runs.beginning import clear, foreign_entries, make_and_lock, remove_folders
from cyclegan_tf.runs.checkpoints import BEST
from cyclegan_tf.runs.differences import FILE_FIELDS, check_same
from cyclegan_tf.runs.leftovers import remove_leftovers
from cyclegan_tf.runs.lock import FolderLock, HeldElsewhereError
from cyclegan_tf.runs.provenance import environment

log = logging.getLogger(__name__)


def _with_files(values: dict[str, Any], change: Callable[[str, str], str]) -> dict[str, Any]:
    """An experiment's dictionary in which `change` has been made to every file that it names."""
    changed = {section: dict(fields or {}) for section, fields in values.items()}
    for field in FILE_FIELDS:
        section, name = field.split(".")
        if (path := changed.get(section, {}).get(name)) is not None:
            changed[section][name] = change(field, path)
    return changed


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
    def finished_path(self) -> Path:
        """The mark of a finished run; early versions wrote none."""
        return self.path / "finished.json"

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
        seal.check(self.config_path)
        with reading(self.config_path, "it must hold the run's experiment"):
            values = yaml.safe_load(self.config_path.read_text(encoding="utf-8"))
            if not isinstance(values, dict) or not values:
                raise ValueError("it is empty or damaged")
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
        """Names of the images this run began with, by list; None for a new run.

        Raises:
          UserError: the record is damaged.
        """
        record = image_record.read(self.data_path)
        return None if record is None else {name: record[name] for name in image_record.LISTS}

    def data_sums(self) -> dict[str, list[str]]:
        """Sizes and checksums of the images' files, by list; empty in runs of early versions.

        Raises:
          UserError: the record is damaged.
        """
        return (image_record.read(self.data_path) or {}).get("sums", {})

    def data_pairs(self) -> list[list[str]] | None:
        """Names of the partners this run began with; None for a new run or one without."""
        return (image_record.read(self.data_path) or {}).get("pairs")

    def init_record(self) -> dict[str, Any] | None:
        """Where this run's first weights came from, as `create` was given; None for random ones.

        Raises:
          UserError: the record cannot be read.
        """
        if not self.origin_path.is_file():
            return None
        with reading(self.origin_path, "it must hold what the run started from"):
            record = json.loads(self.origin_path.read_bytes())
            record = {RENAMED_RECORDS.get(name, name): value for name, value in record.items()}
            messages = record.get("messages", [])
            if not isinstance(messages, list) or not all(isinstance(m, str) for m in messages):
                raise ValueError("its messages are none")
            return record

    def check_new(self) -> None:
        """Refuses a place that holds something else than a run; reads only.

        Raises:
          UserError: it does.
        """
        try:
            is_foreign = bool(foreign_entries(self.path))
        except OSError as error:
            raise self._unwritable(error) from error
        if is_foreign:
            raise self._foreign()

    def check_ours(self) -> None:
        """Refuses a place that is neither a run nor free for one; reads only.

        Raises:
          UserError: it is somebody else's.
        """
        if not self.exists():
            try:
                self.check_new()
            except UserError:
                if not self.exists():  # else another process has begun a run between both looks
                    raise
        elif self.experiment() and set(SECTIONS) - set(self.config_values()):
            raise self._foreign()  # an experiment file of the same name: runs write all sections

    def _foreign(self) -> UserError:
        return UserError(
            f"{self.path} exists and is not a run directory; give another --run_dir.",
            code="exists",
            field="--run_dir",
        )

    def create(
        self,
        experiment: Experiment,
        images: Mapping[str, Any],
        origin: Mapping[str, Any] | None = None,
    ) -> None:
        """Writes what was asked, on what and with which images; the config last, since it makes a
        run of a folder.

        Of the files that the experiment names it keeps copies of its own, so that it can be moved.

        Args:
          experiment: what was asked.
          images: names by list, and sums of the files by list under "sums".
          origin: where the first weights come from, ready for JSON; None for random ones.

        Raises:
          UserError: the directory cannot be written, or holds something else.
        """
        self.check_new()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_text(self.path / "environment.json", json.dumps(environment(), indent=2) + "\n")
            write_text(self.data_path, json.dumps(images, indent=1) + "\n", durable=True)
            if origin is not None:
                write_text(self.origin_path, json.dumps(origin, indent=2) + "\n", durable=True)
            values = _with_files(experiment.as_dict(), self._keep)
            text = seal.sealed(yaml.safe_dump(values, sort_keys=False))
            write_text(self.config_path, text, durable=True)
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
        check_same(self.path, self.experiment(), experiment)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Holds the directory for this process; the system lets go of it even after kill -9.

        What is not a run's is refused before anything is touched. If no run has begun in the end,
        all that was made here is taken away again.

        Raises:
          UserError: this is neither a run nor free for one, another process is training here, or
            the directory cannot be written.
        """
        self.check_ours()
        lock, made = self._make_and_lock()
        try:
            self.check_ours()  # there may have come something meanwhile
        except BaseException:
            lock.release(remove=lock.created)
            remove_folders(made)
            raise
        try:
            if not self.exists():
                clear(self.path, keep_cache=True)  # left by a start that was killed
            elif lock.is_exclusive:
                best = self.checkpoints / BEST
                remove_leftovers([self.path, self.checkpoints, best, self.samples, self.cache])
            yield
        finally:
            has_begun = self.exists()
            if not has_begun:
                clear(self.path, keep_cache=False)
            lock.release(remove=not has_begun)
            if not has_begun:
                remove_folders(made)

    def _make_and_lock(self) -> tuple[FolderLock, list[Path]]:
        try:
            lock, made = make_and_lock(self.path)
        except HeldElsewhereError as error:
            raise UserError(
                f"{self.path} is in use by another process (number {error.holder}); wait for it, "
                "stop it, or give another --run_dir.",
                code="in_use",
                field=str(self.path),
            ) from None
        except OSError as error:
            raise self._unwritable(error) from error
        if not lock.is_exclusive:
            log.warning(
                f"the file system of {self.path} has no locks: make sure that no other process "
                "trains there"
            )
        return lock, made

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(
            f"The run directory {self.path} cannot be written: {error.strerror or error}.",
            code="unwritable",
            field=str(self.path),
        )

    def finished_step(self) -> int | None:
        """The step after which this run was finished, everything written; None before that."""
        try:
            step = json.loads(self.finished_path.read_bytes())["step"]
        except Exception:  # no mark, or a damaged one, which counts as none
            return None
        return step if type(step) is int else None

    def mark_finished(self, step: int | None) -> None:
        """Writes, or with None removes, the mark that everything is written: the last of all.

        Raises:
          UserError: the directory cannot be written.
        """
        try:
            if step is None:
                self.finished_path.unlink(missing_ok=True)
            else:
                write_text(self.finished_path, json.dumps({"step": step}) + "\n", durable=True)
        except OSError as error:
            raise self._unwritable(error) from error
