"""`POST /translate`: bodies and forms in, images of the kinds that Accept names out."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf.serve.http.app import build_app
from cyclegan_tf.serve.http.translate import chosen_model, wanted_type
from cyclegan_tf.serve.models.engine import Engine
from cyclegan_tf.serve.models.limits import Limits, RequestError
from cyclegan_tf.serve.models.metrics import Metrics
from cyclegan_tf.serve.models.store import ModelStore
from tests.helpers import tiny_serving
from tests.helpers.tiny_serving import ask, image, png

LIMITS = Limits(max_body_bytes=200_000, max_pixels=40_000)
FORM = {"content-type": "multipart/form-data; boundary=x"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    tiny_serving.save(folder)
    return tiny_serving.loaded(folder, LIMITS)


@pytest.fixture(scope="module")
def app(engine):
    return build_app(engine, Metrics())


def pixels_of(answer):
    with Image.open(io.BytesIO(answer.body)) as pil_image:
        return pil_image.format, np.asarray(pil_image)


def test_a_body_becomes_an_image(app):
    for data in (png(image()), tf.io.encode_jpeg(image(), quality=100).numpy()):
        answer = ask(app, "POST", "/translate", data)
        assert (answer.status, answer.headers["content-type"]) == (200, "image/png")
        kind, found = pixels_of(answer)
        assert kind == "PNG"
        np.testing.assert_array_equal(found, 255 - tf.io.decode_image(data).numpy())


def test_a_model_that_is_being_loaded_is_worth_asking_for_again(tmp_path):
    tiny_serving.save(tmp_path)
    app = build_app(Engine(ModelStore(tmp_path), LIMITS), Metrics())
    answer = ask(app, "POST", "/translate", png(image()))
    assert (answer.status, "tiny_xy is being loaded" in answer.json()["error"]) == (503, True)
    assert ask(app, "GET", "/models.json").json()["loading"] is True
    assert ask(app, "POST", "/translate?model=other", png(image())).status == 404


def test_a_form_becomes_an_image(app):
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n'
    answer = ask(app, "POST", "/translate", head + png(image()) + b"\r\n--x--\r\n", FORM)
    np.testing.assert_array_equal(pixels_of(answer)[1], 255 - image())


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_the_kind_that_is_accepted(app, kind):
    smooth = np.full((40, 50, 3), 200, np.uint8)
    answer = ask(app, "POST", "/translate", png(smooth), {"accept": f"image/{kind}"})
    assert answer.headers["content-type"] == f"image/{kind}"
    found_kind, found = pixels_of(answer)
    assert found_kind == kind.upper()
    assert np.abs(found.astype(int) - 55).max() <= 3


@pytest.mark.parametrize(
    ("data", "headers", "status", "words"),
    [
        (b"", {}, 400, "the body is empty; send the image itself"),
        (b"<svg/>", {}, 400, "neither a JPEG nor a PNG"),
        (png(image())[:40], {}, 400, "damaged or cut off"),
        (png(np.zeros((201, 200, 3), np.uint8)), {}, 413, "200 x 201 pixels"),
        (bytes(200_001), {}, 413, "longer than 200,000 bytes"),
        (png(image()), {"accept": "text/html"}, 406, "image/png, image/jpeg, image/webp"),
        (png(image()), {"content-encoding": "br"}, 415, "gzip"),
        (b"x", FORM, 400, "the form was cut off"),
    ],
)
def test_refusals(app, data, headers, status, words):
    answer = ask(app, "POST", "/translate", data, headers)
    assert answer.status == status
    assert words in answer.json()["error"]


def test_other_methods_say_how(app):
    for method in ("GET", "PUT"):
        answer = ask(app, method, "/translate")
        assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert "by POST" in ask(app, "GET", "/translate").json()["error"]


def test_it_waits_in_the_queue_of_all(tmp_path):
    tiny_serving.save(tmp_path)
    engine = tiny_serving.loaded(tmp_path, Limits(max_queue=0))
    app = build_app(engine, Metrics())
    with engine.admit():
        assert ask(app, "POST", "/translate", png(image())).status == 429
    assert ask(app, "POST", "/translate", png(image())).status == 200


PAIR = ["zebra_xy", "zebra_yx"]


@pytest.mark.parametrize(
    ("names", "wanted", "direction", "name"),
    [
        (["any"], None, None, "any"),
        (PAIR, None, None, "zebra_xy"),
        (PAIR, None, "yx", "zebra_yx"),
        (PAIR, None, "BtoA", "zebra_yx"),
        (PAIR, None, "a2b", "zebra_xy"),
        ([*PAIR, "map_xy"], "map_xy", None, "map_xy"),
    ],
)
def test_the_model_that_is_meant(names, wanted, direction, name):
    assert chosen_model(names, wanted, direction) == name


@pytest.mark.parametrize(
    ("names", "direction", "words"),
    [
        ([*PAIR, "map_xy"], None, "2 models are meant; name one.*map_xy, zebra_xy, zebra_yx"),
        (["any"], "yx", "0 models are meant"),
        ([], None, "none is served"),
        (PAIR, "z", "direction must be xy or yx"),
        (PAIR, "both", "direction must be xy or yx"),
    ],
)
def test_a_model_that_is_not_clear(names, direction, words):
    with pytest.raises(RequestError, match=words) as caught:
        chosen_model(names, None, direction)
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "png"),
        ("*/*", "png"),
        ("image/*;q=0.5", "png"),
        ("image/webp", "webp"),
        ("image/png;q=0.1, IMAGE/JPEG ; q=0.8", "jpeg"),
        ("image/avif,image/webp,*/*;q=0.8", "webp"),
        ("image/png;q=no, image/jpeg", "jpeg"),
    ],
)
def test_accept(accept, kind):
    assert wanted_type(accept) == f"image/{kind}"
