"""What a model itself answers to a request: the same SavedModel, in this process, without a server.

Bodies are read here by Python's own JSON and base64 readers, images by Pillow and by TensorFlow.
"""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np


class RefusedError(Exception):
    """A request that must not be answered with 200."""


class Oracle:
    """A model's own answers.

    Example:
      >>> oracle = Oracle(Path("shipped/saved_model/horse2zebra_xy/1"))
      >>> oracle.is_right(body, answer)
    """

    def __init__(self, folder: Path) -> None:
        import tensorflow as tf

        self._tf, self._model = tf, tf.saved_model.load(str(folder))
        self._known: dict[bytes, bytes] = {}

    def file(self, data: bytes) -> bytes:
        """The PNG that an image file becomes.

        Raises:
          RefusedError: it is damaged, to Pillow or to TensorFlow's decoders.
        """
        if data not in self._known:
            self._known[data] = self._file(data)
        return self._known[data]

    def _file(self, data: bytes) -> bytes:
        from PIL import Image

        from cyclegan_tf.images import chatter

        try:
            with Image.open(io.BytesIO(data)) as image:
                image.load()
            call = self._model.signatures["image_bytes"]
            outputs, heard = chatter.listen(lambda: call(image_bytes=self._tf.constant([data])))
        except Exception as error:  # whatever a decoder may raise
            raise RefusedError(f"{type(error).__name__}: {error}"[:200]) from error
        if wrong := chatter.damage(heard):
            raise RefusedError(wrong)
        return outputs["translated_bytes"].numpy()[0]

    def answer(self, body: bytes) -> list[bytes] | np.ndarray:
        """PNGs, or numbers, that a JSON body asks for.

        Raises:
          RefusedError: it must not be answered.
        """
        try:
            document = json.loads(body.decode("utf-8"))
            value = document["instances"] if "instances" in document else document["inputs"]
            if document.get("signature_name") == "image_bytes":
                rows = value["image_bytes"] if isinstance(value, dict) else value
                rows = [row.get("image_bytes", row) for row in rows]
                return [self.file(base64.b64decode(row["b64"], validate=True)) for row in rows]
            images = np.array(value, np.float32)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RefusedError(repr(error)[:200]) from error
        call = self._model.signatures["serving_default"]
        return call(images=self._tf.constant(images))["translated"].numpy()

    def problem(self, body: bytes, answer: bytes) -> str | None:
        """What is wrong with an answer of status 200; None where it is the model's, bit for bit."""
        try:
            wanted = self.answer(body)
        except RefusedError as error:
            return f"answered with 200, and should not have been: {error}"
        document = json.loads(answer)
        found: Any = document["predictions" if "predictions" in document else "outputs"]
        if isinstance(wanted, np.ndarray):
            same = np.array_equal(np.array(found, np.float32), wanted)
        else:
            same = [base64.b64decode(row["b64"]) for row in found] == wanted
        return None if same else f"another answer than the model's own: {answer[:100]!r}"

    def problem_of_file(self, data: bytes, answer: bytes) -> str | None:
        """The same for an image file and the PNG that `/translate` made of it."""
        try:
            wanted = self.file(data)
        except RefusedError as error:
            return f"answered with 200, and should not have been: {error}"
        return None if answer == wanted else "another answer than the model's own"

    def problem_of_grpc(self, request: bytes, answer: bytes) -> str | None:
        """The same for the bytes of a PredictRequest and its PredictResponse."""
        from tensorflow_serving.apis import predict_pb2

        asked = predict_pb2.PredictRequest.FromString(request)
        data = list(asked.inputs["image_bytes"].string_val)
        response = predict_pb2.PredictResponse.FromString(answer)
        try:
            wanted = [self.file(one) for one in data]
        except RefusedError as error:
            return f"answered with OK, and should not have been: {error}"
        same = list(response.outputs["translated_bytes"].string_val) == wanted
        return None if same else "another answer than the model's own"
