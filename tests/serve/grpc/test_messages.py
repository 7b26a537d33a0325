"""Bytes that are no message of the call, against a server of one service."""

import asyncio

import grpc
import pytest
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

from cyclegan_tf.serve.grpc.messages import Reader

SERVICE = "/tensorflow.serving.ModelService"


class Service(model_service_pb2_grpc.ModelServiceServicer):
    async def GetModelStatus(self, request, context):  # noqa: N802
        response = get_model_status_pb2.GetModelStatusResponse()
        response.model_version_status.add(version=request.model_spec.version.value)
        return response


def call(method, data):
    """The answer's bytes, or the error's code and words."""

    async def run():
        server = grpc.aio.server(interceptors=[Reader()])
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(Service(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                return await channel.unary_unary(method)(data)
        except grpc.aio.AioRpcError as error:
            return error.code().name, error.details()
        finally:
            await server.stop(0)

    return asyncio.run(run())


def test_a_message_is_read():
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.version.value = 7
    answer = call(f"{SERVICE}/GetModelStatus", request.SerializeToString())
    response = get_model_status_pb2.GetModelStatusResponse.FromString(answer)
    assert response.model_version_status[0].version == 7


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\xff", b"\x0a\x03a"])
def test_what_is_no_message_is_the_clients_mistake(data):
    code, words = call(f"{SERVICE}/GetModelStatus", data)
    assert (code, "cannot be read" in words) == ("INVALID_ARGUMENT", True)


@pytest.mark.parametrize("data", [b"", b"\xff"])
@pytest.mark.parametrize("method", [f"{SERVICE}/HandleReloadConfigRequest", "/none/None"])
def test_calls_that_are_not_there_read_nothing(method, data):
    assert call(method, data)[0] == "UNIMPLEMENTED"
