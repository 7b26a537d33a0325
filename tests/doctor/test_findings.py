"""What is made of a machine's facts: each cause has its remedy, each level its status."""

import pytest

from cyclegan_tf.doctor.findings import look, status

CUDA = {"built_for": "CUDA 12.5.1, cuDNN 9", "missing": []}
KNOWN = [{"name": "H100", "driver": "570", "memory_gib": 80}]


def report(seen=(), known=(), device_file=False, cuda=CUDA, free=16.0, steps=()):
    return {
        "gpus": {"seen": list(seen), "driver_knows": list(known), "device_file": device_file},
        "cuda": cuda,
        "processor": {"free_memory_gib": free},
        "steps": list(steps),
    }


def step(precision="mixed_bfloat16", **more):
    return {"device": "GPU", "precision": precision, "jit": True, **more}


@pytest.mark.parametrize(
    ("given", "level", "remedy"),
    [
        (report(), "note", "run on the processor"),
        (report(device_file=True), "warning", "install NVIDIA's driver"),
        (report(known=KNOWN, cuda={"built_for": None}), "warning", "[gpu]"),
        (
            report(known=KNOWN, cuda={**CUDA, "missing": ["libcudnn.so.9"]}),
            "warning",
            "libcudnn.so.9 cannot be found",
        ),
        (report(known=KNOWN), "warning", "CUDA_VISIBLE_DEVICES"),
        (report(seen=KNOWN, steps=[step(error="no kernel")]), "error", "no kernel"),
        (report(seen=KNOWN, steps=[step(apart=0.3)]), "error", "do not trust"),
        (report(seen=KNOWN, steps=[step("float32", apart=float("nan"))]), "error", "do not trust"),
    ],
)
def test_causes_and_remedies(given, level, remedy):
    (finding,) = look(given)
    assert finding.level == level
    assert remedy in finding.text


def test_a_gpu_that_gives_the_processors_numbers_is_fine():
    steps = [step(apart=0.01), step("float32", apart=9e-4), step("float32", apart=None)]
    assert look(report(seen=KNOWN, free=1.0, steps=steps)) == []


def test_the_worst_comes_first_and_is_the_status():
    found = look(report(free=2.5, steps=[step(error="x")]))
    assert [finding.level for finding in found] == ["error", "warning", "note"]
    assert "2.5 GiB of memory are free" in found[1].text
    assert [status(found), status(found[1:]), status(found[2:]), status([])] == [2, 1, 0, 0]
