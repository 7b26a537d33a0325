"""Which conversion a source and a target ask for, and which targets are refused."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from cyclegan_tf.atomic import refuse_existing
from cyclegan_tf.convert.pix2pix import pix2pix_to_run
from cyclegan_tf.convert.pytorch import files, folder
from cyclegan_tf.convert.task import Task
from cyclegan_tf.convert.to_keras import folder_to_run, keras_2_to_keras, torch_to_keras
from cyclegan_tf.convert.to_pytorch import to_pytorch
from cyclegan_tf.errors import UserError
from cyclegan_tf.runs.run_directory import RunDirectory

TORCH_SUFFIXES = (".pth", ".pt")
KERAS_2_SUFFIXES = (".h5", ".hdf5", ".keras", ".index")


def choose_route(source: Path, target: Path, to: str) -> Callable[[Task], None]:
    """Finds the conversion by the kinds of source and target.

    Args:
      source: an existing file or folder.
      target: what is to be written.
      to: "keras" or "pytorch".

    Raises:
      UserError: there is no such conversion, or PyTorch is missing.
    """
    if to == "pytorch":
        return _route_to_pytorch(source, target)
    if RunDirectory(source).exists():
        raise UserError(
            f"{source} is a run directory already; give --to pytorch to write it for the official "
            "PyTorch code.",
            code="unsupported",
            field=str(source),
        )
    if folder.is_folder_of_networks(source):
        files.require_torch()
        if target.suffix in (".keras", ".pth"):
            raise UserError(
                f"{source} becomes a run directory; give a target that is a folder, or one file "
                "of it.",
                field=str(target),
            )
        return folder_to_run
    if folder.is_folder_of_one_direction(source) and target.suffix not in (".keras", ".pth"):
        files.require_torch()
        return pix2pix_to_run
    is_torch = source.suffix in TORCH_SUFFIXES or folder.is_folder_of_one_generator(source)
    if is_torch:
        files.require_torch()
    elif not _is_of_keras_2(source):
        raise _nothing_known(source)
    if target.suffix != ".keras":
        raise UserError(f"{target} must end in .keras: {source} is one network.", field=str(target))
    return torch_to_keras if is_torch else keras_2_to_keras


def _nothing_known(source: Path) -> UserError:
    found = sorted(source.glob("*.pth")) if source.is_dir() else []
    hint = f"; {source} holds {found[0].name}, which can be given by itself" if found else ""
    return UserError(
        f"{source} is nothing that can be converted: give a .pth, .h5 or .keras file, a folder "
        f"with latest_net_G_A.pth and the like, or a SavedModel{hint}.",
        code="unsupported",
        field=str(source),
    )


def _route_to_pytorch(source: Path, target: Path) -> Callable[[Task], None]:
    is_run = RunDirectory(source).exists()
    if not is_run and source.suffix != ".keras":
        raise UserError(
            f"{source} is neither a run directory nor a .keras file, of which --to pytorch "
            "makes .pth.",
            code="unsupported",
            field=str(source),
        )
    if not is_run and target.suffix != ".pth":
        raise UserError(f"{target} must end in .pth: {source} is one network.", field=str(target))
    files.require_torch()
    return to_pytorch


def _is_of_keras_2(source: Path) -> bool:
    if source.is_file():
        return source.suffix in KERAS_2_SUFFIXES
    return (source / "saved_model.pb").is_file()


def refuse_target(source: Path, target: Path, overwrite: bool) -> None:
    """Refuses a target that exists, or that must not be replaced even if asked.

    Args:
      source: what is converted.
      target: what is to be written.
      overwrite: replace a target that is there.

    Raises:
      UserError: it is the source, is there and not to be replaced, or holds other things.
    """
    if source.resolve() == target.resolve() or target.resolve() in source.resolve().parents:
        raise UserError(
            f"{target} is, or holds, the source; give another target.", field=str(target)
        )
    if target.suffix in (".keras", ".pth"):
        if target.is_dir() or (target.exists() and not overwrite):
            raise UserError(
                f"{target} exists already; give --overwrite to replace it, or another target.",
                code="exists",
                field=str(target),
            )
        return
    refuse_existing(target, overwrite)
    if target.exists() and any(target.iterdir()) and not (
        RunDirectory(target).exists() or folder.is_folder_of_networks(target)
    ):  # fmt: skip
        raise UserError(
            f"{target} holds something else than a conversion would write; give another target.",
            code="exists",
            field=str(target),
        )


def hold_target(target: Path) -> AbstractContextManager[None]:
    """Holds a run directory that is to be replaced, so that no training writes into it.

    Raises:
      UserError: another process has it.
    """
    run = RunDirectory(target)
    if not run.exists():
        return contextlib.nullcontext()
    if os.name == "nt":  # which renames no folder that holds an open file
        with run.locked():
            return contextlib.nullcontext()
    return run.locked()
