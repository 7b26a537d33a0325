"""The program: trains what is missing, scores and draws it, with tiny networks in this process."""

import json

import numpy as np
import pytest
from PIL import Image

from benchmarks.baselines import bigan, cogan, compare, inversion, train
from tests.helpers import tiny
from tests.helpers.errors import refused

SIDE = 32


@pytest.fixture
def in_process(monkeypatch):
    """Tiny networks, CoGAN's trained for a step; returns the names of what was trained."""
    trained = []

    def build(method, seed, size_px, filters):
        return cogan.CoGAN(SIDE, filters=2, seed=seed), 2

    def run_here(run):
        trained.append(run.name)
        if run.method.name == "cogan":
            return train.main([*run.command[3:], "--size", str(SIDE)])
        run.path.mkdir()
        bigan.BiGAN(filters=2, blocks=1, pool_size_images=0).save(run.path)
        (run.path / train.TRAINED).write_text('{"steps": 1, "minutes": 0.1}')
        return 0

    monkeypatch.setattr(train, "build", build)
    monkeypatch.setattr(compare.Run, "train", run_here)
    monkeypatch.setattr(compare, "SIZE_PX", SIDE)
    monkeypatch.setattr(compare, "LOAD_PX", SIDE)
    monkeypatch.setattr(inversion, "RESTARTS", 2)
    monkeypatch.setattr(inversion.Inversion.__init__, "__defaults__", (2, 1, 1, 0))
    return trained


def test_from_training_to_tables_and_strip(tmp_path, in_process, capsys):
    data = tiny.folder(tmp_path / "images", counts=(4, 4, 2, 2), size=SIDE)
    colors = {"black": [0, 0, 0], "white": [255, 255, 255]}
    (data / "palette.json").write_text(json.dumps(colors))
    words = [str(data), "--minutes", "1e-6", "--only", "cogan", "bigan", "--out", str(tmp_path)]
    assert compare.main(words) == 0
    assert in_process == ["images/cogan-0", "images/bigan-0"]
    baselines, *lines = map(json.loads, (tmp_path / "images.jsonl").read_text().splitlines())
    assert baselines["run"] == "images/baselines"
    assert [line["run"] for line in lines] == in_process
    for line in lines:
        assert line["steps"] == 1
        assert str(tmp_path) not in json.dumps(line)
        assert {"psnr", "ssim", "pixel_accuracy", "class_iou"} <= set(line["xy"])
        assert "pixel_accuracy" not in line["yx"]
    table = (tmp_path / "images.md").read_text()
    assert table in capsys.readouterr().out
    assert "Not trained: SimGAN, CycleGAN, pix2pix." in table
    strip = np.asarray(Image.open(tmp_path / "images.png"))
    # input, two methods, truth; two scenes of each direction
    assert strip.shape[0] > 4 * 2 * SIDE
    assert strip.shape[1] > 4 * 2 * SIDE
    assert compare.main(words) == 0
    assert len(in_process) == 2  # nothing twice


def test_a_strip_is_input_methods_truth(tmp_path, in_process, monkeypatch):
    data = tiny.folder(tmp_path / "images", counts=(4, 4, 2, 2), size=SIDE)
    words = [str(data), "--only", "cogan", "bigan", "--out", str(tmp_path)]
    runs = compare.planned(compare.parse(words))
    for value, run in enumerate(runs, 1):
        run.path.parent.mkdir(parents=True, exist_ok=True)
        made = np.full((2, SIDE, SIDE, 3), value, np.uint8)
        np.savez_compressed(run.outputs, xy=made, yx=made + 10)
    drawn = {}
    monkeypatch.setattr(
        compare.image_io, "make_grid", lambda rows, **titles: drawn.update(titles, rows=rows)
    )
    evaluator = compare.open_evaluator(str(data))
    compare.draw_strip(runs, evaluator)
    assert drawn["column_titles"] == ["input", "BiGAN/ALI", "CoGAN", "truth"]
    levels = [[int(image.max()) for image in row[1:3]] for row in drawn["rows"]]
    assert levels == [[2, 1], [2, 1], [12, 11], [12, 11]]  # bigan stands first, xy above yx
    real = compare.image_io.from_signed(evaluator.split.inputs("xy")[0])
    np.testing.assert_array_equal(drawn["rows"][0][0][::2, ::2], real)
    truth = compare.image_io.from_signed(evaluator.split.truths("yx")[0])
    np.testing.assert_array_equal(drawn["rows"][2][3][::2, ::2], truth)


def test_a_failed_training_is_said_and_stops_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(compare.Run, "train", lambda run: 3)
    words = ["demo", "--only", "cogan", "bigan", "--out", str(tmp_path)]
    compare.train_missing(compare.planned(compare.parse(words)))
    printed = capsys.readouterr().out
    assert "demo/cogan-0 ended with status 3" in printed
    assert "demo/bigan-0 ended with status 3" in printed


def test_a_training_is_a_process_with_one_thread(tmp_path, monkeypatch):
    code = "import os; print(os.environ['TF_NUM_INTRAOP_THREADS'])"
    (run,) = compare.planned(compare.parse(["demo", "--only", "cogan", "--out", str(tmp_path)]))
    assert run.path == tmp_path.resolve() / "demo" / "cogan-0"
    command = [run.command[0], "-c", code]
    monkeypatch.setattr(compare.Run, "command", command)
    assert run.train() == 0
    assert (tmp_path / "demo" / "cogan-0.log").read_text() == "1\n"


@pytest.mark.parametrize(
    ("words", "code", "field"),
    [
        (["demo", "--minutes", "0"], "invalid", "--minutes"),
        (["nowhere"], "missing", "nowhere"),
    ],
)
def test_mistakes_are_refused(words, code, field):
    with refused(code, field):
        compare.parse(words)
