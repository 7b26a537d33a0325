"""What the machines of one training must agree on: the experiment, the images, the state, when to
stop."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.data.sources import ImageList, UnpairedDataset
from cyclegan_tf.devices.strategy import DistributionContext
from cyclegan_tf.errors import UserError
from cyclegan_tf.model.cyclegan import CycleGAN
from cyclegan_tf.networks.files import digest
from cyclegan_tf.runs.run_directory import FILE_FIELDS, MUTABLE_FIELDS

# Where the images lie may differ from machine to machine; the images themselves are compared.
_PLACES = ("data.source", "data.x_dir", "data.y_dir")


def check_same(devices: DistributionContext, facts: Mapping[str, Any]) -> None:
    """Refuses machines that would not train the same.

    Args:
      devices: of all machines; each calls this at the same moment.
      facts: what must be equal, ready for JSON.

    Raises:
      UserError: on every machine; names the first other one and each fact in which it differs from
        the chief.
    """
    if devices.workers == 1:
        return
    chief, *others = (json.loads(text) for text in devices.all_gather_text(json.dumps(dict(facts))))
    for number, other in enumerate(others, start=1):
        names = [name for name in {**chief, **other} if chief.get(name) != other.get(name)]
        if names:
            told = "; ".join(
                f"{name} is {other.get(name)!r} there, {chief.get(name)!r} on the chief"
                for name in names
            )
            raise UserError(
                f"Machine {number} differs from machine 0, the chief: {told}. Give every machine "
                "the same version and the same command."
            )


def experiment_fingerprint(experiment: Experiment, dtype_policy: str) -> dict[str, Any]:
    """What decides a training's result: fields, arithmetic, versions."""
    fields = {
        f"{section}.{name}": value
        for section, values in experiment.as_dict().items()
        for name, value in values.items()
    }
    same = {
        name: value
        for name, value in fields.items()
        if not name.startswith((*MUTABLE_FIELDS, *_PLACES))
    }
    # A file may lie elsewhere on another machine, too.
    same |= {name: same[name] and f"a file {digest(Path(same[name]))}" for name in FILE_FIELDS}
    versions = {
        f"the version of {name}": metadata.version(name)
        for name in ("tensorflow", "keras", "numpy")
    }
    return {
        **same,
        "the precision": dtype_policy,
        "the code of cyclegan_tf": _digest_of_code(),
        **versions,
    }


def _digest_of_code() -> str:
    """Short digest of this package's modules: a checkout has no version that changes with it."""
    digest = hashlib.sha256()
    here = Path(__file__).resolve().parents[1]
    for path in sorted(here.rglob("*.py")):
        digest.update(path.relative_to(here).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def data_fingerprint(source: UnpairedDataset) -> dict[str, Any]:
    """How many images there are, and a digest of their names and sizes."""

    def told(images: ImageList) -> str:
        what = [*images.names, *((info.height, info.width) for info in images.infos)]
        return f"{len(images)} ({hashlib.sha256(repr(what).encode()).hexdigest()[:12]})"

    return {
        "the number of X's images": told(source.train_x),
        "the number of Y's images": told(source.train_y),
    }


def agree(
    devices: DistributionContext, signal: int | None, seconds: float, should_stop: bool
) -> tuple[int | None, float, bool]:
    """What one machine knows, on all of them before the next step; each machine waits here for the
    slowest.

    Args:
      devices: of all machines.
      signal: that this machine was sent; None for none.
      seconds: of training, by this machine's clock.
      should_stop: by the scores of this machine, of which the chief alone has any.

    Returns:
      The largest signal that any machine was sent, the chief's seconds, the chief's patience.
    """
    if devices.workers == 1:
        return signal, seconds, should_stop
    table = np.zeros(devices.workers + 2)
    table[devices.worker] = signal or 0
    if devices.is_chief:
        table[-2:] = seconds, should_stop
    table = devices.total(table)
    return int(table[:-2].max()) or None, float(table[-2]), bool(table[-1])


class Bystander:
    """In the place of an `TrainingMonitor` on machines that are not the chief: looks at nothing,
    writes nothing.

    Args:
      model: whose running means are begun anew with the chief's.
    """

    def __init__(self, model: CycleGAN) -> None:
        self._model = model
        self.should_stop = False

    def reset_trackers(self) -> None:
        """Begins new running means."""
        for tracker in self._model.metric_trackers.values():
            tracker.reset_state()

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def _nothing(self, *_: Any) -> None:
        """Whatever an observer would do."""

    open = flush = close = load_state_dict = row = write_samples = evaluate_test_losses = score = (
        save_generators
    ) = _nothing
