"""ModelService and grpc.health.v1 as stubs ask them."""

import asyncio

import grpc
import pytest
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
)

from cyclegan_tf.serve import process
from cyclegan_tf.serve.grpc import service
from cyclegan_tf.serve.grpc import status as grpc_status
from cyclegan_tf.serve.models.engine import Engine
from cyclegan_tf.serve.models.limits import Limits
from cyclegan_tf.serve.models.metrics import Metrics
from cyclegan_tf.serve.models.store import ModelStore, VersionStatus
from tests.helpers import tiny_serving


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    tiny_serving.save(folder, version=3)
    return folder


def answers(store, *calls):
    """What a server of this store answers to calls (channel -> awaitable)."""

    async def run():
        with process.listen("127.0.0.1", 0) as free:
            port = free.getsockname()[1]
        server = await service.start(Engine(store, Limits()), Metrics(), "127.0.0.1", port)
        found = []
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            for call in calls:
                try:
                    found.append(await call(channel))
                except grpc.aio.AioRpcError as error:
                    found.append(error)
        await server.stop(5)
        return found

    return asyncio.run(run())


def status_of(name, version=None):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = name
    if version is not None:
        request.model_spec.version.value = version
    return lambda channel: model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus(request)


def check(service="", method="Check"):
    def call(channel):
        ask = channel.unary_unary(
            f"/grpc.health.v1.Health/{method}",
            request_serializer=grpc_status.HealthCheckRequest.SerializeToString,
            response_deserializer=grpc_status.HealthCheckResponse.FromString,
        )
        return ask(grpc_status.HealthCheckRequest(service=service))

    return call


def test_model_status_over_the_stores_statuses(out):
    store = ModelStore(out)
    store.poll()
    calls = [status_of("tiny_xy"), status_of("tiny_xy", 3), status_of("tiny_xy", 4)]
    calls += [status_of("none"), status_of("")]
    whole, one, *wrong = answers(store, *calls)
    states = get_model_status_pb2.ModelVersionStatus.State
    for found in (whole, one):
        (status,) = found.model_version_status
        assert (status.version, status.state) == (3, states.Value("AVAILABLE"))
        assert (status.status.error_code, status.status.error_message) == (0, "")
    assert [error.code().name for error in wrong] == ["NOT_FOUND", "NOT_FOUND", "INVALID_ARGUMENT"]
    assert wrong[1].details() == "Could not find any versions of model none"
    assert wrong[2].details() == "Missing ModelSpec"


def test_a_version_that_could_not_be_loaded_says_why():
    statuses = [VersionStatus(2, "END", "UNKNOWN", "broken"), VersionStatus(10, "LOADING")]
    newest, oldest = grpc_status.status_response(statuses).model_version_status
    assert (newest.version, newest.state, oldest.version, oldest.state) == (10, 20, 2, 50)
    assert (oldest.status.error_code, oldest.status.error_message) == (2, "broken")


def test_health_follows_the_models(out):
    store = ModelStore(out)
    (before,) = answers(store, check())
    store.poll()
    after = answers(store, *map(check, grpc_status.SERVICES))
    assert before.status == grpc_status.NOT_SERVING
    assert [answer.status for answer in after] == [grpc_status.SERVING] * 3
    store.stop()
    (stopped,) = answers(store, check())
    assert stopped.status == grpc_status.NOT_SERVING


def test_what_is_not_there_says_so(out):
    def reload_config(channel):
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        return stub.HandleReloadConfigRequest(model_management_pb2.ReloadConfigRequest())

    calls = [check("none"), check(method="Watch"), reload_config]
    found = answers(ModelStore(out), *calls)
    assert [e.code().name for e in found] == ["NOT_FOUND", "UNIMPLEMENTED", "UNIMPLEMENTED"]
