"""Metrics of the server in Prometheus' text format."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
)
from prometheus_client import generate_latest as _generate

CONTENT_TYPE = CONTENT_TYPE_LATEST
_BUCKETS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, float("inf"))


class Metrics:
    """Counters of one server; methods may be called from any thread.

    Example:
      >>> metrics = Metrics()
      >>> metrics.count_answer("rest", "horse2zebra_xy", "1", "200")
      >>> print(metrics.text().decode())
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)  # resident memory, processor time, open files
        served = ["protocol", "model", "version"]
        self._requests = Counter(
            "cyclegan_tf_requests",
            "Requests by answer; model and version are empty where none was asked or found.",
            [*served, "code"],
            registry=self._registry,
        )
        self._seconds = Histogram(
            "cyclegan_tf_predict_seconds",
            "From a predict request's arrival to its answer, successful ones.",
            served,
            buckets=_BUCKETS_S,
            registry=self._registry,
        )
        self._images = Counter(
            "cyclegan_tf_pictures_total",
            "Images translated.",
            ["model", "version"],
            registry=self._registry,
        )
        self._load = Gauge(
            "cyclegan_tf_model_load_seconds",
            "Reading and warming up a version.",
            ["model", "version"],
            registry=self._registry,
        )
        self._queue = Gauge(
            "cyclegan_tf_queue_length",
            "Predict requests that are being received or wait for a worker.",
            registry=self._registry,
        )
        self._in_flight = Gauge(
            "cyclegan_tf_in_flight",
            "Predict requests that a worker computes.",
            registry=self._registry,
        )

    def watch_queue(self, waiting: Callable[[], int], running: Callable[[], int]) -> None:
        """Set the functions that the two gauges read at each scrape."""
        self._queue.set_function(waiting)
        self._in_flight.set_function(running)

    def count_answer(self, protocol: str, model: str, version: str, code: str) -> None:
        """Count an answer.

        Args:
          protocol: "rest" or "grpc".
          model: a model that exists, or "" (a client must not be able to add names).
          version: likewise.
          code: HTTP status, or the name of a gRPC status.
        """
        self._requests.labels(protocol, model, version, code).inc()

    def count_images(
        self, protocol: str, model: str, version: int, images: int, seconds: float
    ) -> None:
        """Count the images and the time of a successful request.

        Args:
          protocol: "rest" or "grpc".
          model: the model's name.
          version: its number.
          images: how many.
          seconds: from arrival to answer.
        """
        self._images.labels(model, str(version)).inc(images)
        self._seconds.labels(protocol, model, str(version)).observe(seconds)

    def record_load_time(self, model: str, version: int, seconds: float) -> None:
        """Record how long a version took to load.

        Args:
          model: the model's name.
          version: its number.
          seconds: reading and warming up.
        """
        self._load.labels(model, str(version)).set(seconds)

    def text(self) -> bytes:
        """All metrics, as Prometheus reads them."""
        return _generate(self._registry)
