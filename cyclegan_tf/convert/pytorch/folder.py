"""The authors' PyTorch checkpoints as they lie in a folder: four files of one training, and what
they say together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyclegan_tf.convert.pytorch.layout import ArchitectureSpec
from cyclegan_tf.convert.pytorch.recognize import described
from cyclegan_tf.errors import UserError

OFFICIAL = {
    "generator_xy": "G_A",
    "generator_yx": "G_B",
    "discriminator_y": "D_A",
    "discriminator_x": "D_B",
}
"""Our names -> theirs. A is X and B is Y; their D_A learns from images of B, what G_A makes, and so
judges Y."""

_GENERATORS = ("generator_xy", "generator_yx")
_FILE = re.compile(r"(.+)_net_(?:G_A|G_B|D_A|D_B)\.pth")


def file_name(attribute: str, epoch: str) -> str:
    """What the authors' code calls the file of one of our networks."""
    return f"{epoch}_net_{OFFICIAL[attribute]}.pth"


def is_folder_of_networks(folder: Path) -> bool:
    """Whether it holds at least one of the authors' files."""
    return folder.is_dir() and bool(_epochs(folder))


def find_files(folder: Path, epoch: str) -> dict[str, Path]:
    """The four files of an epoch, by our names.

    Args:
      folder: of the authors' checkpoints.
      epoch: "latest" or a number.

    Raises:
      UserError: not all four are there; tells which, and what can be done.
    """
    found = {attribute: folder / file_name(attribute, epoch) for attribute in OFFICIAL}
    missing = [path.name for path in found.values() if not path.is_file()]
    if not missing:
        return found
    epochs = _epochs(folder)
    if epoch not in epochs:
        raise UserError(
            f"{folder} holds no files of --epoch {epoch}; there are those of {', '.join(epochs)}."
        )
    generators = [
        path.name for name, path in found.items() if name in _GENERATORS and path.is_file()
    ]
    alone = f" (such as {generators[0]})" if generators else ""
    raise UserError(
        f"{folder} lacks {', '.join(missing)}, and a run directory needs all four networks; to "
        f"translate or export alone, convert the file of one generator{alone} to a .keras file."
    )


def _epochs(folder: Path) -> list[str]:
    return sorted({match[1] for path in folder.iterdir() if (match := _FILE.fullmatch(path.name))})


def experiment_fields(designs: Mapping[str, ArchitectureSpec]) -> dict[str, dict[str, Any]]:
    """The experiment's fields that four designs decide, by section; what weights do not tell is
    left out.

    Args:
      designs: by the names in `OFFICIAL`.

    Raises:
      UserError: they do not belong together; tells which differ in what.
    """
    g, f = designs["generator_xy"], designs["generator_yx"]
    d_x, d_y = designs["discriminator_x"], designs["discriminator_y"]
    for attribute, design in designs.items():
        if design.is_generator != (attribute in _GENERATORS):
            wanted = "generator" if attribute in _GENERATORS else "discriminator"
            raise UserError(
                f"{OFFICIAL[attribute]} should be a {wanted}, but is {described(design)}."
            )
    fields = {
        "generator": _common(
            (g, f), ("G_A", "G_B"), "architecture", "filters", "blocks", "norm", "norm_affine"
        ),
        "discriminator": _common(
            (d_y, d_x), ("D_A", "D_B"), "architecture", "filters", "norm", "norm_affine"
        ),
    }
    dropout = _common((g, f), ("G_A", "G_B"), "dropout")
    fields["generator"] |= {} if dropout["dropout"] is None else dropout
    if d_x.n_layers is not None:
        fields["discriminator"] |= _common((d_y, d_x), ("D_A", "D_B"), "n_layers")
    fields["data"] = {"channels_x": g.input_channels, "channels_y": g.output_channels}
    _check_channels(designs, g.input_channels, g.output_channels)
    return fields


def _common(
    designs: tuple[ArchitectureSpec, ArchitectureSpec], names: tuple[str, str], *fields: str
) -> dict[str, Any]:
    for field in fields:
        one, other = (getattr(design, field) for design in designs)
        if one != other:
            raise UserError(
                f"{names[0]} and {names[1]} are not of one training: {field} is {one} in the one "
                f"and {other} in the other; convert the file of one generator to a .keras file."
            )
    return {field: getattr(designs[0], field) for field in fields}


def _check_channels(designs: Mapping[str, ArchitectureSpec], x: int, y: int) -> None:
    wanted = {
        "generator_xy": (x, y),
        "generator_yx": (y, x),
        "discriminator_x": (x, 1),
        "discriminator_y": (y, 1),
    }
    for attribute, channels in wanted.items():
        design = designs[attribute]
        if (design.input_channels, design.output_channels) != channels:
            raise UserError(
                f"{OFFICIAL[attribute]} goes from {design.input_channels} to "
                f"{design.output_channels} channels, but {channels[0]} to {channels[1]} are "
                f"expected beside G_A, which goes from {x} to {y}: these files are not of one "
                "training."
            )
