"""`python -m cyclegan_tf.check`: the report, the exit status, and errors in one sentence."""

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.check import command as check
from cyclegan_tf.images import io as image_io
from tests.helpers import image_files, parquet_sets
from tests.helpers.errors import refused
from tests.helpers.preloaded import Process


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data"
    for seed, name in enumerate(("trainA", "trainB", "testA", "testB")):
        image_io.save(folder / name / "0.png", image_files.noise(20, 24, seed=seed))
    return folder


def test_fine(data, capsys):
    words = ["--data.crop_size_px", "16", "--contact_sheet", "sheet.png"]
    assert check.main([str(data), *words]) == 0
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[0].split() == [
        "folder",
        "images",
        "width",
        "px",
        "height",
        "px",
        "width/height",
        "kinds",
    ]
    assert lines[1].split() == ["trainA", "1", "24", "20", "1.2", "1", "PNG", "RGB", "8-bit"]
    assert lines[-3:] == ["Fine to train on.", "", "contact sheet: sheet.png"]
    assert image_io.read("sheet.png").shape[-1] == 3
    assert err == ""


@pytest.mark.parametrize("more", [[], ["--contact_sheet", "none"]])
def test_nothing_is_written_unasked(data, tmp_path, more):
    assert check.main([str(data), "--data.crop_size_px", "16", *more]) == 0
    assert list(tmp_path.iterdir()) == [data]


def test_the_config_of_a_training_is_the_plan_to_check(data, capsys):
    plan = data.parent / "plan.yaml"
    plan.write_text(f"data:\n  source: {data}\n  crop_size_px: 16\n")
    assert check.main(["--config", str(plan)]) == 0
    assert check.main([str(data), "--config", str(plan)]) == 0
    assert check.main(["--config", str(plan), "--data.crop_size_px", "21"]) == 1
    plain = f"x_dir: {data / 'trainA'}, y_dir: {data / 'trainB'}, crop_size_px: 16"
    plan.write_text(f"data: {{{plain}}}")
    assert check.main(["--config", str(plan)]) == 0
    assert "\nX " in capsys.readouterr().out
    plan.write_text("data: {channels_x: many}")
    with refused("invalid", "data.channels_x"):
        check.main([str(data), "--config", str(plan)])


def test_warnings(data, capsys):
    image_io.save(data / "trainA" / "1.png", image_files.noise(10, 40, seed=9))
    assert check.main([str(data), "--data.crop_size_px", "16"]) == 1
    out = capsys.readouterr().out
    assert "24 / 24 / 40" in out
    assert "warning: trainA: 1 of 2 images is smaller than the crop of 16 px" in out
    assert "Can be trained on" in out


def test_unusable(data, capsys):
    (data / "trainB" / "bad.png").write_bytes(b"no")
    assert check.main([str(data), "--data.crop_size_px", "16"]) == 2
    out = capsys.readouterr().out
    assert f"\n    {data / 'trainB' / 'bad.png'}: is not an image" in out
    assert "Training would refuse this" in out


def test_empty_domain(data, capsys):
    (data / "trainA" / "0.png").rename(data / "trainA" / "0.psd")
    assert check.main([str(data)]) == 2
    assert "error: trainA has no images (it holds 1 .psd)" in capsys.readouterr().out


def test_two_plain_folders_and_contact_sheet(data, tmp_path, capsys):
    sheet = tmp_path / "new" / "sheet.png"
    argv = [
        "--data.x_dir",
        str(data / "trainA"),
        "--data.y_dir",
        str(data / "trainB"),
        "--data.crop_size_px",
        "16",
    ]
    assert check.main([*argv, "--contact_sheet", str(sheet)]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[1].startswith("X ")
    assert "testA" not in out
    assert f"contact sheet: {sheet}" in out
    assert image_io.read(sheet).shape[0] == 4 + 2 * (128 + 4)


def test_channels(data, capsys):
    for name in ("trainB", "testB"):
        (data / name / "0.png").unlink()
        np.save(data / name / "0.npy", image_files.noise(20, 20, 5, seed=len(name)))
    assert check.main([str(data), "--data.crop_size_px", "16", "--data.channels_y", "5"]) == 0
    assert check.main([str(data), "--data.crop_size_px", "16", "--data.channels_y", "3"]) == 2
    assert "has 5 channels" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "code", "field"),
    [
        ([], "invalid", "SOURCE"),
        (["{data}", "--data.x_dir", "{data}"], "invalid", "SOURCE"),
        (["--data.x_dir", "{data}"], "invalid", "SOURCE"),
        (["{data}/none"], "missing", "SOURCE"),
        (["--data.x_dir", "{data}/none", "--data.y_dir", "{data}"], "missing", "data.x_dir"),
        (["{data}/trainA"], "missing", "SOURCE"),
        (["{data}", "--data.crop_size_px", "0"], "invalid", "--data.crop_size_px"),
        (["{data}", "--contact_sheet", "a.gif"], "unsupported", "--contact_sheet"),
        (["--config", "maps"], "unsupported", "SOURCE"),
    ],
)
def test_mistakes_are_reported_in_a_sentence(data, argv, code, field, capsys):
    with refused(["invalid", "missing", "unsupported"]) as caught:
        check.main([word.format(data=data) for word in argv])
    assert (caught.value.code, caught.value.field) == (code, field.format(data=data))
    assert "\n" not in str(caught.value)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("words", [["--data.channels_x", "three"], ["--contact_sheets", "a.png"]])
def test_options_that_the_parser_refuses(data, words):
    with refused(["invalid", "unknown"], match=words[0]):
        check.main([str(data), *words])


def test_a_set_of_the_hub(tmp_path, monkeypatch, capsys):
    pytest.importorskip("pyarrow", reason='needs pip install ".[hf]"')
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    columns = {name: [noisy(seed), noisy(seed + 1)] for name, seed in (("p", 0), ("q", 2))}
    parquet_sets.write(tmp_path / "set/data/train-00000-of-00001.parquet", columns)
    words = [f"hf:{tmp_path / 'set'}", "--data.crop_size_px=16"]
    check.main(words)
    assert [line.split()[:2] for line in capsys.readouterr().out.splitlines()[1:3]] == [
        ["trainA", "2"],
        ["trainB", "2"],
    ]
    with refused("mismatch", "data.hf_x", match="has no 'z'"):
        check.main([*words, "--data.hf_x=z", "--data.hf_y=q"])
    with refused("mismatch", "--data.hf_x", match="for a set of the Hub"):
        check.main([str(tmp_path), "--data.hf_x=p", "--data.hf_y=q"])


def noisy(seed):
    """An image as a cell of a Parquet file holds it."""
    file = io.BytesIO()
    Image.fromarray(image_files.noise(20, 24, seed=seed)).save(file, "PNG")
    return {"bytes": file.getvalue(), "path": None}


def test_contact_sheet_that_cannot_be_written(data, tmp_path):
    (tmp_path / "file").touch()
    with refused("unwritable", "--contact_sheet") as caught:
        check.main([str(data), "--contact_sheet", str(tmp_path / "file" / "sheet.png")])
    assert (caught.value.code, caught.value.field) == ("unwritable", "--contact_sheet")


def test_former_names_of_options(data):
    old = ["--x_dir", str(data / "trainA"), "--y_dir", str(data / "trainB"), "--crop_size_px=16"]
    assert check.main([*old, "--channels", "3", "--channels_y=3", "--contact_sheet=none"]) == 0
    for name in ("--x_dir", "--channels "):
        assert name not in check.build_parser().format_help()


def test_mistake_as_a_program():
    command = [sys.executable, "-m", "cyclegan_tf.check", "--nonsense"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: unknown option --nonsense; see --help.\n"


@pytest.mark.slow
def test_as_a_program(data):
    (data / "trainB" / "bad.png").write_bytes(b"no")
    words = [str(data), "--data.crop_size_px", "16"]
    with (data.parent / "output").open("w+") as file:
        status = Process("cyclegan_tf.check", words, file.fileno()).wait(100)
    said = (data.parent / "output").read_text()
    assert status == 2, said
    assert "bad.png: is not an image" in said
    assert "Traceback" not in said


def test_pairs_are_counted_as_the_config_or_the_option_says(data, tmp_path, capsys):
    words = [str(data), "--data.crop_size_px", "16"]
    count = len(list((data / "trainA").iterdir()))
    for more, number in (["--data.pairs", "auto"], count), (["--data.pairs", "1"], 1):
        check.main([*words, *more])
        assert f"note: {number} pair{'s' if number > 1 else ''} of the" in capsys.readouterr().out
    plan = tmp_path / "plan.yaml"
    plan.write_text("data: {pairs: 1}")
    check.main([*words, "--config", str(plan)])
    assert "note: 1 pair of the" in capsys.readouterr().out
    with refused("invalid", "data.pairs"):
        check.main([*words, "--data.pairs", "many"])
