"""Facts of this machine: processor, memory, GPUs, and the libraries between them and TensorFlow."""

from __future__ import annotations

import ctypes
import os
import platform
import shutil
import subprocess
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from cyclegan_tf.devices import hardware

PACKAGES = ("cyclegan-tf", "tensorflow", "keras", "numpy")
FEATURES = {
    "avx2": "AVX2",
    "avx512f": "AVX-512",
    "avx512_bf16": "AVX-512 BF16",
    "amx_bf16": "AMX BF16",
}
"""Of /proc/cpuinfo -> as people call them."""

_SMI = (
    "nvidia-smi",
    "--format=csv,noheader,nounits",
    "--query-gpu=name,driver_version,memory.total",
)
_SMI_SECONDS = 20


def packages() -> dict[str, str | None]:
    """Versions by distribution; None for one that is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def processor() -> dict[str, Any]:
    """The processor's name, cores this process may use, GiB of memory and what it multiplies by."""
    flags = hardware.cpu_flags()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "name": _line("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": cores,
        "memory_gib": _gib("MemTotal"),
        "free_memory_gib": _gib("MemAvailable"),
        "features": [text for flag, text in FEATURES.items() if flag in flags],
    }


def gpus_of_the_driver() -> list[dict[str, Any]]:
    """NVIDIA GPUs that the driver knows; empty where there is no driver."""
    if shutil.which(_SMI[0]) is None:
        return []
    try:
        done = subprocess.run(
            _SMI, capture_output=True, text=True, timeout=_SMI_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    rows = [[cell.strip() for cell in line.split(",")] for line in done.stdout.splitlines()]
    return [
        {"name": name, "driver": driver, "memory_gib": _number(memory)}
        for name, driver, memory in (row for row in rows if len(row) == 3)
    ]


def has_nvidia_device() -> bool:
    """Whether the system shows an NVIDIA device, whatever TensorFlow makes of it."""
    return Path("/dev/nvidiactl").exists()


def gpus_of_tensorflow() -> list[dict[str, Any]]:
    """GPUs that TensorFlow can use."""
    import tensorflow as tf

    found = []
    for device in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(device)
        capability = details.get("compute_capability")
        found.append(
            {
                "name": details.get("device_name", "a GPU"),
                "compute_capability": capability and ".".join(map(str, capability)),
            }
        )
    return found


def cuda() -> dict[str, Any]:
    """What TensorFlow was built for, and which of its CUDA libraries are not to be found here."""
    import tensorflow as tf

    build = tf.sysconfig.get_build_info()
    if not build.get("is_cuda_build"):
        return {"built_for": None, "installed": {}, "missing": []}
    major = str(build["cuda_version"]).split(".")[0]
    libraries = {
        f"libcudart.so.{major}": "cuda_runtime",
        f"libcublas.so.{major}": "cublas",
        f"libcudnn.so.{build['cudnn_version']}": "cudnn",
    }
    return {
        "built_for": f"CUDA {build['cuda_version']}, cuDNN {build['cudnn_version']}",
        "installed": _installed_cuda(major),
        "missing": [name for name, package in libraries.items() if not _is_there(name, package)],
    }


def _installed_cuda(major: str) -> dict[str, str]:
    """Versions of NVIDIA's libraries among the Python packages."""
    found = {}
    for name in ("cuda-runtime", "cublas", "cudnn"):
        try:
            found[name] = metadata.version(f"nvidia-{name}-cu{major}")
        except metadata.PackageNotFoundError:
            continue
    return found


def _is_there(library: str, package: str) -> bool:
    """Whether a library lies in NVIDIA's Python package, or where the system looks."""
    try:
        spec = find_spec(f"nvidia.{package}")
    except ModuleNotFoundError:
        spec = None
    places = (spec.submodule_search_locations if spec else None) or ()
    if any((Path(place) / "lib" / library).exists() for place in places):
        return True
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def _line(path: str, key: str) -> str | None:
    """The first value of a key in a file of the system."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), None)


def _gib(key: str) -> float | None:
    text = _line("/proc/meminfo", key)
    return round(int(text.split()[0]) / 2**20, 1) if text else None


def _number(mebibytes: str) -> float | None:
    return round(float(mebibytes) / 1024, 1) if mebibytes.replace(".", "").isdigit() else None
