"""The images of docs/guides/when_it_looks_bad.md: drawn as they lie there, each with its fault."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.quality import bad_looks
from benchmarks.quality.checkerboard import checkerboard

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "docs" / "images" / "bad"
JPEG = 6  # of 255, mean absolute difference


@pytest.fixture(scope="module")
def drawn():
    return bad_looks.draw_all()


@pytest.fixture(scope="module")
def example():
    return bad_looks.examples()[0]


def test_the_files_are_what_the_program_draws(drawn):
    assert {path.stem for path in KEPT.iterdir()} == set(drawn)
    for name, image in drawn.items():
        kept = np.asarray(Image.open(KEPT / f"{name}.jpg"))
        assert kept.shape == image.shape, name
        assert np.abs(kept.astype(int) - image).mean() < JPEG, name


def test_each_is_shown_and_has_a_cause_and_a_cure(drawn):
    page = (ROOT / "docs" / "guides" / "when_it_looks_bad.md").read_text("utf-8")
    for name in drawn:
        _, _, after = page.partition(f"(../images/bad/{name}.jpg)\n\n- Why: ")
        assert "\n- Cure: " in after.split("\n\n")[0], name


@pytest.mark.parametrize("name", sorted(set(bad_looks.FAULTS) - {"copy"}))
def test_a_fault_is_neither_the_input_nor_what_is_wanted(name, example):
    seen = np.clip(bad_looks.FAULTS[name](example), 0, 255)
    for other in (example.x, example.y):
        assert np.abs(seen - other).mean() > 1


def test_the_grid_is_one(example):
    def strength(values):
        return checkerboard([np.clip(values, 0, 255) / 127.5 - 1])

    assert strength(bad_looks.grid(example)) > strength(example.y.astype(np.float32)) + 10


def test_it_writes_them(tmp_path, capsys):
    assert bad_looks.main([str(tmp_path / "new")]) == 0
    assert f"{len(list(KEPT.iterdir()))} images" in capsys.readouterr().out
