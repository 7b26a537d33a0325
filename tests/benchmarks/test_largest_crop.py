"""The search for the largest crop, on memory by formula and on one real training."""

import argparse
import math
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import largest_crop, machine

GIB = largest_crop.GIB


def held(crop):
    """1 GiB and 10 KiB for each pixel."""
    return GIB + 10240 * crop**2


@pytest.mark.parametrize(("budget", "bend"), [(4, 1.0), (8, 1.0), (16, 1.1), (8, 0.8), (3.3, 1.3)])
def test_the_answer_fits_and_the_next_was_measured_not_to(budget, bend):
    def measure(crop):
        return GIB + 10240 * crop**2 * (crop / 384) ** (2 * bend - 2)

    known = {crop: measure(crop) for crop in (256, 384)}
    crop = largest_crop.search(measure, known, budget * GIB, 64)
    exact = max(c for c in range(64, 4096, 64) if measure(c) <= budget * GIB)
    assert crop == exact
    assert known[crop] <= budget * GIB < known[crop + 64]
    assert len(known) <= 2 + 5


def test_a_killed_training_does_not_fit():
    known = {crop: held(crop) for crop in (256, 384)}
    crop = largest_crop.search(
        lambda crop: held(crop) if crop < 600 else math.inf, known, 16 * GIB, 64
    )
    assert crop == 576
    assert known[640] == math.inf


@pytest.mark.parametrize("budget", [4, 8])
def test_one_measurement_beside_a_crop_that_fits_no_budget_is_enough_to_go_on(budget):
    known = {256: held(256), 1024: math.inf}
    crop = largest_crop.search(held, known, budget * GIB, 64)
    assert known[crop] <= budget * GIB < known[crop + 64]


def test_crops_that_do_not_tell_are_refused():
    with pytest.raises(ValueError, match="384 px took no more memory than 256 px"):
        largest_crop.predict({256: 2.0, 384: 2.0}, 9.0)


def test_the_table_shows_the_answer_and_its_proof():
    measured = {False: {64: 1.5 * GIB, 128: 2.25 * GIB}, True: {64: 1.5 * GIB, 128: math.inf}}
    text = largest_crop.table({way: {2.0: 64} for way in (True, False)}, measured, 64)
    assert (
        text.splitlines()[-1]
        == "| 2 GiB | 64 px | 1.50 GiB | 2.25 GiB | 64 px | 1.50 GiB | over 2 GiB |"
    )


@pytest.mark.slow
def test_a_real_training_is_measured(tmp_path, capsys):
    options = argparse.Namespace(
        filters=2, blocks=1, batch=1, precision="float32", steps=1, budgets_gib=[4.0]
    )
    bytes_held = largest_crop.measure_crop(options, 32, True, tmp_path)
    assert 0.2 * GIB < bytes_held < 3 * GIB
    assert '"crop_px": 32, "recompute": true' in capsys.readouterr().out
    assert "recompute: true" in (tmp_path / "run32_True" / "config.yaml").read_text()


@pytest.mark.slow
def test_a_training_above_every_budget_is_ended_and_does_not_fit(tmp_path, capsys):
    options = argparse.Namespace(
        filters=2, blocks=1, batch=1, precision="float32", steps=1, budgets_gib=[0.2]
    )
    assert largest_crop.measure_crop(options, 32, False, tmp_path) == math.inf
    assert '"trained": false' in capsys.readouterr().out


def test_a_command_is_watched():
    program = "import time; print('begun', flush=True); time.sleep(60)"
    ran = machine.run_watched(
        [sys.executable, "-c", program], lambda held, printed: "begun" in printed, 0.05
    )
    assert (ran.status, ran.printed) == (-9, "begun\n")
    assert ran.seconds < 30
    assert ran.peak_bytes > 2**20


def test_memory_of_the_process_that_starts_a_command_does_not_count():
    held = bytearray(2**28)
    held[::4096] = b"x" * len(held[::4096])
    assert (
        machine.run_measured([sys.executable, "-c", "import time; time.sleep(1)"]).peak_bytes
        < 2**27
    )


# In a process of its own: that of the tests has held more before, and growing beyond that takes
# gigabytes. A shell starts it, since the maximum would come along.
GROWS_AT_THE_START = """
import subprocess, sys
from benchmarks import machine

held = []

def start(*words, popen=subprocess.Popen, **options):
    held.append(bytearray(2**28))
    held[0][::4096] = b"x" * len(held[0][::4096])
    return popen(*words, **options)

machine.subprocess.Popen = start
print(machine.run_measured([sys.executable, "-c", "import time; time.sleep(1)"]).peak_bytes)
"""


def test_nor_does_memory_that_it_took_just_before_the_start():
    root = Path(__file__).parents[2]
    words = ["sh", "-c", '"$0" -c "$1"; exit $?', sys.executable, GROWS_AT_THE_START]
    ran = subprocess.run(words, cwd=root, capture_output=True, text=True)
    assert 2**20 < int(ran.stdout) < 2**27, ran.stderr
