"""What the machine offers: precision and compiler that pay on it, memory that is free."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16", "float16": "mixed_float16"}


@dataclass(frozen=True)
class Arithmetic:
    """How the networks compute.

    Attributes:
      dtype_policy: of Keras.
      jit: whether the step is compiled with XLA.
      descriptions: what was chosen and why, by label.

    Example:
      >>> choose_arithmetic("float32", "off").dtype_policy
      'float32'
    """

    dtype_policy: str
    jit: bool
    descriptions: dict[str, str]


def choose_arithmetic(precision: str, jit: str) -> Arithmetic:
    """Chooses precision and compiler for a `training.precision` and a `training.jit`."""
    policy, why_policy = choose_precision(precision)
    compiled, why_jit = choose_jit(jit)
    descriptions = {
        "precision": f"{policy} ({why_policy})",
        "XLA": f"{'on' if compiled else 'off'} ({why_jit})",
    }
    return Arithmetic(policy, compiled, descriptions)


def cpu_flags() -> set[str]:
    """What the first processor can do, in the words of /proc/cpuinfo; empty on other systems."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("flags"):
                return set(line.split(":", 1)[1].split())
    except OSError:
        pass
    return set()


def choose_precision(wanted: str) -> tuple[str, str]:
    """The Keras dtype policy for a `training.precision`, and the reason.

    Args:
      wanted: "auto", "float32", "bfloat16" or "float16".
    """
    if wanted != "auto":
        return POLICIES[wanted], "asked for"
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability")
        if capability and capability >= (8, 0):
            return "mixed_bfloat16", "the GPU has bfloat16 tensor cores"
        return "float32", "the GPU has no bfloat16 tensor cores"
    flags = cpu_flags()
    if "amx_bf16" in flags:
        return "mixed_bfloat16", "the CPU has bfloat16 matrix units (AMX)"
    if "avx512_bf16" in flags:
        return (
            "mixed_bfloat16",
            "the CPU multiplies bfloat16 twice as fast as float32 (AVX-512 BF16)",
        )
    return "float32", "the CPU has no bfloat16 instructions (AMX, AVX-512 BF16)"


def choose_jit(wanted: str) -> tuple[bool, str]:
    """Whether to compile the step with XLA for a `training.jit`, and the reason."""
    if wanted != "auto":
        return wanted == "on", "asked for"
    if has_gpu():
        return True, "XLA fuses the small operations on a GPU"
    return False, "XLA is no gain on a CPU"


def has_gpu() -> bool:
    """Whether TensorFlow sees a GPU."""
    return bool(tf.config.list_physical_devices("GPU"))


def has_accelerator() -> bool:
    """Whether steps run on another device than the processor, which then need not wait for them."""
    return has_gpu() or bool(tf.config.list_logical_devices("TPU"))


def free_memory_bytes() -> int:
    """Main memory that new data can take without swapping; 2 GiB where it is not known."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 2 * 1024**3
