"""The machine and the versions a result was measured with."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path

FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16", "amx_tile")
PACKAGES = ("cyclegan-tf", "tensorflow", "keras", "torch", "numpy", "pillow")


def describe() -> dict:
    """CPU, memory, versions and date."""
    fields = _cpu_fields()
    flags = set(fields.get("flags", "").split())
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": fields.get("model name") or platform.processor() or platform.machine(),
        "flags": [flag for flag in FLAGS if flag in flags],
        "cores": cores,
        "memory_gib": round(memory_bytes("MemTotal") / 2**30, 1),
        "system": platform.platform(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}},
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def memory_bytes(field: str) -> int:
    """A line of /proc/meminfo, such as MemAvailable; 0 where the system does not tell."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


@dataclass(frozen=True)
class Ran:
    """A command that has ended: its exit status (negative: the signal), and what it took and printed."""

    status: int
    seconds: float
    peak_bytes: int
    printed: str


def run_measured(words: list[str]) -> Ran:
    """Runs a command; memory is the most that its process held, without its children (Linux).

    The kernel's maximum outlives exec: it is at least what the calling process held, which should hold little.
    """
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(words, stdout=printed, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - start
        printed.seek(0)
        return Ran(process.returncode, seconds, usage.ru_maxrss * 1024, printed.read())


def _cpu_fields() -> dict[str, str]:
    """Of the first core."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").split("\n\n")[0].splitlines()
    except OSError:
        return {}
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
