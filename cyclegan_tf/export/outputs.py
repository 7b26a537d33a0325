"""Names of what an export writes, and what must not be in their place; needs no TensorFlow."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path

from cyclegan_tf.atomic import refuse_existing
from cyclegan_tf.errors import UserError

CARD_NAME = "card.json"
"""Lies beside every exported file, and is by what a folder of them is known."""
MANIFEST = "models.json"
"""Lists a page's models, and is by what a page is known."""


def model_name(wanted: str | None, target: Path, direction: str) -> str:
    """Name an export <name>_<direction>, of letters, digits, dots, dashes and underscores.

    Args:
      wanted: the name asked for; None takes that of the run or file.
      target: run directory or file.
      direction: "xy" or "yx".

    Raises:
      UserError: the name asked for has other characters, which URLs and TF Serving's configuration
        stumble over.
    """
    if wanted is None:
        stem = target.resolve().stem if target.suffix == ".keras" else target.resolve().name
        wanted = re.sub(r"[^A-Za-z0-9_.-]+", "_", stem).strip("._-") or "model"
        wanted = wanted.removesuffix(f"_{direction}")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", wanted):
        raise UserError(
            f"--name is {wanted!r}; take letters, digits, dots, dashes and underscores only.",
            code="invalid",
            field="--name",
        )
    return f"{wanted}_{direction}"


def title_of(names: Mapping[str, str]) -> str:
    """Give the name of both directions together.

    Args:
      names: by direction, from `model_name`.
    """
    return next(iter(names.values())).rsplit("_", 1)[0]


def page_path(out: Path, title: str) -> Path:
    """Give the place of a page that is one file."""
    return out / "html" / f"{title}.html"


def refuse_existing_outputs(
    out: Path, formats: Collection[str], names: Mapping[str, str], overwrite: bool
) -> None:
    """Refuse what is in the place of an output; a SavedModel gets a new version.

    Args:
      out: folder of all outputs.
      formats: that are to be written.
      names: of the models by direction.
      overwrite: replace outputs that are there.

    Raises:
      UserError: an output is there and not to be replaced, or something else is.
    """
    for name in names.values():
        for kind in {"litert", "onnx", "keras", "bioimageio"} & set(formats):
            refuse_existing(out / kind / name, overwrite, CARD_NAME)
    if "web" in formats:
        refuse_existing(out / "web", overwrite, MANIFEST)
    if "hub" in formats:
        refuse_existing(out / "hub" / title_of(names), overwrite, CARD_NAME)
    if "html" in formats:
        refuse_existing_file(page_path(out, title_of(names)), overwrite)


def refuse_existing_file(out: Path, replace: bool) -> None:
    """Refuse to write where something is, but for a file that may be replaced.

    Raises:
      UserError: it is there.
    """
    if not (replace and out.is_file()):
        refuse_existing(out)
