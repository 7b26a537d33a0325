"""Whether the packages of trackers are there, found out before TensorFlow is imported."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from cyclegan_tf.errors import UserError, not_installed


def check_installed(names: Sequence[str]) -> None:
    """Refuse a tracker whose package is missing.

    Args:
      names: of `config.experiment.TRACKERS`.

    Raises:
      UserError: with the command that installs it.
    """
    for name in names:
        found = find_spec(name)
        # wandb's and mlflow's folders of runs have the names of their packages.
        if found is None or found.origin is None:
            raise UserError(
                f"--logging.to {name}: {not_installed(name)}.",
                code="dependency",
                field="logging.to",
            )
