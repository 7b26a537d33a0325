"""Each kind of user walks the documented way: the commands of the pages as they stand there.

Only sizes are added, so that a training takes seconds. A photographer follows the README, a
scientist the page on scientific images, an application engineer the pages on shipping.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf import __main__ as door
from cyclegan_tf.serve.models import folders
from tests.helpers import documented, fake_npm, image_files, quicker, tiny, tiny_serving

pytestmark = pytest.mark.slow

TOY = [*tiny.WORDS, "--training.max_steps=2"]
QUICK = ["--variants", "float16", "--direction", "xy"]
GUIDES = "docs/guides"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(words, *more):
    """`cyclegan-tf ...` in this process; returns its exit status."""
    assert words[0] == "cyclegan-tf"
    with pytest.raises(SystemExit) as ended:
        door.main([*words[1:], *more])
    return ended.value.code


def by_name(commands):
    return {words[1]: words for words in commands}


def photos(folder, count=2):
    folder.mkdir()
    for number in range(count):
        Image.fromarray(image_files.smooth(40, 60 + number)).save(folder / f"{number}.jpg")
    return folder


def size_of(path):
    with Image.open(path) as image:
        return image.size


def test_a_photographer(here, capsys):
    tiny.folder(here / "images")
    photos(here / "photos")
    quickstart = documented.commands("README.md", "Quickstart")
    steps = by_name(quickstart)
    assert list(steps) == ["check", "train", "evaluate", "translate", "export", "serve"]
    assert run(steps["check"]) == 1  # images of 20 px are worth a warning
    with quicker.step_by_step():
        assert run(steps["train"], *TOY) == 0
    assert run(steps["evaluate"]) == 0
    assert (here / "runs/mine/evaluation.html").is_file()
    assert run(steps["translate"]) == 0
    for path in (here / "photos").iterdir():
        assert size_of(here / "translated" / path.name) == size_of(path)
    assert run(steps["export"], *QUICK, "--format", "saved_model") == 0
    # the application engineer starts the server
    assert set(folders.find_models(Path(*steps["serve"][2:]))) == {"mine_xy"}
    (goes_on,) = documented.commands("docs/get_started/your_own_folders.md", "4. Stop and go on")
    assert run(goes_on) == 0
    _same_in_python(here)
    assert "error" not in capsys.readouterr().err


def _same_in_python(here):
    """The README's program, on the run that the commands made."""
    (program,) = documented.programs("README.md", "Quickstart")
    toy = dict(word.removeprefix("--").split("=") for word in TOY)
    for call, more in (
        ("minutes=60", f", options={toy}"),
        ('"shipped"', ', formats=["saved_model"], directions=["xy"]'),
    ):
        assert program.count(call) == 1
        program = program.replace(call, call + more)
    shutil.rmtree(here / "shipped")
    shutil.copy(here / "photos" / "0.jpg", here / "photo.jpg")
    with quicker.step_by_step():
        exec(program, {})
    assert size_of(here / "translated.png") == size_of(here / "photo.jpg")
    assert (here / "shipped" / "saved_model" / "mine_xy" / "1").is_dir()


def test_a_scientist(here):
    tifffile = pytest.importorskip("tifffile")
    page = f"{GUIDES}/scientific.md"
    _write_scans(here / "images", tifffile)
    check, train, translate = documented.commands(page, "Ranges")
    assert run(check) == 1  # of 20 px
    with quicker.step_by_step():
        assert run(train, *TOY) == 0
    assert run(translate) == 0
    assert tifffile.imread(here / "mr" / "0.tif").dtype == np.uint16
    _, translate = documented.commands(page, "Slides")  # the first is of a slide
    shutil.copy(here / "images" / "testA" / "0.tif", here / "mosaic.tif")
    assert run(translate, "--tile_px=16", "--overlap_px=4") == 0
    translated = tifffile.imread(here / "translated.tif")
    assert translated.dtype == np.uint16
    assert translated.shape == (20, 20)


def _write_scans(folder, tifffile):
    """trainA to testB: int16 from -1000 on in A, 12 bits in 16 in B."""
    counts = {"trainA": 3, "trainB": 3, "testA": 2, "testB": 2}
    rng = np.random.default_rng(3)
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            coarse = Image.fromarray(rng.integers(0, 4096, (5, 5)).astype(np.int32))
            values = np.asarray(coarse.resize((20, 20), Image.Resampling.BILINEAR))
            scan = (values - 1000).astype(np.int16) if "A" in name else values.astype(np.uint16)
            tifffile.imwrite(folder / name / f"{number}.tif", scan)


def test_an_application_engineer(here, tiny_run, monkeypatch):
    for package in ("tf2onnx", "onnxruntime"):
        pytest.importorskip(package)
    shutil.copytree(tiny_run, here / "RUN")
    # the first is the photographer's
    _, *exports, serve = documented.commands(f"{GUIDES}/ship.md", "")
    with monkeypatch.context() as patched:
        fake_npm.install(here, patched)
        for words in exports:
            assert run(words, *QUICK, "--quiet") == 0
    for path in ("saved_model/RUN_xy/1", "litert/RUN_xy/parity.png", "onnx/RUN_xy/model.onnx"):
        assert (here / "OUT" / path).exists(), path
    assert (here / "OUT/web/index.html").is_file()
    assert (here / "OUT/html/RUN.html").is_file()
    photos(here / "photos")
    with tiny_serving.Server(*serve[2:]) as server:
        assert b"<html" in server.get("/").body
        _ask_by_the_clients(here, server)
        assert server.stop() == 0


def _ask_by_the_clients(here, server):
    """The clients that need no more than curl, sed and Python."""
    for program, option in (("sh", []), ("python", ["--url"])):
        page = "export/serving/README.md"
        words = next(iter(documented.commands(page, "Clients", program)))
        words = words[: next(i for i, word in enumerate(words) if word[0] == "[")]
        swaps = {"sh": shutil.which("sh"), "python": sys.executable}
        swaps |= {"photo.jpg": str(here / "photos/0.jpg"), "horse2zebra_xy": "RUN_xy"}
        words = [swaps.get(word, word) for word in words]
        address = f"{'http://' * bool(option)}127.0.0.1:{server.port}"
        words = [word.replace("translated.png", str(here / f"{program}.png")) for word in words]
        asked = subprocess.run(
            [*words, *option, address],
            cwd=documented.ROOT / "export/serving",
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert asked.returncode == 0, asked.stderr
        assert size_of(here / f"{program}.png") == (60, 40)
