"""PyTorch's checkpoint files: read without running code that lies in them, written whole or not."""

from __future__ import annotations

import importlib.util
import re
import sys
import warnings
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np

from cyclegan_tf.atomic import atomic_file
from cyclegan_tf.convert.pytorch import archives
from cyclegan_tf.errors import UserError, install_command

# Where people put a state_dict among other things they save.
_WRAPPERS = ("state_dict", "model_state_dict", "model")
# What torch.nn.DataParallel and torch.compile put before every name.
_PREFIXES = ("module.", "_orig_mod.")


def require_torch() -> None:
    """Checks that PyTorch is there, and makes it safe to import beside TensorFlow.

    PyTorch's GPU builds load triton at need. It and TensorFlow both bring LLVM, and the second one
    to be loaded ends the process ("Option registered more than once"); PyTorch does without where
    the import of triton fails.

    Raises:
      UserError: it is not there.
    """
    if importlib.util.find_spec("torch") is None:
        raise UserError(
            f"PyTorch checkpoints need torch: {install_command('torch')}", code="dependency"
        )
    if "tensorflow" in sys.modules:
        sys.modules.setdefault("triton", cast(ModuleType, None))


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """Reads the arrays of a checkpoint by name, in the file's order.

    Only tensors and plain containers are read, so that nothing in a file can run. Files of before
    and after PyTorch 1.6 are read, and such that hold the weights under one of a few usual names.
    `module.` is taken off the names. The checksums of the newer ones are compared first.

    Args:
      path: a file of `torch.save`.

    Returns:
      Floating-point numbers as float32, all others in their own dtype.

    Raises:
      UserError: there is no such file, it is damaged, is no checkpoint, or would run code; or torch
        is missing.
    """
    require_torch()
    if path.is_dir():
        raise UserError(f"{path} is a folder, not a file.", code="missing", field=str(path))
    archives.require_intact(path)
    tensors = _tensors(_loaded(path), path)
    arrays = {name: _array(tensor, name, path) for name, tensor in tensors.items()}
    while prefix := next(
        (p for p in _PREFIXES if all(name.startswith(p) for name in arrays)), None
    ):
        arrays = {name.removeprefix(prefix): array for name, array in arrays.items()}
    return arrays


def _loaded(path: Path) -> Any:
    import torch

    try:
        # PyTorch warns of old forms of files, which does not concern readers of weights.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zip, pickle, struct and PyTorch itself each raise their own kinds
        reason = " ".join(str(error).split())
        wanted = re.search(r"GLOBAL ([\w.]+)", reason)
        if wanted:
            raise UserError(
                f"{path} holds more than weights: it asks for {wanted[1]}, which could run any "
                f"code, so it was not "
                'opened; save it again as torch.save(network.state_dict(), "weights.pth") where '
                "you trust it.",
                code="unsupported",
                field=str(path),
            ) from error
        raise archives.damaged(path, error) from error


def _tensors(loaded: Any, path: Path) -> dict[str, Any]:
    """The names and tensors of a state_dict, taken out of what may be around it."""
    import torch

    for wrapper in _WRAPPERS:
        if isinstance(loaded, Mapping) and isinstance(loaded.get(wrapper), Mapping):
            loaded = loaded[wrapper]
    if not isinstance(loaded, Mapping) or not loaded:
        raise UserError(
            f"{path} holds no weights by name but {_what(loaded)}; give a file of a state_dict.",
            code="unsupported",
            field=str(path),
        )
    for name, value in loaded.items():
        if not isinstance(name, str) or not isinstance(value, torch.Tensor):
            raise UserError(
                f"{path} holds {_what(value)} under {name!r}, not only weights by name; give a "
                "file of a state_dict.",
                code="unsupported",
                field=str(path),
            )
    return dict(loaded)


def _what(value: Any) -> str:
    return (
        "nothing"
        if isinstance(value, Mapping) and not value
        else f"something of type {type(value).__name__}"
    )


def _array(tensor: Any, name: str, path: Path) -> np.ndarray:
    try:
        return (tensor.detach().float() if tensor.is_floating_point() else tensor.detach()).numpy()
    except (RuntimeError, TypeError) as error:
        raise UserError(
            f"{path} holds {name} in a form that is not supported ({tensor.layout}).",
            code="unsupported",
            field=str(path),
        ) from error


def write_state_dict(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes a checkpoint as `torch.save(network.state_dict(), path)` does, whole or not at all.

    Args:
      path: the file to be; one that is there is replaced.
      arrays: by name, in the order to keep; whole numbers become int64, all others float32.

    Raises:
      UserError: torch is missing, or the file cannot be written.
    """
    require_torch()
    import torch

    tensors = OrderedDict((name, torch.from_numpy(_plain(array))) for name, array in arrays.items())
    try:
        with atomic_file(path) as partial, partial.open("wb") as file:
            torch.save(tensors, file)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"{path} cannot be written ({reason}); fix that or give another name.",
            code="unwritable",
            field=str(path),
        ) from error


def _plain(array: np.ndarray) -> np.ndarray:
    """Copies into the order of memory that PyTorch writes; numbers without axes stay so."""
    return np.array(
        array, np.int64 if np.issubdtype(array.dtype, np.integer) else np.float32, order="C"
    )
