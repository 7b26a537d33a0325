"""The page's folder: whole or not at all, LiteRT.js verified; the page's arithmetic. In a browser:
test_page.py."""

import base64
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import numpy as np
import pytest

from cyclegan_tf.errors import UserError
from cyclegan_tf.export import web
from cyclegan_tf.export.web import PageModel, write_page
from tests.browser import hosting

INDEX = b'import { createWasmLib } from "@litertjs/wasm-utils";\nexport {};\n//# sourceMappingURL=index.js.map\n'
SIDE = 64


def tarball(files, kind=tarfile.REGTYPE):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.type = len(content), kind
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


def integrity(content):
    return "sha512-" + base64.b64encode(hashlib.sha512(content).digest()).decode()


def fake_contents():
    """What the two packages hold, as far as the page takes it."""
    return [
        {
            f"package/{name}": INDEX if name == "dist/index.js" else name.encode()
            for name in package.files
        }
        for package in web.PACKAGES
    ]


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Fake packages, which a fake npm on an otherwise empty PATH gives; returns their folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shelf, programs = tmp_path / "shelf", tmp_path / "programs"
    shelf.mkdir()
    programs.mkdir()
    script = (
        '#!/bin/sh\necho "$2" >>{0}/asked\ncase $2 in *core*) f=core;; *) f=wasm-utils;; esac\n'
    )
    script += 'cp {0}/litertjs-$f-{1}.tgz "$4" 2>/dev/null || {{ echo "npm error code ENOTFOUND" >&2; exit 1; }}\n'
    (programs / "npm").write_text(script.format(shelf, web.VERSION))
    (programs / "npm").chmod(0o755)
    for tool in ("sh", "cp"):
        (programs / tool).symlink_to(shutil.which(tool))
    monkeypatch.setenv("PATH", str(programs))
    for package, files in zip(web.PACKAGES, fake_contents(), strict=True):
        give(monkeypatch, shelf, package.name, tarball({**files, "package/package.json": b"{}"}))
    return shelf


def give(monkeypatch, shelf, name, content, pinned=True):
    """Puts a package on the shelf, and its checksum among the pinned ones."""
    package = next(each for each in web.PACKAGES if each.name == name)
    (shelf / package.tarball).write_bytes(content)
    if pinned:
        others = [each for each in web.PACKAGES if each.name != name]
        changed = web.Package(name, package.tarball, integrity(content), package.files)
        monkeypatch.setattr(
            web, "PACKAGES", tuple(sorted([changed, *others], key=lambda each: each.name))
        )


def asked(shelf):
    path = shelf / "asked"
    return path.read_text().split() if path.exists() else []


def model(folder, name="m_xy", **fields):
    path = folder / f"{name}.bin"
    path.write_bytes(name.encode() * 100)
    told = {"name": name, "direction": name[-2:], "label": "A to B", "path": path, "size_px": SIDE}
    return PageModel(**{**told, "input_channels": 3, "output_channels": 3, **fields})


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
    told = json.loads((folder / "models.json").read_text(encoding="utf-8"))
    assert (told["title"], told["engine"]) == ("horses", "litert")
    assert told["models"][1] == {
        "name": "m_yx",
        "direction": "yx",
        "label": "B to Ä",
        "file": "models/m_yx.tflite",
        "size_px": SIDE,
        "input_channels": 1,
        "output_channels": 3,
        "bytes": 400,
        "sha256": hashlib.sha256(b"m_yx" * 100).hexdigest(),
    }
    assert told["runtime"]["bytes"]["litert_wasm_internal.wasm"] == len(
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
    assert {path.name for path in web.PAGE.iterdir()} == {*web.PAGE_FILES, web.LICENCE}
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


def test_a_damaged_cache_is_fetched_anew(npm, tmp_path):
    web.litertjs_files()
    kept = web.cache_folder() / web.PACKAGES[0].tarball
    assert kept.is_relative_to(tmp_path / "cache")
    kept.write_bytes(kept.read_bytes()[:-1])
    web.litertjs_files()
    assert asked(npm).count("@litertjs/core@2.5.3") == 2
    assert integrity(kept.read_bytes()) == web.PACKAGES[0].integrity


def test_a_folder_of_tarballs_or_node_modules_serves_instead_of_npm(npm, tmp_path):
    wanted = web.litertjs_files(npm)
    for package, files in zip(web.PACKAGES, fake_contents(), strict=True):
        for name, content in {**files, "package/package.json": b'{"version": "2.5.3"}'}.items():
            path = tmp_path / "project/node_modules" / package.name / name.removeprefix("package/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    assert web.litertjs_files(tmp_path / "project") == wanted
    assert web.litertjs_files(tmp_path / "project/node_modules") == wanted
    assert asked(npm) == []
    path.write_text('{"version": "2.4.0"}')
    with pytest.raises(UserError, match=r"is not version 2\.5\.3 of @litertjs/wasm-utils"):
        web.litertjs_files(tmp_path / "project")
    with pytest.raises(UserError, match=r"holds neither litertjs-core-2\.5\.3\.tgz nor"):
        web.litertjs_files(tmp_path)


def test_no_npm_says_what_to_do(npm, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"install Node\.js, or run `npm pack .*--litertjs"):
        write_page(tmp_path / "web", "t", [model(tmp_path)])
    assert not (tmp_path / "web").exists()


def test_an_npm_without_network_says_so(npm):
    (npm / web.PACKAGES[0].tarball).unlink()
    with pytest.raises(
        UserError, match=r"npm could not fetch @litertjs/core 2\.5\.3 \(code ENOTFOUND\)"
    ):
        web.litertjs_files()


def test_another_content_than_pinned_is_refused(npm, monkeypatch):
    give(monkeypatch, npm, "@litertjs/core", tarball(fake_contents()[0]) + b"\0", pinned=False)
    with pytest.raises(UserError, match=r"is not @litertjs/core 2\.5\.3: its checksum differs"):
        web.litertjs_files()
    assert not (web.cache_folder() / web.PACKAGES[0].tarball).exists()
    with pytest.raises(UserError, match="checksum differs"):
        web.litertjs_files(npm)


@pytest.mark.parametrize("name", ["package/../../evil.js", "/evil.js"])
def test_paths_out_of_the_package_are_refused(npm, monkeypatch, name):
    give(monkeypatch, npm, "@litertjs/core", tarball({**fake_contents()[0], name: b"evil"}))
    with pytest.raises(UserError, match=r"holds '.*evil\.js', which no such package holds"):
        web.litertjs_files()


def test_links_in_a_package_are_refused(npm, monkeypatch):
    give(
        monkeypatch,
        npm,
        "@litertjs/core",
        tarball(dict.fromkeys(fake_contents()[0], b""), tarfile.SYMTYPE),
    )
    with pytest.raises(UserError, match="which no such package holds"):
        web.litertjs_files()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not gzip", "cannot be unpacked"),
        (tarball({"package/dist/index.js": INDEX}), "lacks wasm/litert_wasm_compat_internal.js"),
        (
            tarball({**fake_contents()[0], "package/dist/index.js": b"another"}),
            "is not that of 2.5.3",
        ),
    ],
)
def test_another_package_than_expected_is_refused(npm, monkeypatch, content, words):
    give(monkeypatch, npm, "@litertjs/core", content)
    with pytest.raises(UserError, match=words):
        web.litertjs_files()


def test_an_existing_page_is_replaced_only_when_told(npm, tmp_path):
    write_page(tmp_path / "web", "old", [model(tmp_path)])
    (tmp_path / "web/mine.txt").write_text("mine")
    with pytest.raises(UserError, match="exists already"):
        write_page(tmp_path / "web", "new", [model(tmp_path)])
    assert json.loads((tmp_path / "web/models.json").read_text())["title"] == "old"
    write_page(tmp_path / "web", "new", [model(tmp_path)], replace=True)
    assert json.loads((tmp_path / "web/models.json").read_text())["title"] == "new"
    assert not (tmp_path / "web/mine.txt").exists()
    (tmp_path / "web/models.json").unlink()
    with pytest.raises(UserError, match="is not a page of this program"):
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
    ("fields", "words"),
    [
        ([], "at least one model"),
        ([{}, {}], "two models of the page have one name: m_xy, m_xy"),
        ([{"name": "../m"}], "cannot name a file"),
        ([{"input_channels": 4}], "4 and 3 channels, and a browser shows"),
        ([{"path": Path("gone.tflite")}], "gone.tflite is no file"),
    ],
)
def test_models_that_no_browser_could_show_are_refused(npm, tmp_path, fields, words):
    with pytest.raises(UserError, match=words):
        write_page(tmp_path / "web", "t", [model(tmp_path, **each) for each in fields])
    assert asked(npm) == []


def test_images_become_numbers_as_in_training(tmp_path):
    """The page's arithmetic, run by node against NumPy's."""
    hosting.need("node")
    for name in ("images.js", "problems.js"):
        shutil.copy(web.PAGE / name, tmp_path / name)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    lengths = [1, 2, 3, 7, SIDE]
    sizes = [(SIDE, SIDE), (1, 1), (4000, 3000), (3, 1000), (65, 64), (50, 60)]
    (tmp_path / "run.js").write_text(
        "import { fitted, reflected } from './images.js';\n"
        f"const rows = {lengths}.map((n) => Array.from({{ length: {SIDE} }}, (_, i) => "
        f"reflected(i, n)));\n"
        f"const sizes = {[list(size) for size in sizes]}.map(([w, h]) => fitted(w, h, {SIDE}));\n"
        "console.log(JSON.stringify({ rows, sizes }));\n"
    )
    found = json.loads(
        subprocess.run(["node", tmp_path / "run.js"], capture_output=True, check=True).stdout
    )
    for length, row in zip(lengths, found["rows"], strict=True):
        assert row == np.pad(np.arange(length), (0, SIDE - length), mode="reflect").tolist()
    assert found["sizes"] == [[64, 64], [1, 1], [64, 48], [1, 64], [64, 63], [50, 60]]
