"""Codes of refused requests, and the model that a request asks for."""

import pytest
from tensorflow_serving.apis import predict_pb2

from cyclegan_tf.serve.grpc import codes
from cyclegan_tf.serve.models.limits import RequestError


@pytest.mark.parametrize(
    ("status", "code"),
    [(400, "INVALID_ARGUMENT"), (404, "NOT_FOUND"), (413, "INVALID_ARGUMENT"), (500, "INTERNAL")],
)
def test_a_status_has_its_code(status, code):
    assert codes.code_of(RequestError(status, "")).name == code


def test_the_model_that_is_asked_for():
    request = predict_pb2.PredictRequest()
    with pytest.raises(RequestError, match=r"^Missing ModelSpec$"):
        codes.asked_model(request)
    request.model_spec.name = "a"
    assert codes.asked_model(request) == ("a", None)
    request.model_spec.version.value = 0
    assert codes.asked_model(request) == ("a", 0)
    request.model_spec.version_label = "stable"
    with pytest.raises(RequestError, match="labels"):
        codes.asked_model(request)
