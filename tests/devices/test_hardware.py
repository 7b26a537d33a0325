"""Choices by machine, each with its reason."""

import pytest
import tensorflow as tf

from cyclegan_tf.devices import hardware


def gpu(monkeypatch, capability):
    monkeypatch.setattr(
        tf.config, "list_physical_devices", lambda kind=None: ["gpu"] if capability else []
    )
    details = {"compute_capability": capability}
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda _: details)


@pytest.mark.parametrize(
    ("capability", "flags", "policy", "reason"),
    [
        ((8, 0), set(), "mixed_bfloat16", "tensor cores"),
        ((7, 5), {"amx_bf16"}, "float32", "no bfloat16 tensor cores"),
        (None, {"amx_bf16", "avx2"}, "mixed_bfloat16", "AMX"),
        (None, {"avx512_bf16", "avx512f"}, "mixed_bfloat16", "AVX-512 BF16"),
        (None, {"avx512_bf16", "amx_bf16"}, "mixed_bfloat16", "AMX"),
        ((7, 5), {"avx512_bf16"}, "float32", "no bfloat16 tensor cores"),
        (None, {"avx512f", "avx512vl"}, "float32", "no bfloat16 instructions"),
        (None, {"avx2"}, "float32", "no bfloat16 instructions"),
        (None, set(), "float32", "no bfloat16 instructions"),
    ],
)
def test_auto_precision(monkeypatch, capability, flags, policy, reason):
    gpu(monkeypatch, capability)
    monkeypatch.setattr(hardware, "cpu_flags", lambda: flags)
    chosen, why = hardware.choose_precision("auto")
    assert chosen == policy
    assert reason in why


def test_flags_are_whole_words_of_the_first_processor(monkeypatch):
    text = (
        "processor\t: 0\nflags\t\t: fpu avx2 avx512_bf16\nprocessor\t: 1\nflags\t\t: fpu amx_bf16\n"
    )
    monkeypatch.setattr(hardware.Path, "read_text", lambda self, encoding=None: text)
    assert hardware.cpu_flags() == {"fpu", "avx2", "avx512_bf16"}


def test_a_system_without_cpuinfo_has_no_flags(monkeypatch):
    def missing(self, encoding=None):
        raise FileNotFoundError(self)

    monkeypatch.setattr(hardware.Path, "read_text", missing)
    assert hardware.cpu_flags() == set()


def test_what_is_asked_for_is_taken():
    assert hardware.choose_precision("float16") == ("mixed_float16", "asked for")
    assert hardware.choose_jit("on") == (True, "asked for")


def test_auto_jit_is_for_gpus(monkeypatch):
    gpu(monkeypatch, None)
    assert hardware.choose_jit("auto")[0] is False
    gpu(monkeypatch, (8, 0))
    assert hardware.choose_jit("auto")[0] is True


def test_free_memory_is_a_sensible_number():
    assert 10**7 < hardware.free_memory_bytes() < 10**14
