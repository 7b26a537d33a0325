"""Names and whole files on any of Beam's file systems.

`cyclegan_tf.atomic` is for this machine's files only.
"""

from __future__ import annotations

import os

from apache_beam.io.filesystem import CompressionTypes
from apache_beam.io.filesystems import FileSystems

from cyclegan_tf.translate.tasks import writable_name

_WILDCARDS = "*?["
_PARTIAL_FOLDER = ".partial"


def is_local(path: str) -> bool:
    """Return whether a path is one of this machine."""
    return FileSystems.get_scheme(path) is None


def fixed_part(pattern: str) -> str:
    """Return a pattern's folders before its first wildcard, to which outputs are relative."""
    first = min(
        (pattern.find(sign) for sign in _WILDCARDS if sign in pattern), default=len(pattern)
    )
    return pattern[: pattern.rfind("/", 0, first) + 1]


def target_of(source: str, pattern: str, output: str) -> str:
    """Return where the translation of a file goes; .png where its format is not written.

    Args:
      source: the file.
      pattern: that matched it.
      output: folder of all targets.
    """
    relative = source.removeprefix(fixed_part(pattern))
    return f"{output.rstrip('/')}/{writable_name(relative)}"


def partial_folder(output: str) -> str:
    """Return the folder of files that are being written; the next job removes what is left."""
    return f"{output.rstrip('/')}/{_PARTIAL_FOLDER}"


def remove_partial_files(output: str) -> None:
    """Remove what a killed job left."""
    folder = partial_folder(output)
    if any(
        match.metadata_list for match in FileSystems.match([f"{folder}/**"])
    ) or FileSystems.exists(folder):
        FileSystems.delete([folder])


def write_whole(path: str, data: bytes, partial: str) -> None:
    """Write a file under another name, then rename it; its folder is made if need be.

    Args:
      path: the file to be.
      data: its content.
      partial: the name until it is complete.

    Raises:
      OSError: it cannot be written.
    """
    for folder in (os.path.dirname(partial), os.path.dirname(path)):
        if folder and not FileSystems.exists(folder):
            FileSystems.mkdirs(folder)
    with FileSystems.create(partial, compression_type=CompressionTypes.UNCOMPRESSED) as stream:
        stream.write(data)
    if not is_local(path) and FileSystems.exists(path):  # not all of them rename onto a file
        FileSystems.delete([path])
    FileSystems.rename([partial], [path])
