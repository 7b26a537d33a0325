"""What the workers of one training must agree on: experiment, images, and when to stop."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_tf.assembly.training_data import TrainingData
from cyclegan_tf.config.experiment import Experiment
from cyclegan_tf.devices.strategy import DistributionContext
from cyclegan_tf.errors import UserError
from cyclegan_tf.networks.files import digest
from cyclegan_tf.runs import state
from cyclegan_tf.runs.differences import FILE_FIELDS, MUTABLE_FIELDS

# Where the images lie may differ from machine to machine; the images themselves are compared.
_PLACES = ("data.source", "data.x_dir", "data.y_dir")


def check_consistent(devices: DistributionContext, fingerprint: Mapping[str, Any]) -> None:
    """Refuses machines that would not train the same.

    Args:
      devices: of all machines; each calls this at the same moment.
      fingerprint: what must be equal, ready for JSON.

    Raises:
      UserError: on every machine; names the first other one and each entry in which it differs from
        the chief.
    """
    if devices.workers == 1:
        return
    text = json.dumps(dict(fingerprint))
    chief, *others = (json.loads(text) for text in devices.all_gather_text(text))
    for number, other in enumerate(others, start=1):
        names = [name for name in {**chief, **other} if chief.get(name) != other.get(name)]
        if names:
            reasons = "; ".join(
                f"{name} is {other.get(name)!r} there, {chief.get(name)!r} on the chief"
                for name in names
            )
            raise UserError(
                f"Machine {number} differs from machine 0, the chief: {reasons}. Give every "
                "machine the same version and the same command.",
                code="mismatch",
                field=names[0],
            )


def experiment_fingerprint(experiment: Experiment, dtype_policy: str) -> dict[str, Any]:
    """Gathers what decides a training's result: fields, arithmetic, versions."""
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
    code = hashlib.sha256()
    here = Path(__file__).resolve().parents[1]
    for path in sorted(here.rglob("*.py")):
        code.update(path.relative_to(here).as_posix().encode() + b"\0" + path.read_bytes())
    return code.hexdigest()[:12]


def data_fingerprint(data: TrainingData) -> dict[str, Any]:
    """Counts the images, with a digest of their names, sizes and files."""

    def summary(name: str) -> str:
        images = getattr(data.source, name)
        sizes = [(info.height, info.width) for info in images.infos]
        what = [*images.names, *sizes, *data.sums.get(name, ())]
        return f"{len(images)} ({hashlib.sha256(repr(what).encode()).hexdigest()[:12]})"

    pairs = data.order.pairs
    digest_of_pairs = hashlib.sha256(repr(pairs).encode()).hexdigest()[:12]
    return {
        "the number of X's images": summary("train_x"),
        "the number of Y's images": summary("train_y"),
        "the number of pairs": f"{len(pairs)} ({digest_of_pairs})",
    }


def share_start(
    devices: DistributionContext, variables: Mapping[str, Any], clock: Mapping[str, float]
) -> dict[str, float]:
    """Gives this machine the chief's variables.

    Args:
      devices: of all machines; each calls this at the same moment.
      variables: by key, of `runs.state`.
      clock: what else the machines must share, by other keys.

    Returns:
      The chief's clock.
    """
    numbers = {name: np.array(value) for name, value in clock.items()}
    arrays = devices.broadcast(state.snapshot(variables) | numbers)
    state.restore(variables, arrays, "the chief's state")
    return {name: float(arrays[name]) for name in clock}


def synchronize(
    devices: DistributionContext, signal: int | None, seconds: float, should_stop: bool
) -> tuple[int | None, float, bool]:
    """Agrees on what decides whether there is a next step; waits for the slowest machine.

    Args:
      devices: of all machines.
      signal: that this machine was sent; None for none.
      seconds: of training, by this machine's clock.
      should_stop: by the scores, which the chief alone has.

    Returns:
      The largest signal that any machine was sent, the chief's seconds and `should_stop`.
    """
    if devices.workers == 1:
        return signal, seconds, should_stop
    table = np.zeros(devices.workers + 2)
    table[devices.worker] = signal or 0
    if devices.is_chief:
        table[-2:] = seconds, should_stop
    table = devices.all_reduce_sum(table)
    return int(table[:-2].max()) or None, float(table[-2]), bool(table[-1])
