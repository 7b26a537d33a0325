"""The machines of one training, as `TF_CONFIG` names them; read before TensorFlow is imported."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from cyclegan_tf.errors import UserError

VARIABLE = "TF_CONFIG"
_KINDS = ("chief", "worker")
_EXAMPLE = (
    '{"cluster": {"worker": ["host0:12345", "host1:12345"]}, '
    '"task": {"type": "worker", "index": 0}}'
)


@dataclass(frozen=True)
class Cluster:
    """Which machines train together, and which of them this is.

    Attributes:
      addresses: "host:port" of each, the chief's first.
      number: of this machine among them; 0 is the chief, which alone writes.

    Example:
      >>> cluster = of_environment(os.environ)
      >>> if cluster is not None and cluster.is_chief:
      ...     print(len(cluster.addresses))
    """

    addresses: tuple[str, ...]
    number: int

    @property
    def is_chief(self) -> bool:
        """Whether this machine writes the run directory."""
        return self.number == 0


def of_environment(environment: Mapping[str, str]) -> Cluster | None:
    """Return the cluster that `TF_CONFIG` describes; None for a single machine.

    Raises:
      UserError: `TF_CONFIG` is no such description.
    """
    text = environment.get(VARIABLE, "").strip()
    if not text:
        return None
    jobs, addresses, place = _read(text)
    _check(jobs, [address for _, _, address in addresses])
    if len(addresses) < 2:
        return None
    places = [(kind, index) for kind, index, _ in addresses]
    if place not in places:
        raise UserError(
            f"{VARIABLE} says this is {place[0]} {place[1]}, which its cluster does not hold; it "
            f"must look like {_EXAMPLE}.",
            code="mismatch",
            field=VARIABLE,
        )
    return Cluster(tuple(address for _, _, address in addresses), places.index(place))


def _read(
    text: str,
) -> tuple[dict[str, list[object]], list[tuple[str, int, str]], tuple[object, object]]:
    """Return the jobs, each machine as (job, index, address), and (job, index) of this one."""
    try:
        values = json.loads(text)
        jobs = values.get("cluster") or {}
        task = dict(values.get("task") or {})
        addresses = [
            (kind, index, _address(a))
            for kind in _KINDS
            for index, a in enumerate(_listed(jobs, kind))
        ]
    except (ValueError, AttributeError, TypeError, RecursionError) as error:
        raise UserError(
            f"{VARIABLE} cannot be read ({error}); it must look like {_EXAMPLE}.",
            code="unreadable",
            field=VARIABLE,
        ) from error
    return jobs, addresses, (task.get("type"), _index(task.get("index")))


def _check(jobs: Mapping[str, list[object]], addresses: list[str]) -> None:
    """Refuse unknown jobs, several chiefs, and one address for two machines."""
    unknown = sorted(set(jobs) - set(_KINDS))
    if unknown:
        raise UserError(
            f"{VARIABLE} names the job {unknown[0]!r}; machines here are of the jobs "
            f"{', '.join(_KINDS)}.",
            code="unknown",
            field=VARIABLE,
        )
    if len(jobs.get("chief", [])) > 1:
        raise UserError(
            f"{VARIABLE} names {len(jobs['chief'])} chiefs; one alone writes, all others are "
            "workers.",
            field=VARIABLE,
        )
    twice = [address for address in addresses if addresses.count(address) > 1]
    if twice:
        raise UserError(
            f"{VARIABLE} names {twice[0]} more than once; every machine has an address of its own.",
            field=VARIABLE,
        )


def _listed(jobs: Mapping[str, object], kind: str) -> list[object]:
    """Return the addresses of a job.

    A text or a dictionary would be taken apart letter by letter, or by its keys.
    """
    found = jobs.get(kind, [])
    if not isinstance(found, list):
        raise TypeError(f"the addresses of {kind!r} are no list")
    return found


def _address(value: object) -> str:
    """Return a "host:port", if it is one; TensorFlow would wait for anything else in silence."""
    host, _, port = str(value).rpartition(":")
    if not (
        isinstance(value, str)
        and host
        and port.isascii()
        and port.isdigit()
        and 0 < int(port) < 65536
    ):
        raise ValueError(f"{value!r} is no address of the form host:port")
    return value


def _index(value: object) -> int | str:
    """Return an index as a number, which shells hand over as text; anything else as text."""
    try:
        return int(str(value))
    except ValueError:
        return str(value)
