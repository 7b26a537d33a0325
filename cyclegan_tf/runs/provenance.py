"""What a run was made with: versions, machine, command, commit."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = (
    "cyclegan-tf",
    "tensorflow",
    "keras",
    "numpy",
    "pillow",
    "tensorboard",
    "tensorflow-datasets",
)


def environment() -> dict[str, Any]:
    """Describe the present process, ready for JSON."""
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return {
        "command": sys.argv,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "versions": versions,
        "git_commit": git_commit(),
    }


def git_commit() -> str | None:
    """Commit of the checkout this package lies in, with "+" when it was changed; None elsewhere."""
    here = Path(__file__).resolve().parents[1]
    if not (here.parent / ".git").exists():  # installed: git would describe whatever lies around it
        return None
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12"],
            cwd=here, capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return described.stdout.strip()
