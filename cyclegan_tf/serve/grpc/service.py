"""TF Serving's gRPC PredictionService over the same engine, and the server of all services."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, NoReturn

import grpc
import numpy as np
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from cyclegan_tf.errors import UserError
from cyclegan_tf.serve.grpc.codes import asked_model, code_of
from cyclegan_tf.serve.grpc.messages import Reader
from cyclegan_tf.serve.grpc.status import register
from cyclegan_tf.serve.grpc.tensors import to_array, to_message
from cyclegan_tf.serve.models.engine import Engine, infer
from cyclegan_tf.serve.models.limits import BAD_REQUEST, Limits, RequestError
from cyclegan_tf.serve.models.metrics import Metrics
from cyclegan_tf.serve.models.versions import DEFAULT_SIGNATURE, ModelVersion, Signature

_log = logging.getLogger(__name__)

# Beside those that the engine lets wait, room for questions about models.
_MORE_CALLS = 16
_HANDSHAKE_MS, _IDLE_MS = 10_000, 75_000  # as HTTP connections have, see http.connections.Patience


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Predict and GetModelMetadata; the other calls answer UNIMPLEMENTED.

    Example:
      >>> server = grpc.aio.server()
      >>> add_PredictionServiceServicer_to_server(PredictionService(engine, metrics), server)
    """

    def __init__(self, engine: Engine, metrics: Metrics, as_content: bool = False) -> None:
        self._engine, self._metrics, self._as_content = engine, metrics, as_content

    async def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802
        """predict_pb2.PredictRequest -> predict_pb2.PredictResponse."""
        spec, started = request.model_spec, time.monotonic()
        served, code = ("", ""), "INTERNAL"
        try:
            name, number = asked_model(request)
            known = self._engine.store.get(name, number)
            served = (known.model, str(known.number))

            def work(version: ModelVersion) -> tuple[Any, int]:
                return predict(version, request, self._engine.limits, self._as_content)

            with self._engine.admit() as ticket:
                response, images = await self._engine.run(ticket, name, number, work)
            version = ticket.version or known
            served, code = (version.model, str(version.number)), "OK"
            self._metrics.count_images(
                "grpc", version.model, version.number, images, time.monotonic() - started
            )
            return response
        except RequestError as error:
            code = code_of(error).name
            await context.abort(code_of(error), error.message)
        except Exception as error:
            if isinstance(error, grpc.aio.AbortError):
                raise
            _log.exception("a request to %s failed", spec.name[:100])
            await context.abort(
                grpc.StatusCode.INTERNAL, "the server met a fault of its own; see its log"
            )
        finally:
            self._metrics.count_answer("grpc", *served, code)
            _log.debug(
                "gRPC Predict %r %s %.3f s", spec.name[:100], code, time.monotonic() - started
            )

    async def GetModelMetadata(self, request: Any, context: Any) -> Any:  # noqa: N802
        """get_model_metadata_pb2.GetModelMetadataRequest -> GetModelMetadataResponse."""
        try:
            return metadata(self._engine.store.get(*asked_model(request)), request)
        except RequestError as error:
            await context.abort(code_of(error), error.message)


def _bad(message: str) -> NoReturn:
    raise RequestError(BAD_REQUEST, message)


def predict(
    version: ModelVersion, request: Any, limits: Limits, as_content: bool = False
) -> tuple[Any, int]:
    """Answer a PredictRequest.

    Args:
      version: what it runs on.
      request: predict_pb2.PredictRequest.
      limits: of images.
      as_content: see `tensors.to_message`.

    Returns:
      The PredictResponse, and the number of images.

    Raises:
      RequestError: see `engine.infer`; 400 also for wrong names, types and output_filter.
    """
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    of_version = version.limits(limits, name)
    outputs, images = infer(
        version, name, lambda signature: _arrays(signature, request.inputs, of_version), limits
    )
    wanted = list(request.output_filter) or list(outputs)
    if len(set(wanted)) < len(wanted):
        _bad("output_filter names an output twice")
    for key in wanted:
        if key not in outputs:
            _bad(
                f"output_filter names {key[:100]}, and the outputs are {', '.join(sorted(outputs))}"
            )
    response = predict_pb2.PredictResponse()
    response.model_spec.name, response.model_spec.signature_name = version.model, name
    response.model_spec.version.value = version.number
    for key in wanted:
        response.outputs[key].CopyFrom(to_message(outputs[key], as_content))
    return response, images


def _arrays(
    signature: Signature, inputs: Mapping[str, Any], limits: Limits
) -> dict[str, np.ndarray]:
    if set(inputs) != set(signature.inputs):
        _bad(f"the inputs must be exactly: {', '.join(sorted(signature.inputs))}")
    return {
        name: to_array(name, inputs[name], spec, limits) for name, spec in signature.inputs.items()
    }


def metadata(version: ModelVersion, request: Any) -> Any:
    """Answer a GetModelMetadataRequest.

    Raises:
      RequestError: 400, anything but "signature_def" is asked for.
    """
    if list(request.metadata_field) != ["signature_def"]:
        _bad("metadata_field must be ['signature_def']")
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name, response.model_spec.version.value = version.model, version.number
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in version.signature_defs.items():
        signatures.signature_def[name].CopyFrom(definition)
    response.metadata["signature_def"].Pack(signatures)
    return response


async def start(
    engine: Engine, metrics: Metrics, host: str, port: int, as_content: bool = False
) -> Any:
    """Start listening; return the grpc.aio.Server.

    Args:
      engine: what computes.
      metrics: where requests are counted.
      host: name or address.
      port: to listen on.
      as_content: see `tensors.to_message`.

    Raises:
      UserError: the port cannot be had.
    """
    limits = engine.limits
    server = grpc.aio.server(
        interceptors=[Reader()],
        maximum_concurrent_rpcs=limits.workers + limits.max_queue + _MORE_CALLS,
        options=[
            ("grpc.max_receive_message_length", limits.max_body_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
            ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
            ("grpc.max_connection_idle_ms", _IDLE_MS),
        ],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        PredictionService(engine, metrics, as_content), server
    )
    register(server, engine.store)
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        bound = server.add_insecure_port(address)
    except RuntimeError:
        bound = 0
    if not bound:
        raise UserError(
            f"port {port} of {host} cannot be used for gRPC; choose another --grpc_port.",
            code="in_use",
            field="--grpc_port",
        )
    await server.start()
    _log.info("gRPC on %s", address)
    return server
