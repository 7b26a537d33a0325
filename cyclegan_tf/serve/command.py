"""`python -m cyclegan_tf.serve OUT`: exported models over REST and gRPC, and the page."""

from __future__ import annotations

import asyncio
import dataclasses
import functools
import importlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from jsonargparse import Namespace

from cyclegan_tf import cli
from cyclegan_tf.devices.startup import suppress_startup_logs
from cyclegan_tf.errors import UserError, not_installed
from cyclegan_tf.serve.models import folders
from cyclegan_tf.serve.models.limits import Limits

if TYPE_CHECKING:
    from cyclegan_tf.serve.models.engine import Engine
    from cyclegan_tf.serve.models.metrics import Metrics

_PACKAGES = ("fastapi", "uvicorn", "prometheus_client")
_GRPC_PACKAGES = ("grpc", "tensorflow_serving.apis")
_LIMITS_HELP = {
    "max_body_bytes": "Longest body of a request; a longer one gets 413.",
    "max_pixels": "Most pixels (width x height) that a network sees of an image; more get 413.",
    "max_image_pixels": "Most pixels of an image that a model brings to the scale of its training; "
    "by default 48 megapixels, or fewer where less memory is free.",
    "max_side": "Most pixels of an image's longer side.",
    "max_batch": "Most images in one request.",
    "max_queue": "Requests that may wait; further ones get 429.",
    "timeout_seconds": "Longest time to an answer; then the client gets 504.",
    "workers": "Requests computed at once. TensorFlow uses all cores for one already.",
}


# An image of 48 megapixels and its result took 2.3 GB beside their files: numbers of 4 bytes.
_BYTES_PER_PX = 64
_SHARE_OF_MEMORY = 0.7
_COMMON = ("--port", "--host", "--grpc_port")


def build_parser() -> cli.Parser:
    """Define the command's options."""
    parser = cli.Parser(
        command="serve",
        most_used=_COMMON,
        example="shipped",
        description="Serves the SavedModels of an export: TF Serving's REST API (and gRPC), and a "
        "page at /. New versions are picked up without dropping a request. SIGTERM or Ctrl-C ends "
        "it in order.",
    )
    parser.add_argument("out", type=str, help="An export folder, or a folder of <model>/<version>.")
    parser.add_argument(
        "--host", type=str, default="127.0.0.1", help="Address to listen on; 0.0.0.0 for all."
    )
    parser.add_argument(
        "--allowed_hosts",
        nargs="*",
        type=str,
        default=[],
        help="Names by which a server on a loopback address may be asked, as behind a proxy, "
        "beside those of this machine.",
    )
    parser.add_argument(
        "--port", type=int, default=8501, help="Port; 0 takes a free one and prints it."
    )
    parser.add_argument(
        "--grpc_port", type=int, default=0, help="Port for gRPC; 0 for none. TF Serving's is 8500."
    )
    parser.add_argument(
        "--grpc_tensor_content",
        action="store_true",
        help="gRPC answers hold numbers as raw bytes (tensor_content), which is faster, not in "
        "float_val, where most clients look.",
    )
    parser.add_argument(
        "--versions", choices=["latest", "all"], default="latest", help="Versions kept loaded."
    )
    parser.add_argument(
        "--poll_seconds", type=float, default=5.0, help="Between two looks for new versions."
    )
    parser.add_argument(
        "--grace_seconds", type=float, default=30.0, help="For requests in flight when it stops."
    )
    cli.add_trust_option(parser)
    parser.add_argument("--verbose", action="store_true", help="One line per request.")
    for field in dataclasses.fields(Limits):
        if field.name in _LIMITS_HELP:
            kind = float if field.name == "timeout_seconds" else int
            default = None if field.name == "max_image_pixels" else field.default
            parser.add_argument(
                f"--{field.name}", type=kind, default=default, help=_LIMITS_HELP[field.name]
            )
    return parser


def main(argv: Sequence[str]) -> int:
    """Serve until it is stopped; return 0, or 1 if requests were cut off at the end.

    Raises:
      UserError: bad options, nothing to serve, a port that cannot be had, or a package that is
        missing.
    """
    arguments = build_parser().parse(argv)
    _check(arguments)
    given = {name: getattr(arguments, name) for name in _LIMITS_HELP}
    limits = Limits(**{name: value for name, value in given.items() if value is not None})
    folders.find_models(Path(arguments.out))  # before TensorFlow, which takes seconds to import
    with suppress_startup_logs():
        _require(_PACKAGES + (_GRPC_PACKAGES if arguments.grpc_port else ()))
        import tensorflow as tf

        tf.config.list_logical_devices()  # looks for GPUs, and logs what it finds
        from cyclegan_tf.devices.hardware import free_memory_bytes
        from cyclegan_tf.serve.models.engine import Engine
        from cyclegan_tf.serve.models.metrics import Metrics
        from cyclegan_tf.serve.models.store import ModelStore

    if arguments.max_image_pixels is None:
        limits = fitting_memory(limits, free_memory_bytes())
    counted = Metrics()
    store = ModelStore(
        Path(arguments.out),
        arguments.versions,
        arguments.poll_seconds,
        lambda version: counted.record_load_time(
            version.model, version.number, version.load_seconds
        ),
        trust=arguments.trust,
    )
    worker = Engine(store, limits)
    counted.watch_queue(lambda: worker.waiting, lambda: worker.running)
    status = 0 if _serve(arguments, worker, counted) else 1
    worker.stop()
    if not store.stop() or worker.running:
        # TensorFlow cannot be interrupted, and Python would wait for its threads.
        sys.stdout.flush()
        os._exit(status)
    return status


def fitting_memory(limits: Limits, free_bytes: int) -> Limits:
    """The same limits with images no larger than the memory holds, and no smaller than before.

    Args:
      limits: of images; `max_image_pixels` may become less.
      free_bytes: memory that is free.
    """
    fitting = int(_SHARE_OF_MEMORY * free_bytes) // (_BYTES_PER_PX * limits.workers)
    pixels = min(limits.max_image_pixels, max(limits.max_pixels, fitting))
    return dataclasses.replace(limits, max_image_pixels=pixels)


def _check(arguments: Namespace) -> None:
    for name, minimum in {"poll_seconds": 0.05, "grace_seconds": 0.0}.items():
        value = getattr(arguments, name)
        if not minimum <= value < 1e6:
            raise UserError(
                f"--{name} must be {minimum:g} or more (and finite), and is {value}.",
                code="invalid",
                field=f"--{name}",
            )
    for name in ("port", "grpc_port"):
        value = getattr(arguments, name)
        if not 0 <= value < 65536:
            raise UserError(
                f"--{name} must be from 0 to 65535, and is {value}.",
                code="invalid",
                field=f"--{name}",
            )


def _serve(arguments: Namespace, engine: Engine, metrics: Metrics) -> bool:
    """Serve until a signal; return False if requests were cut off."""
    from cyclegan_tf.serve import process
    from cyclegan_tf.serve.http import app, origins

    start_grpc = None
    if arguments.grpc_port:
        from cyclegan_tf.serve.grpc import service

        start_grpc = functools.partial(
            service.start,
            engine,
            metrics,
            arguments.host,
            arguments.grpc_port,
            arguments.grpc_tensor_content,
        )
    process.log_to_stdout(arguments.verbose)
    listening = process.listen(arguments.host, arguments.port)
    hosts = arguments.allowed_hosts if origins.is_loopback(arguments.host) else None
    application = app.build_app(engine, metrics, hosts=hosts)
    return asyncio.run(
        process.serve_until_stopped(
            application, engine, listening, arguments.grace_seconds, start_grpc
        )
    )


def _require(packages: Sequence[str]) -> None:
    """Import optional packages.

    Raises:
      UserError: the first that is missing, with the line that installs it.
    """
    for name in packages:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise UserError(
                f"{not_installed(error.name or name)}.",
                code="dependency",
                field=name,
            ) from error
