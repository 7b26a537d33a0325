"""Hostile requests to `POST /translate`: images as bodies, and forms that hold them."""

from __future__ import annotations

import random
from collections.abc import Callable

from benchmarks.deploy.attack import ANY, REFUSED, REFUSED_OR_CLOSED, Attack, Want
from benchmarks.deploy.request_bodies import compressed_zeros, encoded, jpeg_of, png_of

_EDGE = b"----edge"
_FORM = f"Content-Type: multipart/form-data; boundary={_EDGE.decode()}"
_NOT_ACCEPTABLE = 406


def part_of(content: bytes, disposition: str = 'form-data; name="image"; filename="a"') -> bytes:
    """A part of a form, with the line that begins it."""
    head = f"Content-Disposition: {disposition}\r\n\r\n".encode("latin-1")
    return b"--" + _EDGE + b"\r\n" + head + content + b"\r\n"


def form_of(*parts: bytes) -> bytes:
    """A form of these parts, ended as it should be."""
    return b"".join(parts) + b"--" + _EDGE + b"--\r\n"


def posted(model: str, body: bytes, *lines: str, query: str = "") -> bytes:
    """A request; `query` in place of the one that names the model."""
    address = f"/translate?{query or f'model={model}'}"
    head = [f"POST {address} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *lines]
    head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def translate_attack(rng: random.Random, model: str, changed: Callable[[bytes], bytes]) -> Attack:
    """One of them.

    Args:
      rng: chooses.
      model: which is asked.
      changed: damages bytes at random.
    """
    image = rng.choice([encoded("PNG"), encoded("JPEG", quality=90)])
    form = form_of(part_of(b"more", 'form-data; name="note"'), part_of(image))
    turn = rng.random()
    if turn < 0.2:
        sent = rng.choice([posted(model, image), posted(model, form, _FORM)])
        want = Want(frozenset({200}), file=image)
    elif turn < 0.4:
        data = changed(image)
        sent, want = posted(model, data), Want(ANY, file=data)
    elif turn < 0.6:
        # What a damaged form holds, only its reader can say.
        sent, want = posted(model, changed(form), _FORM), Want(ANY)
    else:
        sent, want = _refused(rng, model, image, form)
    return Attack("translate", (sent,), (want,))


def _refused(rng: random.Random, model: str, image: bytes, form: bytes) -> tuple[bytes, Want]:
    jpeg = encoded("JPEG", quality=90)
    plain = [
        b"", image[: len(image) // 2], b"\x00" * 100, b'{"instances": [1]}', form,
        b"<svg xmlns='http://www.w3.org/2000/svg'/>", encoded("GIF"), encoded("TIFF"),
        png_of(60_000, 60_000), png_of(2**31 - 1, 1), jpeg_of(jpeg, 65_000, 65_000),
    ]  # fmt: skip
    with_a_line = [
        (b"", _FORM), (b"--" + _EDGE, _FORM), (form[:-8], _FORM), (form_of(), _FORM),
        (form_of(part_of(image))[5:], _FORM), (form_of(part_of(image), part_of(image)), _FORM),
        (form_of(*[part_of(b"", 'form-data; name="x"')] * 5000, part_of(image)), _FORM),
        (form_of(b"--" + _EDGE + b"\r\nX: " + b"y" * 90_000 + b"\r\n\r\n\r\n"), _FORM),
        (form_of(part_of(image, 'form-data; name="image"')), _FORM), (_EDGE * 200_000, _FORM),
        (form, "Content-Type: multipart/form-data"),
        (form, "Content-Type: multipart/form-data; boundary="),
        (form, "Content-Type: multipart/form-data; boundary=" + "z" * 9000),
        (compressed_zeros("gzip"), "Content-Encoding: gzip"),
        (image, "Content-Encoding: gzip"), (image, "Accept: text/html"),
        (image, "Accept: image/png;q=x, " + "," * 9000),
    ]  # fmt: skip
    may_be = REFUSED | {_NOT_ACCEPTABLE}
    if rng.random() < 0.1:
        queries = ["direction=zz", "model=none", "model=../x", "model=%00", "model=" + "m" * 9000]
        return posted(model, image, query=rng.choice(queries)), Want(may_be)
    if rng.random() < 0.4:
        return posted(model, rng.choice(plain)), Want(may_be)
    body, line = rng.choice(with_a_line)
    # Where a body is large, the server may close before it has come whole.
    may_be |= REFUSED_OR_CLOSED if len(body) > 2**20 else frozenset()
    return posted(model, body, line), Want(may_be)
