"""Sets of the Hugging Face Hub: from folders of Parquet files, and from a server like the Hub."""

import hashlib
import json
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cyclegan_tf.data import hub
from tests.helpers.errors import refused
from tests.helpers.parquet_sets import pairs, write

pytest.importorskip("pyarrow")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "cyclegan_tf" / "hf"


def test_a_folder_is_unpacked_once_and_anew_when_a_file_changes(tmp_path, cache):
    write(tmp_path / "set/data/train-00000-of-00001.parquet", pairs(3))
    folder = hub.open_hub(str(tmp_path / "set"), None, None)
    assert [path.name for path in sorted((folder / "trainB").iterdir())] == [
        f"b{index:06d}.png" for index in range(3)
    ]
    (folder / "mark").touch()
    assert hub.open_hub(str(tmp_path / "set"), None, None) == folder
    assert (folder / "mark").exists()
    write(tmp_path / "set/data/train-00000-of-00001.parquet", pairs(4))
    again = hub.open_hub(str(tmp_path / "set"), None, None)
    assert len(list((again / "trainA").iterdir())) == 4
    assert len(list(cache.iterdir())) == 2


def test_other_domains_are_unpacked_beside(tmp_path):
    write(tmp_path / "set/train.parquet", pairs(2))
    folder = hub.open_hub(str(tmp_path / "set"), "imageB", "imageA")
    other = hub.open_hub(str(tmp_path / "set"), None, None)
    assert folder != other
    first = (one / "trainA/a000000.png" for one in (folder, other))
    assert next(first).read_bytes() != next(first).read_bytes()


def test_a_folder_with_several_parts_or_none(tmp_path):
    for part in ("small", "large"):
        write(tmp_path / f"set/{part}/train-00000-of-00001.parquet", pairs(2))
    with refused("mismatch", "data.source", match=r"has several parts \(large, small\)"):
        hub.open_hub(str(tmp_path / "set"), None, None)
    assert (hub.open_hub(str(tmp_path / "set/small"), None, None) / "trainA").is_dir()
    (tmp_path / "empty").mkdir()
    with refused("missing", "data.source", match="hf:.*empty holds no Parquet files"):
        hub.open_hub(str(tmp_path / "empty"), None, None)
    with refused("missing", "data.source", match="is no folder"):
        hub.open_hub(str(tmp_path / "emptyy"), None, None)


def test_nothing_is_left_of_a_set_that_cannot_be_used(tmp_path, cache):
    (tmp_path / "set").mkdir()
    (tmp_path / "set/train.parquet").write_bytes(b"PAR1 no more")
    with refused("unreadable", match="train.parquet is damaged"):
        hub.open_hub(str(tmp_path / "set"), None, None)
    write(tmp_path / "set/train.parquet", {"text": ["a", "b"]})
    with refused("unsupported", "data.source", match="hf:.*set holds no images"):
        hub.open_hub(str(tmp_path / "set"), None, None)
    assert not list(cache.iterdir())


def test_a_missing_package_is_named_before_anything_is_fetched(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with refused("dependency", "data.source", match=r"needs the package pyarrow: pip.*\[hf\]"):
        hub.check_source("user/set")


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [("./nowhere", "missing", "is no folder"), ("a/b/c/d@@e", "invalid", "is no name of a set")],
)
def test_what_cannot_be_a_set(source, code, said):
    pytest.importorskip("pyarrow")
    pytest.importorskip("huggingface_hub")
    with refused(code, "data.source", match=said):
        hub.check_source(source)


class Handler(BaseHTTPRequestHandler):
    """What `huggingface_hub` asks of the Hub to fetch a data set."""

    def __init__(self, sets, *args):
        self.sets = sets
        super().__init__(*args)

    def log_message(self, *_):
        pass

    def _answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        self.sets["asked"].append(self.path)
        path = self.path.partition("?")[0].replace("%2F", "/")
        kind, _, rest = path.strip("/").partition("/")
        if kind == "datasets":  # USER/SET/resolve/REVISION/FILE
            user, name, _, _, inner = rest.split("/", 4)
            data = self.sets[f"{user}/{name}"][inner]
            etag = hashlib.sha256(data).hexdigest()
            self._answer(200, data, ETag=f'"{etag}"', X_Repo_Commit="c" * 40)
            return
        user, name, *more = rest.removeprefix("datasets/").split("/")
        found = self.sets.get(f"{user}/{name}")
        revision = "/".join(more[1:]) if more else "main"
        if found is None:
            self._answer(401, X_Error_Code="RepoNotFound")
        elif revision not in ("main", "c" * 40):
            self._answer(404, X_Error_Code="RevisionNotFound")
        elif more[:1] == ["tree"]:
            entries = [
                {"type": "file", "path": path, "size": len(data), "oid": "0" * 40}
                for path, data in found.items()
            ]
            self._answer(200, json.dumps(entries).encode(), Content_Type="application/json")
        else:
            siblings = [{"rfilename": path} for path in found]
            about = {"id": f"{user}/{name}", "sha": "c" * 40, "siblings": siblings}
            self._answer(200, json.dumps(about).encode(), Content_Type="application/json")


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server with two sets, and the client set to ask it."""
    pytest.importorskip("huggingface_hub", reason='needs pip install ".[hf]"')
    from huggingface_hub import constants

    write(tmp_path / "one.parquet", pairs(3))
    sets = {
        "asked": [],
        "user/pairs": {
            "data/train-00000-of-00001.parquet": (tmp_path / "one.parquet").read_bytes()
        },
        "user/text": {"README.md": b"words"},
    }
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, sets))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        endpoint + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    yield sets
    server.shutdown()
    server.server_close()


def test_a_set_is_fetched_once_and_opens_without_the_network(server, monkeypatch):
    folder = hub.open_hub("user/pairs", None, None)
    assert len(list((folder / "trainA").iterdir())) == 3
    assert any("resolve" in path for path in server["asked"])
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert hub.open_hub("user/pairs", None, None) == folder
    with refused("unreadable", "data.source", match="cannot be fetched, and no copy was kept"):
        hub.open_hub("user/other", None, None)


def test_sets_that_are_not_there(server):
    with refused("missing", "data.source", match="hf:user/none is no set on the Hub"):
        hub.open_hub("user/none", None, None)
    with refused("missing", "data.source", match="has no revision v2"):
        hub.open_hub("user/pairs@v2", None, None)
    with refused("missing", "data.source", match="hf:user/text holds no Parquet files"):
        hub.open_hub("user/text", None, None)
    with refused("invalid", "data.source", match="is no name of a set; give hf:USER/SET"):
        hub.open_hub("user pairs", None, None)
