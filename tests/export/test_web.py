"""The page's folder: whole or not at all; the page's arithmetic. In a browser: test_page.py."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from cyclegan_tf.export import web
from cyclegan_tf.export.web import PageModel, write_page
from tests.browser import hosting
from tests.helpers.errors import refused
from tests.helpers.fake_npm import asked

SIDE = 64


def model(folder, name="m_xy", **fields):
    path = folder / f"{name}.bin"
    path.write_bytes(name.encode() * 100)
    manifest = {
        "name": name,
        "direction": name[-2:],
        "label": "A to B",
        "path": path,
        "size_px": SIDE,
    }
    return PageModel(**{**manifest, "input_channels": 3, "output_channels": 3, **fields})


def test_the_folder_holds_page_models_and_runtime(npm, tmp_path):
    models = [model(tmp_path), model(tmp_path, "m_yx", label="B to Ä", input_channels=1)]
    write_page(tmp_path / "web", "horses", models)
    folder = tmp_path / "web"
    written = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    runtime = {
        f"litert/wasm/litert_wasm{k}_internal.{e}"
        for k in ("", "_compat", "_threaded")
        for e in ("js", "wasm")
    }
    notes = {"litert/index.js", "litert/wasm-utils.js", "litert/LICENSE.txt", "litert/NOTICE.txt"}
    assert (
        written
        == {*web.PAGE_FILES, "models.json", "models/m_xy.tflite", "models/m_yx.tflite"}
        | runtime
        | notes
    )
    manifest = json.loads((folder / "models.json").read_text(encoding="utf-8"))
    assert (manifest["title"], manifest["engine"]) == ("horses", "litert")
    assert manifest["models"][1] == {
        "name": "m_yx",
        "direction": "yx",
        "label": "B to Ä",
        "file": "models/m_yx.tflite",
        "size_px": SIDE,
        "aspect": 1.0,
        "input_channels": 1,
        "output_channels": 3,
        "bytes": 400,
        "sha256": hashlib.sha256(b"m_yx" * 100).hexdigest(),
    }
    assert manifest["runtime"]["bytes"]["litert_wasm_internal.wasm"] == len(
        b"wasm/litert_wasm_internal.wasm"
    )
    index = (folder / "litert/index.js").read_text()
    assert 'from "./wasm-utils.js"' in index
    assert "@litertjs" not in index
    assert "sourceMappingURL" not in index
    assert "Apache License" in (folder / "litert/LICENSE.txt").read_text()
    assert all(
        word in (folder / "litert/NOTICE.txt").read_text()
        for word in ("@litertjs/core 2.5.3", "Apache-2.0")
    )


def test_the_page_is_all_there_and_runs_no_inline_script():
    assert {path.name for path in web.PAGE.iterdir()} == {*web.PAGE_FILES, web.LICENSE}
    page = (web.PAGE / "index.html").read_text()
    assert "<style" not in page
    assert " style=" not in page
    assert page.count("<script") == 1 == page.count('<script type="module" src="app.js"></script>')


def test_a_second_export_needs_no_npm(npm, tmp_path, monkeypatch):
    write_page(tmp_path / "one", "t", [model(tmp_path)])
    assert asked(npm) == ["@litertjs/core@2.5.3", "@litertjs/wasm-utils@2.5.3"]
    monkeypatch.setenv("PATH", str(tmp_path))
    write_page(tmp_path / "two", "t", [model(tmp_path)])
    assert (tmp_path / "two/litert/index.js").read_bytes() == (
        tmp_path / "one/litert/index.js"
    ).read_bytes()


def test_without_litertjs_nothing_is_written(npm, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with refused("dependency", "npm") as caught:
        write_page(tmp_path / "web", "t", [model(tmp_path)])
    assert caught.value.code == "dependency"
    assert not (tmp_path / "web").exists()


def test_an_existing_page_is_replaced_only_when_asked(npm, tmp_path):
    write_page(tmp_path / "web", "old", [model(tmp_path)])
    (tmp_path / "web/mine.txt").write_text("mine")
    with refused("exists") as caught:
        write_page(tmp_path / "web", "new", [model(tmp_path)])
    assert (caught.value.code, caught.value.field) == ("exists", str(tmp_path / "web"))
    assert json.loads((tmp_path / "web/models.json").read_text())["title"] == "old"
    write_page(tmp_path / "web", "new", [model(tmp_path)], replace=True)
    assert json.loads((tmp_path / "web/models.json").read_text())["title"] == "new"
    assert not (tmp_path / "web/mine.txt").exists()
    (tmp_path / "web/models.json").unlink()
    with refused("exists", match=r"no models\.json"):
        write_page(tmp_path / "web", "new", [model(tmp_path)], replace=True)


def test_a_failure_half_way_leaves_what_was(npm, tmp_path, monkeypatch):
    out = tmp_path / "out"
    write_page(out / "web", "old", [model(tmp_path)])
    before = sorted(out.rglob("*"))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(web, "_copy_model", full)
    for target in (out / "web", out / "other"):
        with pytest.raises(OSError, match="No space left"):
            write_page(target, "new", [model(tmp_path)], replace=True)
    assert sorted(out.rglob("*")) == before
    assert json.loads((out / "web/models.json").read_text())["title"] == "old"


@pytest.mark.parametrize(
    ("fields", "code", "words"),
    [
        ([], "missing", "at least one model"),
        ([{}, {}], "invalid", "two models of the page have one name: m_xy, m_xy"),
        ([{"name": "../m"}], "invalid", "cannot name a file"),
        ([{"input_channels": 4}], "unsupported", "4 and 3 channels, and a browser shows"),
        ([{"path": Path("gone.tflite")}], "missing", "gone.tflite is no file"),
    ],
)
def test_models_that_no_browser_could_show_are_refused(npm, tmp_path, fields, code, words):
    with refused(["invalid", "missing", "unsupported"], match=words) as caught:
        write_page(tmp_path / "web", "t", [model(tmp_path, **each) for each in fields])
    assert caught.value.code == code
    assert asked(npm) == []


def test_a_model_of_numbers_says_what_black_and_white_are(tmp_path):
    assert "range" not in web.model_entry(model(tmp_path), b"")
    scans = model(tmp_path, range="black to white: 0 to 1 (float32) in, levels out")
    assert web.model_entry(scans, b"")["range"] == scans.range


def test_images_become_numbers_as_in_training(tmp_path):
    """The page's arithmetic, run by node against NumPy's."""
    hosting.need("node")
    for name in ("images.js", "detail.js", "problems.js"):
        shutil.copy(web.PAGE / name, tmp_path / name)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    lengths = [1, 2, 3, 7, SIDE]
    sizes = [(SIDE, SIDE), (1, 1), (4000, 3000), (3, 1000), (65, 64), (50, 60)]
    (tmp_path / "run.js").write_text(
        "import { fitted, reflected, scaledTo } from './images.js';\n"
        f"const rows = {lengths}.map((n) => Array.from({{ length: {SIDE} }}, (_, i) => "
        f"reflected(i, n)));\n"
        f"const sizes = {[list(size) for size in sizes]}.map(([w, h]) => fitted(w, h, {SIDE}));\n"
        "const scaled = [[64, 64, 1], [4000, 3000, 4 / 3], [30, 20, 1], [3000, 4000, 4 / 3]].map(\n"
        f"([w, h, aspect]) => scaledTo(w, h, {SIDE}, aspect));\n"
        "console.log(JSON.stringify({ rows, sizes, scaled }));\n"
    )
    found = json.loads(
        subprocess.run(["node", tmp_path / "run.js"], capture_output=True, check=True).stdout
    )
    for length, row in zip(lengths, found["rows"], strict=True):
        assert row == np.pad(np.arange(length), (0, SIDE - length), mode="reflect").tolist()
    assert found["sizes"] == [[64, 64], [1, 1], [64, 48], [1, 64], [64, 63], [50, 60]]
    assert found["scaled"] == [[64, 64], [64, 64], [64, 43], [36, 64]]
