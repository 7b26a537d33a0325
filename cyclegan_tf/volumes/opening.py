"""Finds, opens and saves volumes, whatever kind of file they are."""

from __future__ import annotations

import importlib.util
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cyclegan_tf.atomic import atomic_directory, atomic_file
from cyclegan_tf.errors import UserError, install_command
from cyclegan_tf.foreign.content import what_it_is
from cyclegan_tf.images.folders import refuse_unreadable
from cyclegan_tf.volumes import dicom, dicom_output, metaimage, nifti, nrrd
from cyclegan_tf.volumes.volume import Volume

SUFFIXES = (".nii.gz", ".nii", ".mha", ".nrrd")
"""Of files that are volumes, lower case; a folder that holds .dcm files is one, too."""

_PACKAGES = {".nii.gz": "nibabel", ".nii": "nibabel", ".nrrd": "nrrd", dicom.SUFFIX: "pydicom"}


class VolumeError(UserError):
    """A volume that cannot be used; its text is `{path}: {reason}`.

    Args:
      path: its file or folder.
      reason: what is wrong.
      code: as of `UserError`.

    Example:
      >>> raise VolumeError(Path("ct.nii"), "is empty (0 bytes)")
    """

    def __init__(self, path: Path, reason: str, error: UserError | None = None):
        code = "unreadable" if error is None else error.code
        super().__init__(f"{path}: {reason}", code=code, field=str(path))
        self.args = (path, reason, error)  # what pickle calls it with
        self.path, self.reason = path, reason

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


@dataclass(frozen=True)
class VolumeListing:
    """The volumes below a folder.

    Attributes:
      volumes: files, and folders of DICOM series, in the order of their relative names.
      others: lower-case suffix (or "without suffix") -> number of all other files.

    Example:
      >>> list_volumes(Path("scans")).volumes
      (PosixPath('scans/a.nii.gz'), PosixPath('scans/series_1'))
    """

    volumes: tuple[Path, ...]
    others: Mapping[str, int]


def suffix_of(name: str | os.PathLike) -> str:
    """Give the suffix of a volume's file, lower case; "" for another name."""
    lower = os.fspath(name).lower()
    return next((each for each in SUFFIXES if lower.endswith(each)), "")


def stem_of(name: str) -> str:
    """Strip the suffix of a volume's file; a folder's name stays."""
    return name[: len(name) - len(suffix_of(name))]


def is_volume(path: Path) -> bool:
    """Return whether a path names a volume: a file by its suffix, a folder by its .dcm files."""
    if path.is_dir():
        return bool(dicom.files_of(path))
    return bool(suffix_of(path.name))


def holds_volumes(folder: Path) -> bool:
    """Return whether a folder, or one below it, holds a volume."""
    return folder.is_dir() and bool(list_volumes(folder, first_only=True).volumes)


def list_volumes(
    folder: Path, leave_out: Path | None = None, *, first_only: bool = False
) -> VolumeListing:
    """List the volumes below a folder, links to folders followed, names with a dot passed over.

    Args:
      folder: to look through; it may be a series itself.
      leave_out: a folder that is not looked into.
      first_only: stop at the first one.

    Raises:
      UserError: a folder cannot be entered.
    """
    found: list[Path] = []
    others: Counter[str] = Counter()
    visited = set() if leave_out is None else {os.path.realpath(leave_out)}
    for parent, folders, files in os.walk(folder, onerror=refuse_unreadable, followlinks=True):
        real = os.path.realpath(parent)
        is_known = real in visited
        visited.add(real)
        folders[:] = sorted(name for name in folders if not is_known and name[0] != ".")
        names = [] if is_known else [name for name in files if name[0] != "."]
        found += [Path(parent, name) for name in names if suffix_of(name)]
        if any(name.lower().endswith(dicom.SUFFIX) for name in names):
            found.append(Path(parent))
        known = (*SUFFIXES, dicom.SUFFIX)
        rest = [name for name in names if not name.lower().endswith(known)]
        others.update(Path(name).suffix.lower() or "without suffix" for name in rest)
        if found and first_only:
            break
    found.sort(key=lambda path: path.relative_to(folder).as_posix())
    return VolumeListing(tuple(found), others)


def require_reader(path: Path) -> None:
    """Check that the package is installed that reads a kind of volume.

    Raises:
      UserError: it is not; the text gives the command.
    """
    package = _PACKAGES.get(suffix_of(path.name) or dicom.SUFFIX)
    if package and importlib.util.find_spec(package) is None:
        raise UserError(
            f"{path} needs the package {package}: {install_command('medical')}",
            code="dependency",
            field=package,
        )


def open_volume(path: Path) -> Volume:
    """Open a volume; its voxels stay on the disk where that is possible.

    Args:
      path: a file, or the folder of a DICOM series.

    Raises:
      VolumeError: it is missing, damaged, or nothing that is read.
      UserError: a package is missing.
    """
    require_reader(path)
    readers = {".mha": metaimage.read, ".nrrd": nrrd.read}
    try:
        if found := what_it_is(path):
            raise UserError(found, code="unreadable")
        if path.is_dir():
            return dicom.read(path)
        return readers.get(suffix_of(path.name), nifti.read)(path)
    except UserError as error:
        raise VolumeError(path, str(error), error) from error
    except Exception as error:  # the readers raise whatever a broken file makes them raise
        said = getattr(error, "strerror", None) or " ".join(str(error).split())[:100]
        raise VolumeError(path, f"is damaged, cut off or cannot be opened ({said})") from error


def check_target(target: Path, is_series: bool) -> None:
    """Refuse a name under which a volume is not written.

    Args:
      target: the file, or folder, to be.
      is_series: whether the source is a DICOM series, from which alone one is made.

    Raises:
      UserError: names what is written.
    """
    if suffix_of(target.name):
        require_reader(target)
        return
    if is_series and not target.suffix:
        return
    also = ", or a folder for a DICOM series" if is_series else ""
    raise UserError(
        f"{target}: volumes are written as {', '.join(SUFFIXES)}{also}; name the output so.",
        code="unsupported",
        field=str(target),
    )


def save_volume(
    target: Path, values: np.ndarray, source: Volume, *, is_same_unit: bool, replace: bool
) -> None:
    """Write a translated volume; the file, or folder, appears whole or not at all.

    Args:
      target: as `check_target` takes it.
      values: (i, j, k), in the unit that the file is to have.
      source: what it was translated from; its affine and, of the same kind, its header are copied.
      is_same_unit: whether the values are of the source's unit.
      replace: put it in the place of a folder that is there.

    Raises:
      UserError: the folder is there, and is not to be replaced.
      OSError: it cannot be written.
    """
    suffix = suffix_of(target.name)
    if not suffix:
        with atomic_directory(target, replace) as folder:
            dicom_output.write(folder, values, source, is_same_unit)
        return
    with atomic_file(target) as partial:
        if suffix == ".mha":
            metaimage.write(partial, values, source)
        elif suffix == ".nrrd":
            nrrd.write(partial, values, source)
        else:
            nifti.write(partial, target.name, values, source)
