"""The upload: by a fake package always, by the real one against a server of our own where it is."""

import base64
import json
import sys
import threading
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cyclegan_tf.export.hub.push import check_license, push, require_hub
from tests.helpers.errors import refused


def fake(monkeypatch, error=None):
    """Puts a package in the place of huggingface_hub that notes what it is asked for."""
    calls = []

    class Api:
        def create_repo(self, name, **options):
            calls.append((name, options))
            return f"https://hub/{name}"

        def upload_folder(self, **options):
            if error:
                raise error
            calls.append(options)

    monkeypatch.setitem(sys.modules, "huggingface_hub", types.SimpleNamespace(HfApi=Api))
    return calls


def test_one_repository_private_and_one_commit(monkeypatch, tmp_path):
    calls = fake(monkeypatch)
    assert push(tmp_path, "me/zebra") == "https://hub/me/zebra"
    (name, options), uploaded = calls
    assert (name, options) == ("me/zebra", {"private": True, "exist_ok": True})
    assert (uploaded["repo_id"], uploaded["folder_path"]) == ("me/zebra", str(tmp_path))


def test_what_the_hub_says_is_one_sentence(monkeypatch, tmp_path):
    fake(monkeypatch, RuntimeError("401 Unauthorized\n\nmore"))
    with refused("stopped", "--push", match=r"\(401 Unauthorized more\); log in with `hf auth"):
        push(tmp_path, "me/zebra")


def test_the_package_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with refused("dependency", "--push", match=r'pip install "\.\[hub\]"'):
        require_hub("me/zebra")


@pytest.mark.parametrize("name", ["zebra", "me/", "me/a/b", "../x", "me/zebra?x", "", "me/é"])
def test_names_that_are_none(name):
    with refused("invalid", "--push"):
        require_hub(name)


def test_licenses():
    for given in ("mit", "cc-by-nc-4.0", "unknown", "other"):
        check_license(given)
    for given in ("", "MIT License", "a\nb: c", "-x"):
        with refused("invalid", "--license"):
            check_license(given)


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub's HTTP API as an upload of small files asks for."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.asked.append(self.path)
        address = f"http://127.0.0.1:{self.server.server_port}"
        if self.headers.get("authorization") != "Bearer hf_mine":
            return self.answer({"error": "Invalid username or password."}, 401)
        if self.path.endswith("/preupload/main"):
            files = [
                {"path": each["path"], "uploadMode": "regular", "shouldIgnore": False}
                for each in json.loads(body)["files"]
            ]
            return self.answer({"files": files})
        if self.path.endswith("/commit/main"):
            rows = [json.loads(line) for line in body.splitlines()]
            for row in rows:
                if row["key"] == "file":
                    content = base64.b64decode(row["value"]["content"])
                    self.server.files[row["value"]["path"]] = content
            return self.answer(
                {"commitUrl": f"{address}/me/zebra/commit/1", "commitOid": "1" * 40, "success": 1}
            )
        if self.path == "/api/repos/create":
            self.server.repository = json.loads(body)
            return self.answer({"url": f"{address}/me/zebra", "id": "me/zebra"})
        return self.answer({"errors": [], "warnings": []})

    def do_GET(self):
        self.server.asked.append(self.path)
        self.answer({"id": "me/zebra", "sha": "0" * 40, "siblings": [], "private": True})

    def answer(self, document, status=200):
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(monkeypatch):
    """The real package, and a server that it takes for the Hub."""
    pytest.importorskip("huggingface_hub", reason='needs pip install ".[hub]"')
    from huggingface_hub import constants

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.asked, server.files, server.repository = [], {}, {}
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("HF_TOKEN", "hf_mine")
    monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.slow
def test_the_real_package_uploads_every_file(hub, tmp_path):
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n# zebra\n")
    (tmp_path / "m_xy.tflite").write_bytes(bytes(range(256)))
    assert push(tmp_path, "me/zebra").endswith("/me/zebra")
    assert hub.files == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert hub.repository["name"] == "zebra"
    assert hub.repository.get("private") or hub.repository.get("visibility") == "private"


@pytest.mark.slow
def test_the_real_package_with_a_wrong_token(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_other")
    (tmp_path / "README.md").write_text("# zebra\n")
    with refused("stopped", "--push", match="401"):
        push(tmp_path, "me/zebra")
    assert hub.files == {}
