"""Parity reports: figures by hand, faults, and what becomes of a file that is too far off."""

import json
import math

import keras
import numpy as np
import pytest

from cyclegan_tf.export.parity import ParityCheck, compare, median_latency_ms, parity_table
from cyclegan_tf.images import io as image_io


def images(count=2, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, 16, 12, 3)).astype(np.float32)


def row(outputs, truths, **more):
    return compare(
        "v",
        outputs,
        truths,
        **{"latency_ms": 1.0, "size_bytes": 2, "operations": {}, "delegated": None, **more},
    )


def test_figures_by_hand():
    truths = np.zeros((2, 16, 12, 3), np.float32)
    outputs = truths.copy()
    outputs[1] = 0.5
    found = row(outputs, truths)
    assert (found.images, found.max_abs, found.mean_abs) == (2, 0.5, 0.25)
    assert found.psnr_db == pytest.approx(10 * math.log10(4 / 0.125))
    assert found.worst_psnr_db == pytest.approx(10 * math.log10(4 / 0.25))
    assert found.not_finite == 0


def test_equal_outputs():
    found = row(images(), images())
    assert (found.psnr_db, found.ssim, found.max_abs) == (math.inf, pytest.approx(1), 0)
    assert found.as_dict()["psnr_db"] is None
    assert found.fault(60) is None


def test_a_file_is_refused_below_the_bound_or_with_nan():
    far = row(images() + np.float32(0.1), images())  # 4 / 0.01: 26 dB
    assert far.fault(25) is None
    assert "PSNR 26.0 dB is below 40 dB" in far.fault(40)
    broken = images()
    broken[0, 0, 0] = (np.nan, np.inf, -np.inf)
    assert row(broken, images()).fault(-100) == "3 output values are NaN or infinite"


def test_the_median_takes_no_first_call():
    calls = []
    assert median_latency_ms(calls.append, images(1), rounds=3) >= 0
    assert len(calls) == 4


def identity():
    inputs = keras.Input((None, None, 3))
    return keras.Model(inputs, keras.layers.Activation("linear")(inputs))


def checked(tmp_path, allow_lossy=False):
    check = ParityCheck(identity(), images(3), "by hand")
    for name, run in {
        "good": lambda batch: batch + np.float32(1e-5),
        "poor": lambda batch: -batch,
        "nan": lambda batch: batch * np.float32(np.nan),
    }.items():
        (tmp_path / name).write_bytes(b"12345")
        check.add(name, run, tmp_path / name, {"CONV_2D": 2}, 0.5, 60.0)
    return check.report(tmp_path, allow_lossy)


def test_the_report_and_what_is_refused(tmp_path, caplog):
    caplog.set_level("INFO", "cyclegan_tf")
    assert checked(tmp_path) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good", "parity.json", "parity.png"]
    report = json.loads((tmp_path / "parity.json").read_text())
    assert [variant["variant"] for variant in report["variants"]] == ["good", "poor", "nan"]
    assert [variant["fault"] is None for variant in report["variants"]] == [True, False, False]
    assert report["reference_ms"] > 0
    assert report["kernels"] == "by hand"
    assert "refused: poor: PSNR" in caplog.text
    assert "refused: nan: 1728 output values" in caplog.text
    assert image_io.read(tmp_path / "parity.png").shape[1] > 5 * 12


def test_lossy_files_may_be_kept(tmp_path, caplog):
    caplog.set_level("INFO", "cyclegan_tf")
    assert checked(tmp_path, allow_lossy=True) == 0
    assert {"good", "poor", "nan"} <= {path.name for path in tmp_path.iterdir()}
    assert "kept all the same: poor" in caplog.text


def test_the_table_lines_up():
    lines = parity_table(
        [row(images(), images() * np.float32(0.5), delegated=0.25)], 12.4
    ).splitlines()
    assert len({len(line) for line in lines}) == 1
    assert "12" in lines[1]
    assert lines[2].endswith("25%")
