"""The page's files and its models.json."""

import dataclasses

import pytest

from cyclegan_tf.serve.http import page
from cyclegan_tf.serve.models.limits import Limits
from tests.helpers import tiny_serving


@pytest.fixture
def folder(tmp_path):
    for name in (
        "index.html",
        "app.js",
        "sub/a.wasm",
        ".hidden",
        "sub/.git/x",
        "__init__.py",
        "__pycache__/a.pyc",
    ):
        path = tmp_path / "page" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "secret").write_text("secret")
    return tmp_path / "page"


def test_only_the_pages_files_have_an_address(folder):
    assert sorted(page.page_files(folder)) == ["app.js", "index.html", "sub/a.wasm"]
    assert page.page_files(folder / "none") == {}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [("index.html", "text/html; charset=utf-8"), ("a/b.MJS", "text/javascript; charset=utf-8"),
     ("x.wasm", "application/wasm"), ("x.tflite", "application/octet-stream"), ("x",
     "application/octet-stream")],
)  # fmt: skip
def test_types(name, wanted):
    assert page.content_type(name) == wanted


def test_models_json(tmp_path):
    for name in ("horse_xy", "horse_yx", "plain"):
        tiny_serving.save(tmp_path, name, version=4)
    document = page.models_document(
        tiny_serving.loaded(tmp_path).store.newest(), Limits(max_pixels=99)
    )
    assert (document["title"], document["engine"]) == ("horse, plain", "server")
    first, second, third = document["models"]
    assert (first["name"], first["direction"], first["label"]) == ("horse_xy", "xy", "A to B")
    assert (second["name"], second["direction"], second["label"]) == ("horse_yx", "yx", "B to A")
    assert (third["name"], third["direction"], third["label"]) == ("plain", None, "plain")
    assert (first["input_channels"], first["output_channels"], first["version"]) == (3, 3, 4)
    assert first["bytes"] > 1000
    assert len(first["sha256"]) == 64
    assert page.models_document([], Limits())["models"] == []
    assert document["loading"] is False
    assert document["limits"] == {"max_pixels": 99, "max_side": 16383, "max_body_bytes": 32 * 2**20}


@pytest.mark.parametrize(
    ("label", "shown"), [("horse to zebra", "horse to zebra"), ("x" * 99, "A to B"), (5, "A to B")]
)
def test_the_card_names_the_direction(tmp_path, label, shown):
    tiny_serving.save(tmp_path, "horse_xy")
    (version,) = tiny_serving.loaded(tmp_path).store.newest()
    named = dataclasses.replace(version, card={"direction": "xy", "label": label})
    (entry,) = page.models_document([named], Limits())["models"]
    assert entry["label"] == shown
    assert "range" not in entry
    ranges = {"source": None, "target": {"low": 0, "high": 4095, "dtype": "uint16"}}
    scans = dataclasses.replace(named, card={"value_ranges": ranges})
    (entry,) = page.models_document([scans], Limits())["models"]
    assert entry["range"] == "black to white: levels in, 0 to 4095 (uint16) out"


def test_the_policy_keeps_foreign_code_out():
    policy = page.SECURITY_HEADERS["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "'unsafe-inline'" not in policy
    assert "'unsafe-eval'" not in policy.replace("'wasm-unsafe-eval'", "")
