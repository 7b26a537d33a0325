"""The command: numbers and a report, whole files or none, one sentence for every mistake."""

import json
import shutil
from pathlib import Path

import pytest

from cyclegan_tf import cli
from cyclegan_tf.evaluate import command as evaluate
from tests.helpers import tiny, tiny_segmenters
from tests.helpers.errors import refused


@pytest.fixture
def run(tiny_run_copy):
    return tiny_run_copy


def numbers(path):
    return json.loads(path.read_text())


def test_a_run_is_scored_in_both_directions(run, capsys):
    assert evaluate.main([str(run)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"generator xy of {run / 'checkpoints'}")
    assert "2 pairs of the same file stem" in out
    assert "note: FID and KID are left out" in out
    assert f"report: {run / 'evaluation.html'}" in out
    found = numbers(run / "evaluation.json")
    assert list(found["directions"]) == ["xy", "yx"]
    assert list(found["facts"]) == ["Command", "Data", "Truth", "Date"]
    html = (run / "evaluation.html").read_text()
    assert html.count("<img ") == 2 * 2 * 3


def test_one_direction_elsewhere_and_quiet(run, tmp_path, capsys):
    words = [f"--json={tmp_path / 'n.json'}", f"--html={tmp_path / 'r.html'}", "--quiet"]
    assert evaluate.main([str(run), "--direction", "yx", *words]) == 0
    assert capsys.readouterr().out == ""
    assert list(numbers(tmp_path / "n.json")["directions"]) == ["yx"]
    assert not (run / "evaluation.json").exists()


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
    out = capsys.readouterr().out
    assert "at their own size" in out
    assert "X 0 train, 4 test" in out
    assert (tmp_path / "r.html").exists()
    former_spellings = ["--count=2", "--paired"]
    words = [str(tmp_path / "g.keras"), f"--data.source={other}", *former_spellings]
    assert evaluate.main(words) == 0
    assert "2 pairs" in capsys.readouterr().out


def test_a_step_can_be_named(run, capsys):
    assert evaluate.main([str(run), "--direction=xy", "--checkpoint", "3"]) == 0
    out = capsys.readouterr().out
    assert "step_000000003" in out


def test_outputs_are_never_overwritten_unasked(run):
    (run / "evaluation.html").write_text("mine")
    with refused(
        "exists", "--html", match=r"evaluation.html exists already; give --overwrite"
    ) as caught:
        evaluate.main([str(run), "--direction=xy"])
    assert (caught.value.code, caught.value.field) == ("exists", "--html")
    assert not (run / "evaluation.json").exists()
    assert evaluate.main([str(run), "--direction=xy", "--overwrite", "--quiet"]) == 0
    assert (run / "evaluation.html").read_text() != "mine"


def test_whole_files_or_none(run, monkeypatch, capsys):
    (run / "evaluation.json").write_text("before")
    files = sorted(path.name for path in run.iterdir())
    real = Path.write_text

    def full(path, text, **options):
        if path.suffix == ".html":
            raise OSError(28, "No space left on device", str(path))
        return real(path, text, **options)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(SystemExit) as caught:
        cli.run(evaluate.main, [str(run), "--direction=xy", "--overwrite", "--quiet"])
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"error: {run / 'evaluation.html'} cannot be written: No space left on device."
    assert (run / "evaluation.json").read_text() == "before"
    assert sorted(path.name for path in run.iterdir()) == files


@pytest.mark.parametrize(
    ("words", "code", "field", "message"),
    [
        (("/nowhere",), None, None, "neither a run directory nor a .keras file"),
        (("{tmp}",), None, None, "not a run directory"),
        (("{run}", "--max_images=1"), "invalid", "--max_images", "must be 2 or more, and is 1"),
        (("{run}", "--seed=-1"), "invalid", "--seed", "must be 0 or more, and is -1"),
        (("{run}", "--inception="), "invalid", "--inception", "is empty; give auto"),
        (("{run}", "--json=/nowhere/a.json"), "invalid", "--json", "must be a file in a folder"),
        (("{run}", "--html={run}"), "invalid", "--html", "must be a file in a folder"),
        (("{run}", "--html={tmp}/a", "--json={tmp}/a"), "invalid", "--html", "name the same file"),
        (
            ("{run}/generator_xy.keras", "--direction=both"),
            "mismatch",
            "--direction",
            "holds one generator",
        ),
        (("{run}", "--data.x_dir={tmp}"), "missing", "--data.y_dir", "given without --data.y_dir"),
        (("{run}", "--data.source={tmp}"), None, None, "no folder trainA and none named trainB"),
        (("{run}", "--palette=/nowhere.json"), None, None, "/nowhere.json"),
        (("{run}", "--inception=/nowhere.h5"), None, None, "/nowhere.h5"),
        (("{run}", "--directions=xy"), None, None, "did you mean --direction"),
        (("{run}", "--checkpoint=newest"), None, None, "newest"),
        (("{run}", "--checkpoint=77"), None, None, "77"),
    ],
)
def test_bad_input_is_one_sentence(tiny_run, tmp_path, words, code, field, message):
    with refused(["invalid", "mismatch", "missing", "unknown"], match=message) as caught:
        evaluate.main([word.format(run=tiny_run, tmp=tmp_path) for word in words])
    assert "\n" not in str(caught.value)
    if code:
        assert (caught.value.code, caught.value.field) == (code, field)
    assert list(tmp_path.iterdir()) == []
    assert not list(tiny_run.glob("evaluation.*"))


def test_ones_own_segmenter(run, tiny_run, tmp_path, capsys):
    from cyclegan_tf.images import io as image_io

    segmenter = tiny_segmenters.in_keras(tmp_path / "s.keras")
    for path in image_io.find_images(tiny_run.parent / "images" / "testA"):
        bright = image_io.read(path).mean(-1) > 127.5
        image_io.save(tmp_path / "labels" / path.name, bright[..., None].astype("uint8"))
    words = ["--segmenter", str(segmenter), "--labels", str(tmp_path / "labels")]
    more = ["--segmenter_range", "0 to 255", "--direction", "xy", "--json", str(tmp_path / "n")]
    assert evaluate.main([str(run), *words, *more, "--html", str(tmp_path / "h")]) == 0
    assert "labels of 2 of 2 test images of X" in capsys.readouterr().out
    found = numbers(tmp_path / "n")["directions"]["xy"]
    before = found["baselines"]["unchanged input"]["segmenter_iou"]
    assert before > 0.7 > found["scores"]["segmenter_iou"] >= 0  # resizing moves some pixels
    assert list(found["segmenter_classes"]) == ["0", "1"]
    assert "class by class" in (tmp_path / "h").read_text()


def test_a_segmenter_and_its_labels_go_together(run, tmp_path):
    with refused("missing", "--labels", match="--segmenter is given without --labels"):
        evaluate.main([str(run), "--segmenter", "s.onnx"])
    with refused("missing", "--segmenter"):
        evaluate.main([str(run), "--labels", str(tmp_path)])
    with refused("unsupported", "--segmenter"):
        evaluate.main([str(run), "--labels", str(tmp_path), "--segmenter", "s.pt"])
    with refused("missing", "--segmenter"):
        evaluate.main([str(run), "--labels", str(tmp_path), "--segmenter", "s.onnx"])
