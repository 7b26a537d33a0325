"""How sections check themselves: each message with the field's name and the value received."""

from __future__ import annotations

import math
from typing import Any

from cyclegan_tf.errors import UserError


def require(condition: bool, name: str, value: object, rule: str) -> None:
    """Refuses a value.

    Raises:
      UserError: `condition` is false; "<name> is <value>, but <rule>."
    """
    if not condition:
        raise UserError(f"{name} is {value!r}, but {rule}.", field=name)


def at_least(section: str, config: object, minimum: float, *names: str) -> None:
    """Refuses numbers below a minimum, and infinite ones; None is not a number.

    Args:
      section: of the experiment, for the message.
      config: holds the fields.
      minimum: the least that is allowed.
      *names: of the fields.

    Raises:
      UserError: names the first field that is too small.
    """
    for name in names:
        value = getattr(config, name)
        if value is not None:
            require(value >= minimum, f"{section}.{name}", value, f"it must be at least {minimum}")
            require(value < math.inf, f"{section}.{name}", value, "it must be finite")


def at_most(section: str, config: object, maximum: float, *names: str) -> None:
    """Refuses numbers above a maximum, as `at_least` does below a minimum.

    What no machine holds is refused before memory is taken for it.
    """
    for name in names:
        value = getattr(config, name)
        if value is not None:
            require(value <= maximum, f"{section}.{name}", value, f"it must be at most {maximum}")


def without_affine(section: str, config: Any) -> None:
    """Refuses norm_affine beside batch normalization, which always learns a scale and shift.

    Raises:
      UserError: both are asked for.
    """
    require(
        not (config.norm == "batch" and config.norm_affine),
        f"{section}.norm_affine",
        config.norm_affine,
        f"{section}.norm batch learns a scale and shift anyway: leave it out",
    )
