"""The command: numbers and a report for a run or a file, whole files or none, one sentence for
every mistake."""

import json
import shutil
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from cyclegan_tf import cli
from cyclegan_tf.data import sources
from cyclegan_tf.data.transforms import ImageTransform
from cyclegan_tf.errors import UserError
from cyclegan_tf.evaluate import command as evaluate
from cyclegan_tf.evaluate.report import html as report
from cyclegan_tf.evaluate.split import read_split
from cyclegan_tf.images import io as image_io
from cyclegan_tf.metrics import inception
from cyclegan_tf.train import command as train
from tests.helpers import tiny


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Two pairs by name."""
    return tiny.folder(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def trained(images, tmp_path_factory):
    run = tmp_path_factory.mktemp("train") / "run"
    assert train.main(tiny.words(images, run, "--training.max_steps=2", "--quiet")) == 0
    return run


@pytest.fixture
def run(trained, tmp_path):
    return shutil.copytree(trained, tmp_path / "run")


def numbers(path):
    return json.loads(path.read_text())


def test_a_run_is_scored_both_ways(run, images, capsys):
    assert evaluate.main([str(run)]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"generator xy of {run / 'checkpoints'}")
    assert "2 pairs of the same file stem" in told
    assert "--inception auto" in told
    assert str(run / "evaluation.html") in told
    found = numbers(run / "evaluation.json")["directions"]
    assert list(found) == ["xy", "yx"]
    html = (run / "evaluation.html").read_text()
    assert html.count("<img ") == 2 * 2 * 3
    # The same numbers from the saved generator, without any of the command's code.
    network = keras.saving.load_model(run / "generator_xy.keras")
    split = read_split(
        sources.open_folder(images, 3, 3, 10**6), ImageTransform("resize_and_crop", 18, 16)
    )
    outputs = [network(image[np.newaxis]).numpy()[0] for image in split.x]
    mae = np.mean([np.abs(a - b).mean() for a, b in zip(outputs, split.y, strict=True)])
    assert found["xy"]["scores"]["mae"] == pytest.approx(mae, abs=1e-4)
    unchanged = np.mean([np.abs(a - b).mean() for a, b in zip(split.x, split.y, strict=True)])
    assert found["xy"]["baselines"]["unchanged input"]["mae"] == pytest.approx(unchanged, abs=1e-6)


def test_one_direction_elsewhere_and_quiet(run, tmp_path, capsys):
    words = [
        str(run),
        "--direction",
        "yx",
        "--json",
        str(tmp_path / "n.json"),
        "--html",
        str(tmp_path / "r.html"),
    ]
    assert evaluate.main([*words, "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert list(numbers(tmp_path / "n.json")["directions"]) == ["yx"]
    assert not (run / "evaluation.json").exists()


@pytest.mark.slow
def test_the_same_twice(run, tmp_path):
    for name in ("a", "b"):
        words = [
            "--json",
            str(tmp_path / f"{name}.json"),
            "--html",
            str(tmp_path / f"{name}.html"),
            "--quiet",
        ]
        assert evaluate.main([str(run), "--direction=xy", *words]) == 0
    assert numbers(tmp_path / "a.json")["directions"] == numbers(tmp_path / "b.json")["directions"]


def test_a_file_writes_only_what_is_asked(run, tmp_path, capsys):
    before = set(run.iterdir())
    assert evaluate.main([str(run / "generator_yx.keras"), "--json", str(tmp_path / "n.json")]) == 0
    assert "generator yx of" in capsys.readouterr().out
    assert set(run.iterdir()) == before
    found = numbers(tmp_path / "n.json")["directions"]
    assert list(found) == ["yx"]
    assert found["yx"]["scores"]["cycle_error"] is None


def test_a_file_alone_on_other_images(run, tmp_path, capsys):
    shutil.copy(run / "generator_xy.keras", tmp_path / "g.keras")
    other = tiny.folder(tmp_path / "other", counts=(3, 3, 4, 5), size=26)
    words = [
        f"--data.x_dir={other / 'testA'}",
        f"--data.y_dir={other / 'testB'}",
        "--html",
        str(tmp_path / "r.html"),
    ]
    assert evaluate.main([str(tmp_path / "g.keras"), *words]) == 0
    told = capsys.readouterr().out
    assert "at their own size" in told
    assert "X 0 train, 4 test" in told
    assert (tmp_path / "r.html").exists()
    assert (
        evaluate.main(
            [str(tmp_path / "g.keras"), f"--data.source={other}", "--count=2", "--paired"]
        )
        == 0
    )
    assert "2 pairs" in capsys.readouterr().out


def test_label_maps(run, tmp_path, capsys):
    data = tiny.folder(tmp_path / "labels")
    rng = np.random.default_rng(0)
    colors = np.array([[250, 0, 0], [0, 0, 250]], np.uint8)
    for folder in ("trainB", "testB"):
        for path in (data / folder).iterdir():
            image_io.save(path, colors[np.kron(rng.integers(0, 2, (2, 2)), np.ones((16, 16), int))])
    palette = tmp_path / "palette.json"
    palette.write_text(json.dumps({"wall": [250, 0, 0], "sky": [0, 0, 250]}))
    words = [str(run), f"--data.source={data}", "--palette", str(palette), "--overwrite"]
    assert evaluate.main(words) == 0
    assert "Per-pixel accuracy" in capsys.readouterr().out
    found = numbers(run / "evaluation.json")["directions"]
    assert 0 <= found["xy"]["scores"]["pixel_accuracy"] <= 1
    assert set(found["xy"]["classes"]) == {"wall", "sky"}
    assert "pixel_accuracy" not in found["yx"]["scores"]
    with pytest.raises(
        UserError, match="domain Y is drawn in its colors; give --direction xy, or both"
    ):
        evaluate.main([*words, "--direction", "yx"])
    with pytest.raises(UserError, match="neither domain are drawn in its colors"):
        evaluate.main([str(run), "--palette", str(palette), "--overwrite"])
    (data / "testA" / "0.png").rename(data / "testA" / "z.png")
    with pytest.raises(UserError, match="needs a test split paired by file stem"):
        evaluate.main(words)


def test_fid_and_kid_with_weights(run, capsys, monkeypatch):
    def features(images):
        return np.stack([image.mean((0, 1)) for image in images])

    monkeypatch.setattr(
        inception, "open_inception", lambda choice: SimpleNamespace(features=features)
    )
    assert evaluate.main([str(run), "--direction=xy", "--inception", "weights.h5"]) == 0
    assert "95 % interval" in capsys.readouterr().out
    found = numbers(run / "evaluation.json")
    assert found["directions"]["xy"]["scores"]["fid"] >= 0
    assert "299 x 299" in found["protocol"]["Inception"]
    assert "2 translations against those of 2 real" in found["protocol"]["FID and KID, xy"]


def test_without_a_network_the_rest_goes_on(run, capsys, monkeypatch):
    def no_network(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(keras.utils, "get_file", no_network)
    assert evaluate.main([str(run), "--direction=xy", "--inception", "auto"]) == 0
    (note,) = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("note: FID")
    ]
    assert inception.WEIGHTS_FILE in note
    assert "--inception PATH" in note
    assert "fid" not in numbers(run / "evaluation.json")["directions"]["xy"]["scores"]


def test_a_step_can_be_named(run, capsys):
    assert evaluate.main([str(run), "--checkpoint", "2"]) == 0
    assert "step_000000002" in capsys.readouterr().out
    with pytest.raises(UserError, match="77"):
        evaluate.main([str(run), "--checkpoint", "77", "--overwrite"])


def test_outputs_are_never_overwritten_unasked(run):
    (run / "evaluation.html").write_text("mine")
    with pytest.raises(UserError, match=r"evaluation.html exists already; give --overwrite"):
        evaluate.main([str(run), "--direction=xy"])
    assert not (run / "evaluation.json").exists()
    assert evaluate.main([str(run), "--direction=xy", "--overwrite", "--quiet"]) == 0
    assert (run / "evaluation.html").read_text() != "mine"


def test_whole_files_or_none(run, monkeypatch, capsys):
    (run / "evaluation.json").write_text("before")
    (run / "evaluation.html.partial").mkdir()  # in the way of the second file
    with pytest.raises(SystemExit) as caught:
        cli.run(evaluate.main, [str(run), "--direction=xy", "--overwrite", "--quiet"])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot be written" in line
    assert (run / "evaluation.json").read_text() == "before"
    assert not (run / "evaluation.json.partial").exists()
    (run / "evaluation.html.partial").rmdir()

    def broken(_):
        raise UserError("say")

    monkeypatch.setattr(report, "report", broken)
    with pytest.raises(UserError, match="say"):
        evaluate.main([str(run), "--direction=xy", "--overwrite", "--quiet"])
    assert (run / "evaluation.json").read_text() == "before"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("/nowhere",), "neither a run directory nor a .keras file"),
        (("{tmp}",), "not a run directory"),
        (("{run}", "--count=1"), "--count must be 2 or more, and is 1"),
        (("{run}", "--seed=-1"), "--seed must be 0 or more, and is -1"),
        (("{run}", "--inception="), "--inception is empty; give auto"),
        (
            ("{run}", "--json=/nowhere/a.json"),
            "--json /nowhere/a.json must be a file in a folder that exists",
        ),
        (("{run}", "--html={run}"), "must be a file in a folder that exists"),
        (("{run}", "--html={tmp}/a", "--json={tmp}/a"), "name the same file"),
        (("{run}/generator_xy.keras", "--direction=both"), "holds one generator"),
        (("{run}", "--data.x_dir={tmp}"), "--data.x_dir is given without --data.y_dir"),
        (("{run}", "--data.source={tmp}"), "no folders trainA and trainB"),
        (("{run}", "--palette=/nowhere.json"), "/nowhere.json"),
        (("{run}", "--inception=/nowhere.h5"), "/nowhere.h5"),
        (("{run}", "--directions=xy"), "did you mean --direction"),
        (("{run}", "--checkpoint=newest"), "newest"),
    ],
)
def test_bad_input_is_one_sentence(trained, tmp_path, words, message):
    with pytest.raises(UserError, match=message) as caught:
        evaluate.main([word.format(run=trained, tmp=tmp_path) for word in words])
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert not list(trained.glob("evaluation.*"))


def test_paired_is_insisted_on(run, images, tmp_path):
    data = shutil.copytree(images, tmp_path / "data")
    (data / "testB" / "1.png").rename(data / "testB" / "9.png")
    assert evaluate.main([str(run), "--direction=xy", f"--data.source={data}", "--quiet"]) == 0
    assert "psnr" not in numbers(run / "evaluation.json")["directions"]["xy"]["scores"]
    with pytest.raises(
        UserError, match=r"--paired, but the test images of .* are not partners by name"
    ):
        evaluate.main(
            [str(run), "--direction=xy", f"--data.source={data}", "--paired", "--overwrite"]
        )
