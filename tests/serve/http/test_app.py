"""The HTTP application without a network: addresses, refusals, headers, broken bodies."""

import asyncio
import gzip
import json
import random

import numpy as np
import pytest
import tensorflow as tf
from prometheus_client.parser import text_string_to_metric_families

from cyclegan_tf.serve.http.app import build_app
from cyclegan_tf.serve.models.engine import Engine
from cyclegan_tf.serve.models.limits import Limits
from cyclegan_tf.serve.models.metrics import Metrics
from cyclegan_tf.serve.models.store import ModelStore
from tests.helpers import tiny_serving
from tests.helpers.tiny_serving import ask, b64, body, image, pixels_of, png

LIMITS = Limits(max_body_bytes=200_000, max_pixels=40_000, max_side=1000, max_batch=3)
PREDICT = "/v1/models/tiny_xy:predict"


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    tiny_serving.save(folder, version=3)
    tiny_serving.save(folder, version=12)
    return folder


@pytest.fixture(scope="module")
def page_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    (folder / "parts").mkdir()
    (folder / "index.html").write_text("<!doctype html><title>page</title>")
    (folder / "parts" / "a.js").write_text("let a;")
    return folder


def application(engine, page_folder):
    metrics = Metrics()
    metrics.watch_queue(lambda: engine.waiting, lambda: engine.running)
    return build_app(engine, metrics, page_folder)


@pytest.fixture(scope="module")
def app(out, page_folder):
    return application(tiny_serving.loaded(out, LIMITS, keep="all"), page_folder)


def refused(app, data, status=400, path=PREDICT, **more):
    answer = ask(app, "POST", path, data, **more)
    assert answer.status == status, answer.body
    assert list(answer.json()) == ["error"]
    assert answer.headers["content-type"] == "application/json"
    return answer.json()["error"]


def test_models_and_their_status(app):
    status = {
        "version": "12",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    older = {**status, "version": "3"}
    assert ask(app, "GET", "/v1/models").json() == {
        "models": [{"name": "tiny_xy", "model_version_status": [status, older]}]
    }
    assert ask(app, "GET", "/v1/models/tiny_xy").json() == {"model_version_status": [status, older]}
    assert ask(app, "GET", "/v1/models/tiny_xy/versions/3").json() == {
        "model_version_status": [older]
    }


@pytest.mark.parametrize(
    ("path", "status"),
    [("none", 404), ("tiny_xy/versions/4", 404), ("tiny_xy/versions/x", 400),
    ("tiny_xy/versions/-1", 400),
     ("tiny_xy/versions/" + "9" * 40, 400), ("none/metadata", 404), ("tiny_xy/versions/4/metadata",
     404),
     ("tiny_xy/labels/stable", 400), ("tiny_xy/metadata/more", 400), ("%00", 404), ("a\ud7ffb",
     404)],
)  # fmt: skip
def test_unknown_addresses_of_models(app, path, status):
    answer = ask(app, "GET", f"/v1/models/{path}")
    assert answer.status == status
    assert list(answer.json()) == ["error"]


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/foo"), ("GET", "/v1/models/a/b"), ("GET", "/v1/models/tiny_xy:predict"),
     ("POST", "/v1/models/tiny_xy:regress"), ("POST", "/v1/models/tiny_xy/labels/a:predict"),
     ("GET", "/v1/models/tiny_xy/"), ("HEAD", "/v1/models/tiny_xy"), ("PUT", "/v1/models")],
)  # fmt: skip
def test_malformed_addresses_of_models(app, method, path):
    answer = ask(app, method, path)
    assert (answer.status, answer.json()) == (400, {"error": f"Malformed request: {method} {path}"})


def test_addresses_in_any_case(app):
    assert ask(app, "GET", "/V1/MODELS/tiny_xy").status == 200
    assert ask(app, "GET", "/V1/MODELS/TINY_XY").status == 404
    assert ask(app, "POST", "/V1/models/tiny_xy:PREDICT", body(png(image()))).status == 200


def test_metadata(app):
    for path, version in {"": "12", "/versions/3": "3"}.items():
        document = ask(app, "GET", f"/v1/models/tiny_xy{path}/metadata").json()
        assert document["model_spec"] == {
            "name": "tiny_xy",
            "signature_name": "",
            "version": version,
        }
        signatures = document["metadata"]["signature_def"]["signature_def"]
        assert {"serving_default", "image_bytes"} <= set(signatures)
        dims = signatures["serving_default"]["inputs"]["images"]["tensor_shape"]["dim"]
        assert [dim["size"] for dim in dims] == ["-1", "-1", "-1", "3"]
        assert signatures["image_bytes"]["outputs"]["translated_bytes"]["dtype"] == "DT_STRING"


@pytest.mark.parametrize("path", [PREDICT, "/v1/models/tiny_xy/versions/3:predict"])
def test_encoded_images_in_every_form(app, path):
    images = [image(5, 7), image(1, 2, 1)]
    values = [b64(png(pixels)) for pixels in images]
    bodies = [
        {"instances": values},
        {"instances": [{"image_bytes": value} for value in values]},
        {"inputs": values},
        {"inputs": {"image_bytes": values}},
    ]
    for document in bodies:
        answer = ask(
            app, "POST", path, json.dumps({"signature_name": "image_bytes", **document}).encode()
        )
        assert answer.status == 200, answer.body
        (key, found), *more = answer.json().items()
        assert (key, more) == ("predictions" if "instances" in document else "outputs", [])
        for pixels, value in zip(images, found, strict=True):
            np.testing.assert_array_equal(pixels_of(value), 255 - pixels)


def test_numbers_in_both_forms(app):
    images = np.linspace(-1, 1, 24, dtype=np.float32).reshape(2, 2, 2, 3)
    for key, answer_key in {"instances": "predictions", "inputs": "outputs"}.items():
        answer = ask(app, "POST", PREDICT, json.dumps({key: images.tolist()}).encode())
        np.testing.assert_array_equal(np.array(answer.json()[answer_key], np.float32), -images)


def test_one_pixel_is_refused_and_a_row_of_two_is_not(app):
    for encode in (png, lambda pixels: tf.io.encode_jpeg(pixels).numpy()):
        refused = ask(app, "POST", PREDICT, body(encode(image(1, 1))))
        assert refused.status == 400
        assert "1 x 1 pixels" in refused.json()["error"]
        answer = ask(app, "POST", PREDICT, body(encode(image(1, 2))))
        assert pixels_of(answer.json()["predictions"][0]).shape == (1, 2, 3)
    refused = ask(app, "POST", PREDICT, json.dumps({"instances": [[[[0.0, 0.5, 1.0]]]]}).encode())
    assert refused.status == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [("none:predict", 404), ("tiny_xy/versions/4:predict", 404), ("tiny_xy/versions/x:predict",
    400),
     ("tiny_xy:classify", 400), ("tiny_xy", 400)],
)  # fmt: skip
def test_predicting_with_unknown_addresses(app, path, status):
    refused(app, body(png(image())), status, f"/v1/models/{path}")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<svg/>",
        b"GIF89a",
        png(image())[:-1],
        png(image())[:40],
        tf.io.encode_jpeg(image(30, 30)).numpy()[:-100],
    ],
    ids=["empty", "svg", "gif", "png end", "png start", "jpeg end"],
)
def test_images_that_are_none(app, data):
    assert "image_bytes" in refused(app, body(png(image()), data))[:60] or data[:2] == b"\xff\xd8"


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({"instances": [[[[0, 0]]]]}, 400), ({"instances": [[[0, 0, 0]]]}, 400),
        ({"instances": [["a"]]}, 400),
        ({"instances": [[[[0, 0, 0]], [[0, 0]]]]}, 400), ({"instances": [[]]}, 400),
        ({"instances": []}, 400),
        ({"instances": [[[[0, 0, 0]]]] * 4}, 413), ({"instances": [[[[0, 0, 0]] * 1001]]}, 413),
        ({"instances": [[[[1e300, 0, 0]] * 2]]}, 400),
        ({"instances": [[[[1e300, 0, 0]] * 900]]}, 400),
        ({"instances": [0], "signature_name": "none"}, 400), ({"instances": [{"b64": "!"}]}, 400),
        ({"signature_name": "image_bytes", "instances": [{"b64": "!"}]}, 400),
        ({"signature_name": "image_bytes", "instances": [""]}, 400),
        ({"signature_name": "image_bytes", "inputs": {"b64": ""}}, 400),
        ({"signature_name": "image_bytes", "instances": [1.5]}, 400), ({}, 400),
    ],
)  # fmt: skip
def test_requests_that_are_wrong(app, document, status):
    refused(app, json.dumps(document).encode(), status)


def test_large_images(app):
    assert "201 x 200" in refused(app, body(png(np.zeros((200, 201, 3), np.uint8))), 413)
    assert ask(app, "POST", PREDICT, body(png(np.zeros((200, 200, 3), np.uint8)))).status == 200
    assert "1001" in refused(app, body(png(np.zeros((1, 1001, 3), np.uint8))), 413)
    assert "4 images" in refused(app, body(*[png(image())] * 4), 413)


def test_long_bodies_are_refused_with_and_without_their_length(app):
    assert "200,000" in refused(app, b" " * 200_001, 413)
    assert "200,000" in refused(
        app, b"", 413, headers={"content-length": "999999999999999999999999"}
    )
    assert "200,000" in refused(app, b"", 413, chunks=[b" " * 100_000] * 3)
    good = body(png(image()))
    padded = good + b" " * (200_000 - len(good))
    assert ask(app, "POST", PREDICT, chunks=[padded[:1000], b"", padded[1000:]]).status == 200


def test_compressed_bodies(app):
    assert "gzip" in refused(app, b"", 415, headers={"content-encoding": "br"})
    good, headers = gzip.compress(body(png(image()))), {"content-encoding": "gzip"}
    assert ask(app, "POST", PREDICT, good, headers).status == 200
    assert "cut off" in refused(app, good[:-9], headers=headers)
    assert "200,000" in refused(app, gzip.compress(bytes(10**7)), 413, headers=headers)


def test_a_body_that_does_not_come(out, page_folder):
    engine = tiny_serving.loaded(out, Limits(timeout_seconds=0.2))
    app = application(engine, page_folder)

    async def asked(disconnect):
        task = tiny_serving.ask_soon(app, "POST", PREDICT, chunks=[], disconnect=disconnect)
        return (await task).status

    async def both():
        gone = asyncio.Event()
        gone.set()
        return await asked(None), await asked(gone)

    assert asyncio.run(both()) == (408, 499)
    assert engine.waiting == 0


def test_a_full_queue_says_when_to_come_back(out, page_folder):
    engine = tiny_serving.loaded(out, Limits(max_queue=0))
    app = application(engine, page_folder)
    with engine.admit():
        answer = ask(app, "POST", PREDICT, body(png(image())))
    assert (answer.status, answer.headers["retry-after"]) == (429, "1")
    assert "waiting" in answer.json()["error"]
    assert ask(app, "POST", PREDICT, body(png(image()))).status == 200


def test_health_follows_the_models(out, page_folder):
    store = ModelStore(out)
    app = application(Engine(store, LIMITS), page_folder)
    assert ask(app, "GET", "/health").status == 503
    refused(app, body(png(image())), 404)
    store.poll()
    answer = ask(app, "GET", "/health")
    assert (answer.status, answer.json()) == (200, {"status": "ok", "models": {"tiny_xy": 12}})
    assert ask(app, "HEAD", "/health").status == 200
    store.stop()
    assert ask(app, "GET", "/health").status == 503


def test_metrics_count_what_was_asked(out, page_folder):
    app = application(tiny_serving.loaded(out, LIMITS), page_folder)
    for _ in range(2):
        ask(app, "POST", PREDICT, body(png(image()), png(image())))
    ask(app, "POST", PREDICT, b"")
    ask(app, "POST", "/v1/models/invented:predict", b"")
    answer = ask(app, "GET", "/metrics")
    same = ask(app, "GET", "/monitoring/prometheus/metrics")
    assert (same.status, same.headers["content-type"]) == (200, answer.headers["content-type"])
    assert answer.headers["content-type"].startswith("text/plain")
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.body.decode())
        for sample in family.samples
    }

    def counted(name, **labels):
        return found[("cyclegan_tf_" + name, *sorted(labels.items()))]

    served = {"model": "tiny_xy", "version": "12"}
    assert counted("requests_total", protocol="rest", code="200", **served) == 2
    assert counted("requests_total", protocol="rest", code="400", **served) == 1
    assert counted("requests_total", protocol="rest", code="404", model="", version="") == 1
    assert counted("pictures_total", **served) == 4
    assert counted("predict_seconds_count", protocol="rest", **served) == 2
    assert b"invented" not in answer.body


def test_the_page_and_nothing_else(app):
    for path, kind in {
        "/": "text/html",
        "/index.html": "text/html",
        "/parts/a.js": "text/javascript",
    }.items():
        answer = ask(app, "GET", path)
        assert (answer.status, answer.headers["content-type"].split(";")[0]) == (200, kind)
        assert ask(app, "HEAD", path).status == 200
    for path in (
        "/../tiny_serving.py",
        "/parts/../../secret",
        "//etc/passwd",
        "/parts",
        "/none",
        "/%2e%2e/x",
        "/parts/",
    ):
        answer = ask(app, "GET", path)
        assert (answer.status, list(answer.json())) == (404, ["error"])


@pytest.mark.parametrize(
    "path", ["/", "/index.html", "/health", "/metrics", "/monitoring/prometheus/metrics",
             "/models.json"],
)  # fmt: skip
def test_addresses_outside_of_tf_servings_are_read_only(app, path):
    assert ask(app, "GET", path).status == ask(app, "HEAD", path).status == 200
    for method in ("POST", "DELETE", "PUT", "BREW"):
        answer = ask(app, method, path)
        assert answer.status == 405
        assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}
        assert list(answer.json()) == ["error"]
        assert ask(app, method, "/none").status == 404


def test_a_missing_page_is_reported(out, tmp_path):
    answer = ask(application(tiny_serving.loaded(out), tmp_path), "GET", "/")
    assert answer.status == 404
    assert "index.html is missing" in answer.json()["error"]


def test_models_json_is_for_this_server_and_never_kept(app):
    answer = ask(app, "GET", "/models.json")
    assert (answer.json()["engine"], answer.headers["cache-control"]) == ("server", "no-store")
    assert answer.json()["models"][0]["version"] == 12


@pytest.mark.parametrize(
    "path", ["/", "/health", "/metrics", "/models.json", "/v1/models", "/none", PREDICT]
)
def test_every_answer_has_the_headers(app, path):
    answer = ask(app, "GET", path)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_two_lengths_are_refused_and_the_connection_closed(app):
    headers = {"content-length": "1", "transfer-encoding": "chunked"}
    answer = ask(app, "POST", PREDICT, body(png(image())), headers)
    assert (answer.status, answer.headers["connection"]) == (400, "close")


def test_pages_of_other_places_are_refused(out):
    local = build_app(tiny_serving.loaded(out, LIMITS), Metrics(), hosts=["my.name"])
    for host, status in {"127.0.0.1:1": 200, "my.name": 200, "evil.com": 403}.items():
        assert ask(local, "GET", "/health", headers={"host": host}).status == status
    headers = {"host": "localhost", "origin": "http://evil.com", "content-type": "text/plain"}
    assert "--allowed_hosts" in refused(local, body(png(image())), 403, headers=headers)


def test_a_fault_of_the_server_is_an_answer_too(out, page_folder, monkeypatch, caplog):
    engine = tiny_serving.loaded(out)
    version = engine.store.get("tiny_xy")
    monkeypatch.setattr(type(version), "signature", lambda self, name: 1 / 0)
    assert "fault of its own" in refused(application(engine, page_folder), body(png(image())), 500)
    assert "ZeroDivisionError" in caplog.text


def mutated(rng, seeds):
    """A body with bytes changed, cut, doubled or inserted, or a value of its JSON replaced."""
    data = bytearray(rng.choice(seeds))
    if rng.random() < 0.3:
        odd = [
            None,
            True,
            -1,
            1e999,
            "",
            "a",
            [],
            {},
            [[]],
            {"b64": "A"},
            {"b64": ""},
            10**400,
            [1, [2]],
            "\ud800",
        ]
        key = rng.choice(["signature_name", "instances", "inputs"])
        document = {**json.loads(bytes(data)), key: rng.choice(odd)}
        return json.dumps(document).encode()
    for _ in range(rng.randint(1, 6)):
        at, length = rng.randrange(len(data) + 1), rng.randint(0, 40)
        kind = rng.randrange(5)
        if kind == 0:
            del data[at : at + length]
        elif kind == 1:
            data[at:at] = data[at : at + length]
        elif kind == 2:
            data[at:at] = rng.choice(
                [b"[", b"]", b"{", b'"', b",", b"NaN", b"-", b"\xff", b"\\u0000", b"null", b"e9"]
            )
        elif kind == 3 and at < len(data):
            data[at] = rng.randrange(256)
        else:
            data[at : at + 1] = rng.choice([b"A", b"/", b"0", b"9", b"="])
    return bytes(data)


def test_no_body_breaks_the_server(app):
    rng = random.Random(7)
    jpeg = tf.io.encode_jpeg(image(9, 9)).numpy()
    images = np.zeros((1, 2, 2, 3)).tolist()
    seeds = [
        body(png(image())),
        body(jpeg, png(image(1, 2))),
        json.dumps({"instances": images}).encode(),
        json.dumps({"inputs": {"images": images}}).encode(),
        json.dumps(
            {"signature_name": "image_bytes", "inputs": {"image_bytes": [b64(jpeg)]}}
        ).encode(),
    ]
    codes = {}
    for _ in range(500):
        data = mutated(rng, seeds)
        answer = ask(app, "POST", PREDICT, data)
        document = answer.json()
        assert answer.status in (200, 400, 413), (answer.status, answer.body[:300], data[:300])
        assert set(document) <= ({"predictions", "outputs"} if answer.status == 200 else {"error"})
        codes[answer.status] = codes.get(answer.status, 0) + 1
    assert codes[400] > 100
    assert ask(app, "POST", PREDICT, seeds[0]).status == 200
