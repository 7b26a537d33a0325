"""`POST /translate`: an image in, an image out; no JSON, no base64."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from fastapi import FastAPI, Request, Response

from cyclegan_tf.cli.guesses import DIRECTIONS
from cyclegan_tf.images.codecs import ENCODERS
from cyclegan_tf.serve.http.answering import Answering, Made, json_answer
from cyclegan_tf.serve.http.forms import image_in
from cyclegan_tf.serve.models.engine import UNAVAILABLE, Engine, infer
from cyclegan_tf.serve.models.limits import BAD_REQUEST, RequestError
from cyclegan_tf.serve.models.versions import ENCODED_SIGNATURE, ModelVersion
from cyclegan_tf.serve.rest import protocol

ADDRESS = "/translate"
_NOT_ALLOWED, _NOT_ACCEPTABLE = 405, 406
_SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}
"""What is written, the first unless another is wanted -> its file's suffix."""


def add_translate(app: FastAPI, engine: Engine, answering: Answering) -> None:
    """Add the address to an application.

    Args:
      app: to add to.
      engine: its limits, and the store whose models are offered.
      answering: answers.
    """

    @app.post(ADDRESS)
    async def translate(request: Request) -> Response:
        asked = request.query_params
        name = chosen_model(engine.store.names(), asked.get("model"), asked.get("direction"))
        _refuse_while_loading(engine, name)
        media_type = wanted_type(request.headers.get("accept", ""))
        content_type = request.headers.get("content-type", "")

        def work(version: ModelVersion, body: bytes) -> Made:
            png = _translated(version, image_in(content_type, body), engine)
            return Made(_as_type(png, media_type), 1, media_type)

        return await answering(request, name, None, work)

    @app.api_route(ADDRESS, methods=["GET", "HEAD"])
    async def asked_otherwise() -> Response:
        # Else the page's address, which takes any name, would answer that there is none.
        how = f"{ADDRESS} takes an image by POST: curl --data-binary @photo.jpg ADDRESS -o out.png"
        return json_answer(protocol.error_document(how), _NOT_ALLOWED, {"allow": "POST"})


def _refuse_while_loading(engine: Engine, name: str) -> None:
    """Unlike an unknown model, one that is still being loaded is worth asking for again."""
    store = engine.store
    is_known = name in store.names()
    if is_known and store.loading and name not in {v.model for v in store.newest()}:
        raise RequestError(UNAVAILABLE, f"{name} is being loaded; ask again in a moment")


def chosen_model(names: Sequence[str], wanted: str | None, direction: str | None) -> str:
    """Find the model that a request means.

    Args:
      names: of all models.
      wanted: the name asked for, if any.
      direction: "xy", "yx" or another of their names, if any; else the only model there is, or
        "xy".

    Raises:
      RequestError: 400, there is not just one such model.
    """
    if wanted:
        return wanted
    meant = DIRECTIONS.get("xy" if direction is None else direction.lower())
    if meant not in ("xy", "yx"):
        raise RequestError(BAD_REQUEST, "direction must be xy or yx (AtoB or BtoA)")
    ending = f"_{meant}"
    found = [name for name in names if name.endswith(ending)]
    if direction is None and len(names) == 1:
        found = list(names)
    if len(found) != 1:
        raise RequestError(
            BAD_REQUEST,
            f"{len(found)} models are meant; name one, as in {ADDRESS}?model=NAME: "
            f"{', '.join(sorted(names)) or 'none is served'}",
        )
    return found[0]


def wanted_type(accept: str) -> str:
    """Choose the kind of the answer by the header Accept (RFC 9110, 12.5.1).

    Args:
      accept: the header, "" where there is none.

    Returns:
      One of the kinds that are written; PNG, which loses nothing, where all are welcome.

    Raises:
      RequestError: 406, none of them is accepted.
    """
    weights = {}
    for part in accept.split(",") if accept.strip() else ["*/*"]:
        name, *parameters = (word.strip().lower() for word in part.split(";"))
        weight = next((word[2:] for word in parameters if word.startswith("q=")), "1")
        try:
            weights[name] = float(weight)
        except ValueError:
            weights[name] = 0.0

    def weight_of(kind: str) -> float:
        return next((weights[n] for n in (kind, "image/*", "*/*") if n in weights), 0.0)

    best = max(_SUFFIXES, key=weight_of)
    if weight_of(best) <= 0:
        raise RequestError(
            _NOT_ACCEPTABLE, f"Accept names none of {', '.join(_SUFFIXES)}, which are given here"
        )
    return best


def _translated(version: ModelVersion, data: bytes, engine: Engine) -> bytes:
    """The PNG that a model makes of a JPEG or PNG."""
    outputs, _ = infer(
        version,
        ENCODED_SIGNATURE,
        lambda signature: dict.fromkeys(signature.inputs, np.array([data], object)),
        engine.limits,
    )
    (png,) = next(iter(outputs.values()))
    return png


def _as_type(png: bytes, media_type: str) -> bytes:
    suffix = _SUFFIXES[media_type]
    if suffix == ".png":
        return png
    pixels = tf.io.decode_png(png).numpy()
    return ENCODERS[suffix](pixels[..., : 3 if pixels.shape[-1] > 2 else 1])  # without alpha
