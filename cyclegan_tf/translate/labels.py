"""Label files of the sources, carried beside their translations, and a manifest of what was made.

Needs no TensorFlow.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from cyclegan_tf.atomic import atomic_file, write_text
from cyclegan_tf.errors import UserError
from cyclegan_tf.foreign.content import sha256
from cyclegan_tf.foreign.paths import meant
from cyclegan_tf.images.folders import list_folder
from cyclegan_tf.translate.tasks import Task

log = logging.getLogger(__name__)

SUFFIXES = (".png", ".txt", ".json", ".xml")
"""Of label files, lower case."""

FORMAT = "cyclegan_tf translations, 1"
_NAME = "manifest.json"


@dataclass(frozen=True)
class Label:
    """A label file and its copy.

    Example:
      >>> Label(Path("labels/train/1.txt"), Path("translated/train/1.txt"))
    """

    source: Path
    target: Path


@dataclass(frozen=True)
class Carrying:
    """What is to be carried beside the translations.

    Attributes:
      root: folder that sources are named in.
      out: folder that outputs are named in, and the manifest is for.
      manifest: its file.
      labels: source of a task -> its label files.

    Example:
      >>> carrying = plan_labels(Path("labels"), Path("images"), Path("out"), plan.tasks)
      >>> carrying.finish(plan.tasks, {"checkpoint": "step 1000", "direction": "xy"})
    """

    root: Path
    out: Path
    manifest: Path
    labels: Mapping[Path, Sequence[Label]] = field(default_factory=dict)

    def refuse_overwriting(self) -> None:
        """Refuse when a copy exists that is not the label itself, or the manifest does.

        Raises:
          UserError: names it.
        """
        found = [each.target for some in self.labels.values() for each in some if _is_other(each)]
        found += [self.manifest] if self.manifest.exists() else []
        if found:
            raise UserError(
                f"{found[0]} exists already; give --overwrite to replace it, --skip_existing to "
                "go on, or another output.",
                code="exists",
                field=str(found[0]),
            )

    def finish(
        self, tasks: Iterable[Task], generator: Mapping[str, Any], made: Iterable[Path] = ()
    ) -> None:
        """Copy the labels of what is there, and write the manifest.

        Args:
          tasks: all; those without an output are passed over.
          generator: what made the outputs, for the manifest.
          made: outputs that were written now; others keep what an earlier manifest says of them.

        Raises:
          OSError: a file cannot be written.
        """
        done = [task for task in tasks if task.target.is_file()]
        for label in (label for task in done for label in self.labels.get(task.source, ())):
            if not _is_same(label):
                with atomic_file(label.target) as partial:
                    shutil.copyfile(label.source, partial)
        now = set(made)
        entries = {
            task.target.relative_to(self.out).as_posix(): self._entry(task)
            for task in done
            if task.target in now
        }
        _write_manifest(self.manifest, generator, entries)
        bare = sum(1 for task in done if not self.labels.get(task.source))
        if bare:
            log.warning("%d of %d images have no label file", bare, len(done))
        log.info("manifest: %s", self.manifest)

    def _entry(self, task: Task) -> dict[str, Any]:
        labels = self.labels.get(task.source, ())
        return {
            "source": task.source.relative_to(self.root).as_posix(),
            "source_sha256": sha256(task.source),
            "labels": [label.target.relative_to(self.out).as_posix() for label in labels],
        }


def plan_labels(folder: Path, source: Path, out: Path, tasks: Sequence[Task]) -> Carrying:
    """Find the label files of all tasks: of the same folders and stem below `folder`.

    A label lies beside its image's translation and has that name but for the suffix; where an image
    has it (a label map 1.png of a photo 1.png), it is `1.label.png`.

    Args:
      folder: of the labels, whose folders are those of the images (train, val).
      source: the image or folder that is translated.
      out: the output, a file or a folder as `source` is.
      tasks: of it.

    Raises:
      UserError: there is no such folder, or none of the images has a label in it.
    """
    if not folder.is_dir():
        raise UserError(
            f"--labels {folder}: there is no such folder{meant(folder, Path.is_dir) or '.'}",
            code="missing",
            field="--labels",
        )
    root = source if source.is_dir() else source.parent
    known: dict[str, list[Path]] = {}
    for path in list_folder(folder, suffixes=SUFFIXES).images:
        known.setdefault(path.relative_to(folder).with_suffix("").as_posix(), []).append(path)
    sources, targets = {task.source for task in tasks}, {task.target for task in tasks}
    labels = {}
    for task in tasks:
        stem = task.source.relative_to(root).with_suffix("").as_posix()
        paths = [path for path in known.get(stem, ()) if path not in sources]
        labels[task.source] = [Label(path, _target(path, task.target, targets)) for path in paths]
    if not any(labels.values()):
        raise UserError(
            f"--labels {folder} holds no label ({', '.join(SUFFIXES)}) of an image of {source}: "
            "give labels the folders and names of the images, but for the suffix.",
            code="mismatch",
            field="--labels",
        )
    if source.is_dir():
        return Carrying(root, out, out / _NAME, labels)
    target = tasks[0].target
    return Carrying(root, target.parent, target.with_name(f"{target.stem}.{_NAME}"), labels)


def _target(label: Path, output: Path, outputs: set[Path]) -> Path:
    target = output.with_name(output.stem + label.suffix)
    return output.with_name(f"{output.stem}.label{label.suffix}") if target in outputs else target


def _is_same(label: Label) -> bool:
    return label.target.exists() and label.target.samefile(label.source)


def _is_other(label: Label) -> bool:
    return label.target.exists() and not label.target.samefile(label.source)


def _write_manifest(
    path: Path, generator: Mapping[str, Any], entries: Mapping[str, dict[str, Any]]
) -> None:
    """Write a manifest; outputs of an earlier one that are not made anew stay in it."""
    before = _read_manifest(path)
    generators, files = before.get("generators", []), before.get("outputs", {})
    if entries:
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        files |= {name: {**entry, "generator": len(generators)} for name, entry in entries.items()}
        generators = [*generators, {**generator, "written": now}]
    content = {"format": FORMAT, "generators": generators, "outputs": dict(sorted(files.items()))}
    write_text(path, json.dumps(content, indent=1) + "\n")


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
        return content if content["format"] == FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
