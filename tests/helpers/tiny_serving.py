"""A SavedModel with the signatures of an export, an in-process client, and a server process."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import http.client
import json
import os
import re
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from cyclegan_tf.serve.models.engine import Engine
from cyclegan_tf.serve.models.limits import Limits
from cyclegan_tf.serve.models.store import ModelStore
from tests.helpers.preloaded import Process

SECONDS_PER_LEVEL = 0.02
START_SECONDS = 180  # importing TensorFlow takes long where tests run side by side


class Tiny(tf.Module):
    """Inverts images, or fills them with one value.

    A slow one first waits 0.02 s for each step of red of the first pixel.
    """

    def __init__(self, level=None, slow=False):
        super().__init__()
        self.level, self.slow = level, slow

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32, "images")])
    def translate(self, images):
        return {
            "translated": -images
            if self.level is None
            else tf.zeros_like(images) + self.level / 127.5 - 1
        }

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string, "image_bytes")])
    def translate_encoded(self, image_bytes):
        def one(data):
            image = tf.io.decode_image(data, channels=3, expand_animations=False)
            image = tf.ensure_shape(image, (None, None, 3))
            with tf.control_dependencies([self.wait(image[0, 0, 0])] if self.slow else []):
                inverted = 255 - image
                return tf.io.encode_png(
                    inverted if self.level is None else tf.zeros_like(image) + self.level
                )

        return {"translated_bytes": tf.map_fn(one, image_bytes, fn_output_signature=tf.string)}

    def wait(self, level):
        end = tf.timestamp() + SECONDS_PER_LEVEL * tf.cast(level, tf.float64)
        return tf.while_loop(
            lambda now: now < end, lambda now: (tf.timestamp(),), (tf.timestamp(),)
        )[0]


def save(out, name="tiny_xy", version=1, level=None, slow=False):
    """Writes OUT/saved_model/<name>/<version> as the exporter does: under another name first."""
    model, folder = Tiny(level, slow), Path(out) / "saved_model" / name
    partial = folder / f".partial-{version}"
    signatures = {"serving_default": model.translate, "image_bytes": model.translate_encoded}
    tf.saved_model.save(model, str(partial), signatures=signatures)
    partial.rename(folder / str(version))
    return folder / str(version)


def image(height=5, width=7, seed=0, red=None):
    """uint8 (H, W, 3); `red` is the first pixel's."""
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    if red is not None:
        pixels[0, 0, 0] = red
    return pixels


def png(pixels):
    """The bytes of a PNG."""
    return tf.io.encode_png(pixels).numpy()


def b64(data):
    """A binary value in TF Serving's JSON."""
    return {"b64": base64.b64encode(data).decode()}


def body(*images, **more):
    """The body of a request in row form for encoded images."""
    instances = [b64(data) for data in images]
    return json.dumps({"signature_name": "image_bytes", "instances": instances, **more}).encode()


def pixels_of(value):
    """{"b64": PNG} -> pixels."""
    return tf.io.decode_png(base64.b64decode(value["b64"], validate=True)).numpy()


def loaded(out, limits=None, **options):
    """An engine whose models are loaded, without watching."""
    store = ModelStore(Path(out), **options)
    store.poll()
    return Engine(store, limits or Limits())


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self):
        return json.loads(self.body)


def ask(app, method, path, data=b"", headers=(), chunks=None):
    """One request to an ASGI application; `chunks` replace `data` and its Content-Length."""
    return asyncio.run(ask_soon(app, method, path, data, headers, chunks))


async def ask_soon(app, method, path, data=b"", headers=(), chunks=None, disconnect=None):
    """The same as a coroutine; the client goes away when `disconnect` (an asyncio.Event) is set."""
    given = {key.lower(): value for key, value in dict(headers).items()}
    if chunks is None:
        given.setdefault("content-length", str(len(data)))
    parts = list([data] if chunks is None else chunks)
    sent = []

    async def receive():
        if parts:
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}
        await (disconnect.wait() if disconnect else asyncio.Event().wait())
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    raw = [(key.encode("latin-1"), value.encode("latin-1")) for key, value in given.items()]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method,
        "scheme": "http",
        "path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"",
        "headers": raw,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
    }  # fmt: skip
    await app(scope, receive, send)
    first = sent[0]
    got = {key.decode().lower(): value.decode("latin-1") for key, value in first["headers"]}
    return Answer(first["status"], got, b"".join(message.get("body", b"") for message in sent[1:]))


class Server:
    """`python -m cyclegan_tf.serve` as a process of its own, on a free port."""

    def __init__(self, out, *options, wait=True):
        ours, theirs = os.pipe()
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
        words = [out, "--port", "0", *options]
        self.process = Process("cyclegan_tf.serve", words, theirs, environment)
        os.close(theirs)
        self._output = os.fdopen(ours, encoding="utf-8")
        self.lines: list[str] = []
        self._reader = threading.Thread(target=lambda: self.lines.extend(self._output), daemon=True)
        self._reader.start()
        try:
            line = self.wait_for_line(r"listening on http://127\.0\.0\.1:(\d+)", START_SECONDS)
            self.port = int(line[1])
            if wait:
                wait_until(lambda: self.get("/health").status == 200)
        except BaseException:
            self.__exit__()
            raise

    def wait_for_line(self, pattern, seconds=60):
        """The first match in what the server has written."""
        return wait_until(lambda: re.search(pattern, "".join(self.lines)), seconds, self.show)

    def show(self):
        return "".join(self.lines)

    def connect(self, timeout=60):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def ask(self, method, path, data=None, headers=(), connection=None):
        with (
            contextlib.closing(self.connect())
            if connection is None
            else contextlib.nullcontext(connection) as http_
        ):
            http_.request(method, path, data, dict(headers))
            response = http_.getresponse()
            got = {key.lower(): value for key, value in response.getheaders()}
            return Answer(response.status, got, response.read())

    def get(self, path):
        return self.ask("GET", path)

    def predict(self, data, path="/v1/models/tiny_xy:predict", connection=None):
        return self.ask("POST", path, data, {"content-type": "application/json"}, connection)

    def stop(self, sign="terminate", seconds=60):
        """Ends it and returns its exit status."""
        getattr(self.process, sign)()
        status = self.process.wait(seconds)
        self._reader.join(10)
        return status

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(10)
        self._output.close()


def wait_until(true, seconds=60, show=lambda: ""):
    """Asks again until the answer is true, and returns it."""
    end = time.monotonic() + seconds
    while not (answer := true()):
        assert time.monotonic() < end, f"waited {seconds} s in vain; {show()}"
        time.sleep(0.02)
    return answer
