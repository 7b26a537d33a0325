"""From names of trackers to trackers."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from cyclegan_tf.errors import UserError
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.monitoring.trackers.delivery import Delivery
from cyclegan_tf.train.monitoring.trackers.record import TrackerRecord
from cyclegan_tf.train.monitoring.trackers.tensorboard import TensorBoard
from cyclegan_tf.train.monitoring.trackers.tracker import Beginning, Tracker

log = logging.getLogger(__name__)

_CLIENTS = {"wandb": "WandbClient", "mlflow": "MlflowClient", "trackio": "TrackioClient"}


def open_trackers(names: Sequence[str], run: RunDirectory) -> list[Tracker]:
    """Open trackers for a run.

    Args:
      names: of `config.experiment.TRACKERS`.
      run: its folder keeps what runs there are called, so that a resumed training finds them.

    Returns:
      One each; a tracker that knows the run already and does not answer is left out, with a
      warning: a training that goes on is not held up.

    Raises:
      UserError: a tracker that is new to the run does not answer.
    """
    text = run.config_path.read_text(encoding="utf-8") if run.exists() else ""
    config = {
        # TensorBoard compares runs by words and numbers, not by lists.
        f"{section}.{name}": str(value) if isinstance(value, list) else value
        for section, values in (yaml.safe_load(text) or {}).items()
        for name, value in values.items()
        if value is not None
    }
    opened: list[Tracker] = []
    try:
        for name in names:
            if name == "tensorboard":
                opened.append(TensorBoard(run.logs, config, text))
            elif (delivery := _open(name, run, config, text)) is not None:
                opened.append(delivery)
    except BaseException:
        for tracker in opened:
            tracker.close(finished=False)
        raise
    return opened


def _open(name: str, run: RunDirectory, config: Mapping[str, Any], text: str) -> Delivery | None:
    folder = run.path / "trackers"
    record = TrackerRecord(folder / f"{name}.json")
    beginning = Beginning(run.path.absolute().name, config, text, folder, record.id)
    try:
        module = importlib.import_module(f"{__package__}.{name}_client")
        client = getattr(module, _CLIENTS[name])(beginning)
        record.begin(client.id)
    except Exception as error:  # of whatever library
        said = " ".join(str(error).split())[:300] or type(error).__name__
        if record.id is not None:
            log.warning(f"{name} does not answer ({said}); this training goes on without it")
            return None
        raise UserError(
            f"--logging.to {name}: no run can be begun there ({said.rstrip('.')}); see to it, or "
            "leave it out.",
            code="unwritable",
            field="logging.to",
        ) from error
    log.info(f"{name:<10}{client.address}")
    return Delivery(name, client, record)
