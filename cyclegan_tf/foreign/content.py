"""Files that are not what their names say: pointers, web pages, pipes, bombs, empty ones."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from pathlib import Path

from cyclegan_tf.errors import UserError, cannot_read, reading

_LFS = b"version https://git-lfs"
_PAGES = (b"<!doctype html", b"<html")
_HEAD_BYTES = 512
_ZIP, _HDF5, _PICKLE = b"PK", b"\x89HDF", b"\x80"
_TAR_AT = 257
_TORCH, _KERAS = "a PyTorch checkpoint", "a file of Keras (HDF5 or .keras)"
# Suffix -> what such a file is called, and its first bytes.
_WEIGHTS: dict[str, tuple[str, tuple[bytes, ...]]] = {
    **dict.fromkeys((".pth", ".pt"), (_TORCH, (_ZIP, _PICKLE))),
    **dict.fromkeys((".h5", ".hdf5", ".keras"), (_KERAS, (_HDF5, _ZIP))),
}
# What stands in a zip file for a reader of text; a network's description takes kilobytes.
MAX_TEXT_BYTES = 16 * 2**20
# Deflate reaches 1,032; weights, which are nearly noise, hardly more than 1.
MAX_EXPANSION = 100
_HARMLESS_BYTES = 2**20
_CHUNK_BYTES = 2**20


def what_it_is(path: str | os.PathLike) -> str | None:
    """What is in the place of a file's content, as the rest of a sentence; None for any content.

    A pipe or a device is not opened, which could wait for ever.

    Args:
      path: of a file that is there; a folder is left to the caller.

    Raises:
      OSError: it cannot be read.
    """
    mode = os.stat(path).st_mode
    if stat.S_ISDIR(mode):
        return None
    if not stat.S_ISREG(mode):
        return "is a pipe, a socket or a device, not a file"
    with open(path, "rb") as file:
        return what_bytes_are(file.read(_HEAD_BYTES))


def what_bytes_are(head: bytes) -> str | None:
    """The same by the first bytes, up to all of them."""
    if not head:
        return "is empty (0 bytes)"
    if head.startswith(_LFS):
        return "is a Git LFS pointer, not the file itself; fetch that with `git lfs pull`"
    if head[:_HEAD_BYTES].lstrip().lower().startswith(_PAGES):
        return "is a web page (HTML), not the file itself; fetch that again"
    return None


def refuse_foreign_file(path: Path) -> None:
    """Refuses what has a name, but none of the content it stands for.

    Raises:
      UserError: it is missing, is a pipe, empty, a Git LFS pointer, or a web page.
    """
    try:
        found = what_it_is(path)
    except OSError as error:
        raise cannot_read(path, error) from error
    if found:
        raise UserError(f"{path} {found}.", code="unreadable", field=str(path))


def require_keras_archive(path: Path) -> None:
    """Refuses a file that cannot be a `.keras` file by its content.

    Raises:
      UserError: see `refuse_foreign_file`; or it is no zip archive.
    """
    refuse_foreign_file(path)
    if not zipfile.is_zipfile(path):
        raise UserError(
            f"{path} is damaged, cut off or not a .keras file, which is a zip archive.",
            code="unreadable",
            field=str(path),
        )


def require_beginning(path: Path) -> None:
    """Refuses a file of weights that does not begin as files of its suffix do.

    Its own reader, which takes seconds to import, says what else is wrong.

    Raises:
      UserError: see `refuse_foreign_file`; or it is another kind of file.
    """
    refuse_foreign_file(path)
    kind, beginnings = _WEIGHTS.get(path.suffix.lower(), ("", (b"",)))
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    is_old_torch = head[_TAR_AT:].startswith(b"ustar") and kind == _TORCH
    if not head.startswith(beginnings) and not is_old_torch:
        raise UserError(
            f"{path} is damaged or not {kind}; fetch it again, or give the file that was saved.",
            code="unreadable",
            field=str(path),
        )


def refuse_zip_bomb(path: Path) -> None:
    """Refuses a zip file that would take far more memory than it has bytes.

    Args:
      path: of a file; one that is no zip file passes.

    Raises:
      UserError: a member claims to be far larger than what is stored of it, or is a text of more
        than `MAX_TEXT_BYTES`.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError):
        return  # its own reader says what is wrong
    for member in members:
        is_text = member.filename.endswith(".json") and member.file_size > MAX_TEXT_BYTES
        if is_text or claims_too_much(member.file_size, member.compress_size):
            raise UserError(
                f"{path}: {member.filename} in it claims {member.file_size:,} bytes, of which "
                f"{member.compress_size:,} are stored; it is no network, or was made to fill the "
                "memory.",
                code="memory",
                field=str(path),
            )


def refuse_damaged_zip(path: Path) -> None:
    """Refuses a zip file of which a part is not what its checksum says.

    Readers that jump within a part, as h5py does in a `.keras` file, do not compare it.

    Args:
      path: of a zip file.

    Raises:
      UserError: it is damaged.
    """
    with reading(path, "it is damaged: fetch or write it again"), zipfile.ZipFile(path) as archive:
        for part in archive.infolist():
            read_to_its_end(archive, part)


def read_to_its_end(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    """Reads a part of a zip file to its end, where zipfile compares the checksum.

    Raises:
      Exception: it differs, or cannot be read; zipfile raises many kinds.
    """
    with archive.open(part) as content:
        while content.read(_CHUNK_BYTES):
            pass


def claims_too_much(claimed_bytes: int, stored_bytes: int) -> bool:
    """Whether content is far larger than what a file holds of it."""
    return claimed_bytes > max(_HARMLESS_BYTES, MAX_EXPANSION * stored_bytes)


def sha256(path: Path) -> str:
    """Checksum of a file, in hexadecimal; read piece by piece."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
