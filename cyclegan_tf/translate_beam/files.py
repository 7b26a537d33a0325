"""Names and whole files on any of Beam's file systems.

`cyclegan_tf.atomic` is for this machine's files only.
"""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from cyclegan_tf.atomic import atomic_file, is_abandoned, partial_name, scratch_directory
from cyclegan_tf.errors import UserError
from cyclegan_tf.images.folders import refuse_unreadable
from cyclegan_tf.translate.tasks import writable_name

_WILDCARDS = "*?["


def is_local(path: str) -> bool:
    """Return whether a path is one of this machine."""
    return FileSystems.get_scheme(path) is None


def fixed_part(pattern: str) -> str:
    """Return a pattern's folders before its first wildcard, to which outputs are relative."""
    first = min(
        (pattern.find(sign) for sign in _WILDCARDS if sign in pattern), default=len(pattern)
    )
    return pattern[: pattern.rfind("/", 0, first) + 1]


def refuse_unreadable_folders(pattern: str) -> None:
    """Refuse a pattern over folders of this machine that cannot be entered; Beam passes over them.

    Raises:
      UserError: names the folder.
    """
    if is_local(pattern):
        for _ in os.walk(fixed_part(pattern), onerror=refuse_unreadable):
            pass


def target_of(source: str, pattern: str, output: str) -> str:
    """Return where the translation of a file goes; .png where its format is not written.

    Args:
      source: the file.
      pattern: that matched it.
      output: folder of all targets.
    """
    relative = source.removeprefix(fixed_part(pattern))
    return f"{output.rstrip('/')}/{writable_name(relative)}"


@contextlib.contextmanager
def partial_folder(output: str) -> Iterator[str]:
    """Give a folder within `output` for the files that one job is writing; it is gone afterwards.

    What killed jobs have left goes, too.

    Raises:
      UserError: `output` is of this machine and cannot be written.
    """
    output = output.rstrip("/")
    if is_local(output):
        with _writable_scratch(Path(output)) as scratch:
            yield str(scratch)
        return
    remove_abandoned(output)
    folder = f"{output}/{partial_name()}"
    try:
        yield folder
    finally:
        if FileSystems.match([f"{folder}/**"])[0].metadata_list or FileSystems.exists(folder):
            FileSystems.delete([folder])


def _writable_scratch(output: Path) -> AbstractContextManager[Path]:
    try:
        output.mkdir(parents=True, exist_ok=True)
        with scratch_directory(output):  # fails now, not after the work
            pass
    except OSError as error:
        raise UserError(
            f"{output} cannot be written: {error.strerror or error}.",
            code="unwritable",
            field="OUTPUT",
        ) from error
    return scratch_directory(output)


def remove_abandoned(output: str) -> None:
    """Remove the folders and files of jobs that no longer run.

    Args:
      output: a folder of another file system, without a slash at its end.
    """
    changes: dict[str, float] = {}
    for pattern in (f"{output}/.partial-*/**", f"{output}/.partial-*"):
        for file in FileSystems.match([pattern])[0].metadata_list:
            name = file.path.removeprefix(f"{output}/").split("/")[0]
            changes[name] = max(changes.get(name, 0), file.last_updated_in_seconds)
    for name, changed in changes.items():
        if is_abandoned(name, functools.partial(float, changed)):
            FileSystems.delete([f"{output}/{name}"])


def write_whole(path: str, data: bytes, partial: str) -> None:
    """Write a file under another name, then rename it; its folder is made if need be.

    Args:
      path: the file to be.
      data: its content.
      partial: the name until it is complete; of a file of this machine, one is chosen.

    Raises:
      OSError: it cannot be written.
    """
    if is_local(path):
        with atomic_file(path) as chosen:
            chosen.write_bytes(data)
        return
    for folder in (os.path.dirname(partial), os.path.dirname(path)):
        if folder and not FileSystems.exists(folder):
            FileSystems.mkdirs(folder)
    with FileSystems.create(partial, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
        stream.write(data)
    if FileSystems.exists(path):  # not all of them rename onto a file
        FileSystems.delete([path])
    FileSystems.rename([partial], [path])
