"""Translates an image over TF Serving's gRPC PredictionService.

Needs `pip install tensorflow-serving-api`.

    python client_grpc.py INPUT OUTPUT.png --model horse2zebra_xy
        [--address 127.0.0.1:8500] [--version 1]

INPUT is a JPEG or PNG of any size; OUTPUT is a PNG of the same size.
"""

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

MAX_ANSWER_BYTES = 256 * 2**20  # gRPC refuses answers above 4 MiB unless this is set


def translate(
    image: bytes, address: str, model: str, version: int | None, timeout_s: float
) -> bytes:
    """Translate the bytes of a JPEG or PNG to the bytes of a PNG.

    Args:
      image: the file's bytes.
      address: host:port of the server.
      model: the model's name.
      version: its number; None for the newest.
      timeout_s: how long to wait for the answer.

    Raises:
      grpc.RpcError: the server did not translate it, or did not answer.
    """
    request = predict_pb2.PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = model, "image_bytes"
    if version is not None:
        request.model_spec.version.value = version
    request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto([image], tf.string))
    options = [("grpc.max_receive_message_length", MAX_ANSWER_BYTES)]
    with grpc.insecure_channel(address, options=options) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        response = stub.Predict(request, timeout=timeout_s)
    return response.outputs["translated_bytes"].string_val[0]


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("input", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--model", required=True)
    parser.add_argument("--address", default="127.0.0.1:8500")
    parser.add_argument("--version", type=int, help="the newest by default")
    parser.add_argument("--timeout_s", type=float, default=60.0)
    arguments = parser.parse_args()
    try:
        image = arguments.input.read_bytes()
        png = translate(
            image, arguments.address, arguments.model, arguments.version, arguments.timeout_s
        )
    except grpc.RpcError as error:
        print(f"error: {error.code().name}: {error.details()}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    arguments.output.write_bytes(png)
    print(arguments.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
