"""Images in bodies and forms, as curl and browsers write them."""

import pytest

from cyclegan_tf.serve.http.forms import image_in
from cyclegan_tf.serve.models.limits import RequestError

TYPE = 'multipart/form-data; boundary="--limit"'
FILE = (
    b'Content-Disposition: form-data; name="image"; filename="a b.png"\r\n'
    b"Content-Type: image/png\r\n\r\n"
)
FIELD = b'Content-Disposition: form-data; name="model"\r\n\r\nzebra'


def form(*parts, end=b"--\r\n"):
    return b"".join(b"----limit\r\n" + part + b"\r\n" for part in parts) + b"----limit" + end


@pytest.mark.parametrize("kind", ["", "image/png", "application/x-www-form-urlencoded"])
def test_a_body_is_the_image_whatever_it_is_called(kind):
    assert image_in(kind, b"\x89PNG") == b"\x89PNG"


@pytest.mark.parametrize(
    "content", [b"", b"\r\n--\r\n\r\n", bytes(range(256)) * 3, b"\r\n----limi"]
)
def test_the_one_file_of_a_form(content):
    assert image_in(TYPE, form(FIELD, FILE + content)) == content


@pytest.mark.parametrize(
    ("kind", "body", "words"),
    [
        ("image/png", b"", "the body is empty"),
        ("multipart/form-data", form(FILE), "no boundary"),
        (TYPE, form(FIELD), "holds 0 files"),
        (TYPE, form(FILE, FILE), "holds 2 files"),
        (TYPE, form(FILE, end=b""), "was cut off"),
        (TYPE, b"", "was cut off"),
        (TYPE, b"other", "was cut off"),
        (TYPE, form(*[FIELD] * 17), "more than 16 parts"),
        (TYPE, form(b"Content-Disposition: form-data"), "no whole head"),
        (TYPE, form(b"x" * 5000 + b"\r\n\r\n"), "no whole head"),
        (TYPE, form(b"X-Other: 1\r\n\r\n"), "holds 0 files"),
        ("multipart/form-data; boundary=\r\nx", form(FILE), "was cut off"),
    ],
)
def test_what_is_none(kind, body, words):
    with pytest.raises(RequestError, match=words) as caught:
        image_in(kind, body)
    assert caught.value.status == 400
