"""TF Serving's own messages and stubs against our gRPC server, and the same requests over REST."""

import asyncio
import json

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from cyclegan_tf.errors import UserError
from cyclegan_tf.serve import process
from cyclegan_tf.serve.grpc import service
from cyclegan_tf.serve.http.app import build_app
from cyclegan_tf.serve.models.limits import Limits
from cyclegan_tf.serve.models.metrics import Metrics
from tests.helpers import tiny_serving
from tests.helpers.tiny_serving import image, png

LIMITS = Limits(max_body_bytes=100_000, max_pixels=10_000, max_batch=3, max_queue=0)


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    tiny_serving.save(folder, version=3)
    return tiny_serving.loaded(folder, LIMITS)


def request_of(value, signature="image_bytes", name="tiny_xy", key="image_bytes"):
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = name, signature
    request.inputs[key].CopyFrom(
        value if isinstance(value, tensor_pb2.TensorProto) else tf.make_tensor_proto(value)
    )
    return request


def encoded(*images):
    return np.array([png(pixels) for pixels in images], object)


def talk(engine, *calls, metrics=None):
    """Starts a server, makes calls (stub -> awaitable) one after the other; answers or errors."""

    async def run():
        with process.listen("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        server = await service.start(engine, metrics or Metrics(), "127.0.0.1", port)
        answers = []
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
            for call in calls:
                try:
                    answers.append(await call(stub))
                except grpc.aio.AioRpcError as error:
                    answers.append(error)
        await server.stop(5)
        return answers

    return asyncio.run(run())


def predicted(engine, request):
    (answer,) = talk(engine, lambda stub: stub.Predict(request))
    return answer


def refused(engine, request, code="INVALID_ARGUMENT"):
    answer = predicted(engine, request)
    assert isinstance(answer, grpc.aio.AioRpcError), answer
    assert answer.code().name == code, answer
    return answer.details()


def test_encoded_images_come_back_as_over_rest(engine):
    images = [image(5, 7), image(1, 2, 1), image(30, 20, 2)]
    request = request_of(encoded(*images))
    read_back = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    response = predicted(engine, read_back)
    assert isinstance(response, predict_pb2.PredictResponse)
    assert (response.model_spec.name, response.model_spec.version.value) == ("tiny_xy", 3)
    assert response.model_spec.signature_name == "image_bytes"
    ours = tf.make_ndarray(response.outputs["translated_bytes"])
    data = tiny_serving.body(*[png(pixels) for pixels in images])
    rest = tiny_serving.ask(
        build_app(engine, Metrics()), "POST", "/v1/models/tiny_xy:predict", data
    ).json()
    for pixels, by_grpc, by_rest in zip(images, ours, rest["predictions"], strict=True):
        np.testing.assert_array_equal(tf.io.decode_png(by_grpc).numpy(), 255 - pixels)
        np.testing.assert_array_equal(tiny_serving.pixels_of(by_rest), 255 - pixels)


def test_numbers_come_back_as_over_rest(engine):
    images = np.linspace(-1, 1, 60, dtype=np.float32).reshape(1, 4, 5, 3)
    response = predicted(engine, request_of(images, "", key="images"))
    by_grpc = tf.make_ndarray(response.outputs["translated"])
    np.testing.assert_array_equal(by_grpc, -images)
    data = json.dumps({"instances": images.tolist()}).encode()
    rest = tiny_serving.ask(
        build_app(engine, Metrics()), "POST", "/v1/models/tiny_xy:predict", data
    ).json()
    np.testing.assert_array_equal(np.array(rest["predictions"], np.float32), by_grpc)


def test_numbers_are_where_tf_servings_clients_look(engine):
    images = np.linspace(-1, 1, 60, dtype=np.float32).reshape(1, 4, 5, 3)
    request = request_of(images, "", key="images")
    found = predicted(engine, request).outputs["translated"]
    assert (list(found.float_val), found.tensor_content) == ((-images).ravel().tolist(), b"")
    response, _ = service.predict(engine.store.get("tiny_xy"), request, LIMITS, True)
    assert response.outputs["translated"].tensor_content == (-images).tobytes()


def test_numbers_as_a_list_of_floats(engine):
    message = tensor_pb2.TensorProto(dtype=1, float_val=[0.25] * 12)
    for size in (1, 2, 2, 3):
        message.tensor_shape.dim.add(size=size)
    response = predicted(engine, request_of(message, "", key="images"))
    np.testing.assert_array_equal(
        tf.make_ndarray(response.outputs["translated"]), np.full((1, 2, 2, 3), -0.25)
    )


def test_versions_and_outputs_can_be_chosen(engine):
    request = request_of(encoded(image()))
    request.model_spec.version.value = 3
    request.output_filter.append("translated_bytes")
    assert list(predicted(engine, request).outputs) == ["translated_bytes"]
    request.output_filter.append("translated_bytes")
    assert "twice" in refused(engine, request)
    request.output_filter[1] = "none"
    assert "output_filter" in refused(engine, request)
    request.model_spec.version.value = 4
    assert "Specific(tiny_xy, 4)" in refused(engine, request, "NOT_FOUND")
    request.model_spec.version_label = "stable"
    assert "labels" in refused(engine, request)
    assert "Latest(none)" in refused(engine, request_of(encoded(image()), name="none"), "NOT_FOUND")


def short_proto(shape, dtype=1, **values):
    message = tensor_pb2.TensorProto(dtype=dtype, **values)
    for size in shape:
        message.tensor_shape.dim.add(size=size)
    return message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("images", short_proto((1, 100, 100, 3), float_val=[1.0])), ("images", short_proto((1, 2, 2,
        3))),
        ("images", short_proto((1, 2, 2, 3), tensor_content=b"123")), ("images", short_proto((1, -1,
        2, 3))),
        ("images", short_proto((2**40, 2**40, 2**40, 3), float_val=[1.0])),
        ("images", short_proto((1, 1, 1, 3), float_val=[float("nan")] * 3)),
        ("images", short_proto((1, 1, 1, 3), dtype=2, double_val=[1.0] * 3)),
        ("images", short_proto((1, 1, 1, 1), float_val=[1.0])), ("images", short_proto((),
        float_val=[1.0])),
        ("images", short_proto((1, 1, 1, 3), float_val=[1.0] * 3, double_val=[1.0] * 3)),
        ("images", short_proto((0, 1, 1, 3))), ("other", short_proto((1, 1, 1, 3),
        float_val=[1.0] * 3)),
        ("image_bytes", short_proto((3,), dtype=7, string_val=[b"a"])),
        ("image_bytes", short_proto((2**60,), dtype=7, string_val=[b"a"])),
        ("image_bytes", short_proto((1,), dtype=7, string_val=[b"<svg/>"])),
        ("image_bytes", short_proto((1,), dtype=7, string_val=[b""])),
        ("image_bytes", short_proto((1,), dtype=7, tensor_content=b"a")),
        ("image_bytes", short_proto((4,), dtype=7, string_val=[png(image())] * 4)),
        ("image_bytes", short_proto((1,), dtype=7, string_val=[png(image(101, 100))])),
    ],
)  # fmt: skip
def test_tensors_that_are_wrong(engine, key, value):
    signature = "image_bytes" if key == "image_bytes" else "serving_default"
    assert refused(engine, request_of(value, signature, key=key))


def test_unknown_signatures_and_missing_inputs(engine):
    unknown = request_of(encoded(image()), "none")
    assert "not found in signature def" in refused(engine, unknown, "FAILED_PRECONDITION")
    empty = predict_pb2.PredictRequest()
    empty.model_spec.name = "tiny_xy"
    assert "the inputs must be exactly: images" in refused(engine, empty)
    assert refused(engine, predict_pb2.PredictRequest()) == "Missing ModelSpec"


def test_limits_hold_here_too(engine):
    long = request_of(np.array([bytes(200_000)], object))
    assert "larger than max" in refused(engine, long, "RESOURCE_EXHAUSTED")
    with engine.admit():
        assert "waiting" in refused(engine, request_of(encoded(image())), "RESOURCE_EXHAUSTED")
    assert not isinstance(predicted(engine, request_of(encoded(image()))), Exception)


def test_other_calls_are_not_there(engine):
    request = classification_pb2.ClassificationRequest()
    (answer,) = talk(engine, lambda stub: stub.Classify(request))
    assert answer.code().name == "UNIMPLEMENTED"


def test_requests_are_counted(engine):
    metrics = Metrics()
    good, bad = request_of(encoded(image(), image())), request_of(encoded(image()), name="invented")
    talk(engine, lambda stub: stub.Predict(good), lambda stub: stub.Predict(bad), metrics=metrics)
    text = metrics.text().decode()
    labels = 'code="OK",model="tiny_xy",protocol="grpc",version="3"'
    assert f"cyclegan_tf_requests_total{{{labels}}} 1.0" in text
    assert 'cyclegan_tf_pictures_total{model="tiny_xy",version="3"} 2.0' in text
    assert 'code="NOT_FOUND",model=""' in text
    assert "invented" not in text


def test_metadata_is_the_models_own(engine):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "tiny_xy"
    wrong = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["other"])
    wrong.model_spec.name = "tiny_xy"
    unknown = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    answers = talk(
        engine, *[lambda stub, r=r: stub.GetModelMetadata(r) for r in (request, wrong, unknown)]
    )
    assert [answer.code().name for answer in answers[1:]] == ["INVALID_ARGUMENT"] * 2
    found = get_model_metadata_pb2.SignatureDefMap()
    assert answers[0].metadata["signature_def"].Unpack(found)
    assert dict(found.signature_def) == engine.store.get("tiny_xy").signature_defs
    assert answers[0].model_spec.version.value == 3


def test_a_port_that_is_taken_is_refused(engine):
    with process.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]

        async def start():
            await service.start(engine, Metrics(), "127.0.0.1", port)

        with pytest.raises(
            UserError, match=f"port {port} of 127.0.0.1 cannot be used for gRPC"
        ) as caught:
            asyncio.run(start())
        assert (caught.value.code, caught.value.field) == ("in_use", "--grpc_port")
