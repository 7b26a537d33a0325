"""The comparison of the compiled step with the plain one: what is compared, and its table."""

import numpy as np
import pytest
import tensorflow as tf

from benchmarks.quality import compiled
from benchmarks.quality.compiled import Variant
from cyclegan_tf.devices import hardware


def test_variants_are_experiments_of_every_kind():
    experiments = {variant.name: variant.experiment() for variant in compiled.VARIANTS}
    assert len(experiments) == len(compiled.VARIANTS)
    assert {variant.precision for variant in compiled.VARIANTS} == set(hardware.POLICIES)
    assert {e.generator.upsampling for e in experiments.values()} == {
        "transposed", "resize", "antialiased",
    }  # fmt: skip
    assert {e.loss.gan_mode for e in experiments.values()} == {"lsgan", "vanilla", "wgangp"}
    assert experiments["conditional pairs"].data.crop_size_px == 32
    assert experiments["unet_128"].data.crop_size_px == 128


def test_differences_are_relative_and_counters_must_agree(monkeypatch):
    values = [{"cycle_x": 2.0, "accuracy_real_x": 0.5}]
    arrays = {"w": np.zeros(3, np.float32), "pool/count": np.array(2)}
    other = {"w": np.full(3, 0.001, np.float32), "pool/count": np.array(2)}

    def run(variant, jit):
        shown = [{"cycle_x": 2.002, "accuracy_real_x": 0.4}] if jit else values
        return shown, (other if jit else arrays)

    monkeypatch.setattr(compiled, "run", run)
    assert compiled.differences(Variant("float32"), "gpu") == pytest.approx((0.001, 0.05))
    other["pool/count"] = np.array(3)
    assert compiled.differences(Variant("float32"))[0] == float("inf")


def test_what_does_not_compile_or_agree_is_the_exit_status(monkeypatch, capsys):
    found = {"float32": (1e-6, 0.03), "float16": (0.5, 0.03)}

    def differences(variant, routes):
        if variant.name not in found:
            raise tf.errors.InvalidArgumentError(None, None, "no XLA kernel")
        return found[variant.name]

    monkeypatch.setattr(compiled, "differences", differences)
    for only, status, text in (
        ("float32", 1, "| float32 | 1.0e-06 | 3.0e-02 |"),  # and "float32, recomputed"
        ("unet", 1, "InvalidArgumentError: no XLA kernel"),
        ("nothing of this name", 0, ""),
    ):
        monkeypatch.setattr("sys.argv", ["compiled", "--only", only])
        assert compiled.main() == status
        assert text in capsys.readouterr().out
