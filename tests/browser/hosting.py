"""Web servers for the page's tests, and a driver for a real browser."""

from __future__ import annotations

import atexit
import base64
import contextlib
import functools
import io
import json
import os
import select
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from PIL import Image

HERE = Path(__file__).parent
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
ISOLATED = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
}


class Handler(SimpleHTTPRequestHandler):
    """A folder's files, some slow or missing; and TF Serving's predict with a fake answer."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args, site, **kwargs):
        self.site = site
        super().__init__(*args, directory=str(site["folder"]), **kwargs)

    def end_headers(self):
        for name, value in self.site["headers"].items():
            self.send_header(name, value)
        super().end_headers()

    def do_GET(self):
        if self.path in self.site["missing"]:
            self.send_error(404)
        elif self.path in self.site["documents"]:
            self.send(200, json.dumps(next(self.site["documents"][self.path])).encode())
        else:
            super().do_GET()

    def copyfile(self, source, outputfile):
        while block := source.read(1 << 15):
            outputfile.write(block)
            if self.path.endswith(".tflite"):
                time.sleep(self.site["slow_s"])

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.site["posts"].append((self.path, body))
        status, answer = self.site["answer"](body)
        self.send(status, answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    def send(self, status, content):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        pass


def negative(body):
    """A fake server's answer: the image with white for black."""
    image = Image.open(io.BytesIO(base64.b64decode(body["instances"][0]["b64"]))).convert("RGB")
    stream = io.BytesIO()
    Image.fromarray(255 - np.asarray(image)).save(stream, "PNG")
    return 200, {"predictions": [{"b64": base64.b64encode(stream.getvalue()).decode()}]}


@contextlib.contextmanager
def site(
    folder: Path,
    headers: Mapping[str, str] | None = None,
    missing=(),
    slow_s=0.0,
    answer=negative,
    documents: Mapping[str, Iterator] | None = None,
) -> Iterator:
    """Serves a folder on 127.0.0.1; gives its address and the list of what was posted.

    `documents` holds what addresses give in turn, in place of a file.
    """
    posts: list = []
    about = {"folder": folder, "headers": headers or {}, "missing": missing}
    about |= {"slow_s": slow_s, "answer": answer, "posts": posts}
    about |= {"documents": documents or {}}
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, site=about))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", posts
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def need(*tools: str) -> None:
    """Skips the test, saying which tool it lacks."""
    for tool in tools:
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")


def chromium() -> str:
    """The browser's program; skips the test where there is none."""
    found = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if found is None:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    return found


def install(folder: Path) -> Path:
    """Copies the scripts and their npm packages, so that tests running at once do not meet."""
    for path in HERE.iterdir():
        if path.suffix in (".mjs", ".json"):
            shutil.copy(path, folder)
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode and any(
        word in done.stderr for word in ("ENOTFOUND", "ECONNREFUSED", "EAI_AGAIN", "ETIMEDOUT")
    ):
        pytest.skip("npm cannot reach its registry")
    assert done.returncode == 0, done.stderr
    return folder


def drive(scripts: Path, out: Path, scenario: str, url: str, **config) -> dict:
    """Plays a scenario of scenarios.mjs; images and screenshots lie in `out` afterwards."""
    out.mkdir(parents=True, exist_ok=True)
    words = {
        "scenario": scenario,
        "url": url,
        "out": str(out),
        "result": str(out / "result.json"),
        "chromium": chromium(),
        **config,
    }
    (out / "config.json").write_text(json.dumps(words, default=str))
    driver = _driver(scripts)
    driver.stdin.write(f"{out / 'config.json'}\n")
    driver.stdin.flush()
    assert select.select([driver.stdout], [], [], 240)[0], f"{scenario} took over 240 s"
    answer = driver.stdout.readline()
    assert answer == "\n", json.loads(answer or '"the driver has ended"')
    return json.loads((out / "result.json").read_text())


@functools.cache
def _driver(scripts: Path) -> Any:
    """The process that has the browsers; one for each worker, since a start takes seconds."""
    home = scripts / "home"
    home.mkdir()
    driver = subprocess.Popen(
        ["node", str(scripts / "drive.mjs")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": str(home)},
    )

    def end() -> None:
        cast(Any, driver.stdin).close()
        driver.wait(30)

    atexit.register(end)
    return driver
