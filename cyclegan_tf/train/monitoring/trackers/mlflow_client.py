"""A run of MLflow (extra `mlflow`)."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from cyclegan_tf.train.monitoring.trackers.tracker import PROJECT, Beginning

_MAX_PARAMETERS = 100
"""That MLflow takes in one call."""


class MlflowClient:
    """One run, on the server or in the store that `MLFLOW_TRACKING_URI` names.

    `MLFLOW_EXPERIMENT_NAME` and all other variables of MLflow count.

    Args:
      beginning: what to open the run with.

    Attributes:
      id: MLflow's name for the run.
      address: experiment and store.

    Raises:
      Exception: of MLflow: no network, no such store.

    Example:
      >>> client = MlflowClient(beginning)
      >>> client.scalars(50, {"train/loss/cycle_x": 0.31})
      >>> client.close(finished=True)
    """

    may_lose = False  # each call is answered

    def __init__(self, beginning: Beginning) -> None:
        # Statistics of use go to the makers of MLflow, whom nobody asked for.
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        # Its own seven tries of a server that is away take four minutes.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
        import mlflow

        self._entities = mlflow.entities
        self._client = mlflow.MlflowClient()
        experiment = os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT
        known = self._known(beginning.known_id, mlflow.MlflowException)
        if known is None:
            self.id = self._create(experiment, beginning)
        else:
            self.id = known
            self._client.update_run(self.id, status="RUNNING")
        self.address = f"experiment {experiment}, run {self.id} in {mlflow.get_tracking_uri()}"

    def _known(self, run_id: str | None, not_found: type[Exception]) -> str | None:
        """The run to go on with; None where this store does not have it."""
        if run_id is None:
            return None
        try:
            return str(self._client.get_run(run_id).info.run_id)
        except not_found as error:
            if getattr(error, "error_code", "") != "RESOURCE_DOES_NOT_EXIST":
                raise
            return None

    def _create(self, name: str, beginning: Beginning) -> str:
        found = self._client.get_experiment_by_name(name)
        experiment = found.experiment_id if found else self._client.create_experiment(name)
        run_id = str(self._client.create_run(experiment, run_name=beginning.name).info.run_id)
        fields = [self._entities.Param(k, str(v)) for k, v in beginning.config.items()]
        for start in range(0, len(fields), _MAX_PARAMETERS):
            self._client.log_batch(run_id, params=fields[start : start + _MAX_PARAMETERS])
        self._client.log_text(run_id, beginning.text, "config.yaml")
        return run_id

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Send numbers by name."""
        now = int(1000 * time.time())
        metrics: list[Any] = [self._entities.Metric(k, v, now, step) for k, v in values.items()]
        self._client.log_batch(self.id, metrics=metrics)

    def image(self, step: int, name: str, image: np.ndarray) -> None:
        """Send a uint8 (H, W, 3) image."""
        self._client.log_image(self.id, image, key=name, step=step)

    def text(self, step: int, name: str, text: str) -> None:
        """Send a warning, as a tag of the run."""
        self._client.set_tag(self.id, name, f"step {step}: {text}")

    def close(self, finished: bool) -> None:
        """Mark the run as finished or stopped."""
        self._client.set_terminated(self.id, "FINISHED" if finished else "KILLED")
