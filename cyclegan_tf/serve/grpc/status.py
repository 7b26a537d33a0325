"""What gRPC clients and probes ask about the server: ModelService and grpc.health.v1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from tensorflow.core.protobuf import error_codes_pb2
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

from cyclegan_tf.serve.grpc.codes import asked_model, code_of
from cyclegan_tf.serve.models.limits import RequestError
from cyclegan_tf.serve.models.store import ModelStore, VersionStatus

_HEALTH = "grpc.health.v1"
SERVING, NOT_SERVING = 1, 2
SERVICES = ("", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")
"""What `Check` knows; "" is the server."""


def status_response(statuses: Iterable[VersionStatus]) -> Any:
    """Build a get_model_status_pb2.GetModelStatusResponse, newest version first."""
    response = get_model_status_pb2.GetModelStatusResponse()
    for status in sorted(statuses, key=lambda status: -status.version):
        added = response.model_version_status.add(version=status.version)
        added.state = get_model_status_pb2.ModelVersionStatus.State.Value(status.state)
        added.status.error_code = error_codes_pb2.Code.Value(status.error_code)
        added.status.error_message = status.error_message
    return response


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """GetModelStatus; HandleReloadConfigRequest answers UNIMPLEMENTED.

    Example:
      >>> server = grpc.aio.server()
      >>> add_ModelServiceServicer_to_server(ModelService(store), server)
    """

    def __init__(self, store: ModelStore) -> None:
        self._store = store

    async def GetModelStatus(self, request: Any, context: Any) -> Any:  # noqa: N802
        """get_model_status_pb2.GetModelStatusRequest -> GetModelStatusResponse."""
        try:
            return status_response(self._store.statuses(*asked_model(request)))
        except RequestError as error:
            await context.abort(code_of(error), error.message)


def _health_messages() -> tuple[Any, Any]:
    """HealthCheckRequest and HealthCheckResponse.

    Described here, in a pool of their own: the package that has them (grpcio-health-checking) would
    be one more dependency for two fields, and may be imported beside this.
    """
    field = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="grpc/health/v1/health.proto", package=_HEALTH, syntax="proto3"
    )
    file.message_type.add(name="HealthCheckRequest").field.add(
        name="service", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL
    )
    response = file.message_type.add(name="HealthCheckResponse")
    states = response.enum_type.add(name="ServingStatus")
    for number, name in enumerate(("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")):
        states.value.add(name=name, number=number)
    response.field.add(
        name="status",
        number=1,
        type=field.TYPE_ENUM,
        label=field.LABEL_OPTIONAL,
        type_name=f".{_HEALTH}.HealthCheckResponse.ServingStatus",
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    messages = message_factory.GetMessageClassesForFiles([file.name], pool)
    return (
        messages[f"{_HEALTH}.HealthCheckRequest"],
        messages[f"{_HEALTH}.HealthCheckResponse"],
    )


HealthCheckRequest, HealthCheckResponse = _health_messages()


class Health:
    """grpc.health.v1's `Check`, which answers as `/health` does; `Watch` is UNIMPLEMENTED.

    Example:
      >>> server = grpc.aio.server()
      >>> server.add_generic_rpc_handlers((Health(store).handler,))
    """

    def __init__(self, store: ModelStore) -> None:
        self._store = store
        method = grpc.unary_unary_rpc_method_handler(
            self._check,
            request_deserializer=HealthCheckRequest.FromString,
            response_serializer=HealthCheckResponse.SerializeToString,
        )
        self.handler = grpc.method_handlers_generic_handler(f"{_HEALTH}.Health", {"Check": method})

    async def _check(self, request: Any, context: Any) -> Any:
        if request.service not in SERVICES:
            text = f"there is no service {request.service[:100]}"
            await context.abort(grpc.StatusCode.NOT_FOUND, text)
        return HealthCheckResponse(status=SERVING if self._store.ready else NOT_SERVING)


def register(server: Any, store: ModelStore) -> None:
    """Let a grpc.aio.Server answer both services."""
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(store), server)
    server.add_generic_rpc_handlers((Health(store).handler,))
