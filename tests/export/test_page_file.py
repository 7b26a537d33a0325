"""The page as one file: what is in it, and when there is none. In a browser: tests/page."""

import base64
import gzip
import hashlib
import json
import re

import pytest

from cyclegan_tf.export import page_file
from cyclegan_tf.export.page_file import write_page_file
from tests.export.test_web import model
from tests.helpers.errors import refused


def packed(page):
    """The files inside, by name."""
    found = re.findall(r'<script type="text/plain" id="file:(.*?)">(.*?)</script>', page)
    return {name: gzip.decompress(base64.b64decode(text)) for name, text in found}


def test_page_models_and_runtime_are_inside_and_nothing_is_outside(npm, tmp_path):
    models = [model(tmp_path), model(tmp_path, "m_yx", label="B to Ä")]
    write_page_file(tmp_path / "html/m.html", "horses", models)
    page = (tmp_path / "html/m.html").read_text(encoding="utf-8")
    files = packed(page)
    wasm = {
        f"litert/wasm/litert_wasm{k}_internal.{e}" for k in ("", "_compat") for e in ("js", "wasm")
    }
    assert set(files) == {
        *("models.json", "worker.js", "models/m_xy.tflite", "models/m_yx.tflite"),
        *("litert/index.js", *wasm),
    }
    manifest = json.loads(files["models.json"])
    assert [each["label"] for each in manifest["models"]] == ["A to B", "B to Ä"]
    assert (
        manifest["models"][0]["sha256"] == hashlib.sha256(files["models/m_xy.tflite"]).hexdigest()
    )
    assert b"import " not in files["litert/index.js"]
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "http.server" not in page
    assert all(word in page for word in ("@litertjs/core 2.5.3", "Apache License", "Version 2.0"))


def test_the_policy_allows_this_program_this_style_and_no_connection(npm, tmp_path):
    write_page_file(tmp_path / "m.html", "t", [model(tmp_path)])
    page = (tmp_path / "m.html").read_text(encoding="utf-8")
    policy = re.search('Policy" content="(.*?)"', page)[1]
    for tag in ("style", 'script type="module"'):
        inside = re.search(f"<{tag}>(.*?)</{tag.split()[0]}>", page, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert "connect-src blob:;" in policy
    assert "unsafe-inline" not in policy


def test_an_existing_file_is_replaced_only_when_asked(npm, tmp_path):
    path = tmp_path / "m.html"
    path.write_text("mine")
    with refused("exists", path):
        write_page_file(path, "t", [model(tmp_path)])
    assert path.read_text() == "mine"
    write_page_file(path, "t", [model(tmp_path)], replace=True)
    assert "file:worker.js" in path.read_text()


def test_no_file_that_browsers_do_not_open(npm, tmp_path, monkeypatch):
    monkeypatch.setattr(page_file, "MAX_BYTES", 10_000)
    with refused("memory", tmp_path / "m.html", match="--direction xy"):
        write_page_file(tmp_path / "m.html", "t", [model(tmp_path)])
    assert not (tmp_path / "m.html").exists()


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("compare.js", "export class Compare {} // </SCRIPT>\n", "would end them"),
        ("index.html", "<html></html>", "has 0 places"),
    ],
)
def test_a_page_that_cannot_be_one_file_is_a_fault(npm, tmp_path, monkeypatch, name, text, words):
    copy = tmp_path / "page"
    copy.mkdir()
    for path in page_file.PAGE.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    (copy / name).write_text(text)
    monkeypatch.setattr(page_file, "PAGE", copy)
    with pytest.raises(ValueError, match=words):
        write_page_file(tmp_path / "m.html", "t", [model(tmp_path)])
