"""A folder of four checkpoints of one training of the official PyTorch code.

That is junyanz/pytorch-CycleGAN-and-pix2pix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyclegan_tf.convert.pytorch.layout import ArchitectureSpec
from cyclegan_tf.convert.pytorch.recognize import describe
from cyclegan_tf.errors import UserError

OFFICIAL_NAMES = {
    "generator_xy": "G_A",
    "generator_yx": "G_B",
    "discriminator_y": "D_A",
    "discriminator_x": "D_B",
}
"""Our names -> the official ones.

A is X and B is Y. The official D_A learns to tell images of B from those that G_A generates, and so
is our discriminator of Y.
"""

OFFICIAL_NAMES_B_TO_A = {
    "generator_xy": "G_B",
    "generator_yx": "G_A",
    "discriminator_y": "D_B",
    "discriminator_x": "D_A",
}
"""The same of a training with --direction BtoA, which took trainB for its A."""

_GENERATORS = ("generator_xy", "generator_yx")
_FILE = re.compile(r"(.+)_net_(?:G_A|G_B|D_A|D_B)\.pth")
# Published models and those of one direction (pix2pix, CUT) have but one generator.
_LONE_GENERATOR = re.compile(r"(.+)_net_G\.pth")
_LONE_DISCRIMINATOR = re.compile(r"(.+)_net_D\.pth")


def file_name(attribute: str, epoch: str, names: Mapping[str, str] = OFFICIAL_NAMES) -> str:
    """The official file name of one of our networks."""
    return f"{epoch}_net_{names[attribute]}.pth"


def is_folder_of_networks(folder: Path) -> bool:
    """Whether it holds at least one official file."""
    return folder.is_dir() and bool(_epochs(folder, _FILE))


def is_folder_of_one_generator(folder: Path) -> bool:
    """Whether it holds latest_net_G.pth or the like, as the published NAME_pretrained do."""
    return (
        folder.is_dir()
        and not is_folder_of_networks(folder)
        and bool(_epochs(folder, _LONE_GENERATOR))
    )


def is_folder_of_one_direction(folder: Path) -> bool:
    """Whether it holds latest_net_G.pth and latest_net_D.pth or the like, as pix2pix saves them."""
    return is_folder_of_one_generator(folder) and bool(_epochs(folder, _LONE_DISCRIMINATOR))


def find_one_direction(folder: Path, epoch: str) -> dict[str, Path]:
    """Finds the generator "G" and the discriminator "D" of an epoch of pix2pix.

    Raises:
      UserError: one is not there; names the epochs of which both are.
    """
    found = {name: folder / f"{epoch}_net_{name}.pth" for name in "GD"}
    if not all(path.is_file() for path in found.values()):
        generators = set(_epochs(folder, _LONE_GENERATOR))
        whole = sorted(generators & set(_epochs(folder, _LONE_DISCRIMINATOR)))
        raise _missing_epoch(folder, epoch, whole)
    return found


def find_generator(folder: Path, epoch: str) -> Path:
    """Finds the generator of an epoch in a folder of one generator.

    Args:
      folder: of the official checkpoints.
      epoch: "latest" or a number.

    Raises:
      UserError: there is none of this epoch; names those that are there.
    """
    found = folder / f"{epoch}_net_G.pth"
    if not found.is_file():
        raise _missing_epoch(folder, epoch, _epochs(folder, _LONE_GENERATOR))
    return found


def find_files(
    folder: Path, epoch: str, names: Mapping[str, str] = OFFICIAL_NAMES
) -> dict[str, Path]:
    """Finds the four files of an epoch, by our names.

    Args:
      folder: of the official checkpoints.
      epoch: "latest" or a number.
      names: `OFFICIAL_NAMES`, or those of BtoA.

    Raises:
      UserError: not all four are there; names those that are missing.
    """
    found = {attribute: folder / file_name(attribute, epoch, names) for attribute in names}
    missing = [path.name for path in found.values() if not path.is_file()]
    if not missing:
        return found
    epochs = _epochs(folder, _FILE)
    if epoch not in epochs:
        raise _missing_epoch(folder, epoch, epochs)
    generators = [
        path.name for name, path in found.items() if name in _GENERATORS and path.is_file()
    ]
    alone = f" (such as {generators[0]})" if generators else ""
    raise UserError(
        f"{folder} lacks {', '.join(missing)}, and a run directory needs all four networks; to "
        f"translate or export alone, convert the file of one generator{alone} to a .keras file.",
        code="missing",
        field=str(folder),
    )


def _missing_epoch(folder: Path, epoch: str, epochs: list[str]) -> UserError:
    return UserError(
        f"{folder} holds no files of --epoch {epoch}; there are those of {', '.join(epochs)}.",
        code="missing",
        field="--epoch",
    )


def _epochs(folder: Path, file: re.Pattern[str]) -> list[str]:
    return sorted({match[1] for path in folder.iterdir() if (match := file.fullmatch(path.name))})


def experiment_fields(
    specs: Mapping[str, ArchitectureSpec], names: Mapping[str, str] = OFFICIAL_NAMES
) -> dict[str, dict[str, Any]]:
    """Gives the experiment's fields that four networks decide, by section.

    What weights do not show is left out.

    Args:
      specs: by our names.
      names: `OFFICIAL_NAMES`, or those of BtoA, for messages.

    Raises:
      UserError: they do not belong together; names those that differ, and in what.
    """
    g, f = specs["generator_xy"], specs["generator_yx"]
    d_x, d_y = specs["discriminator_x"], specs["discriminator_y"]
    ends = (names["generator_xy"], names["generator_yx"])
    patches = (names["discriminator_y"], names["discriminator_x"])
    for attribute, spec in specs.items():
        if spec.is_generator != (attribute in _GENERATORS):
            wanted = "generator" if attribute in _GENERATORS else "discriminator"
            raise UserError(
                f"{names[attribute]} should be a {wanted}, but is {describe(spec)}.",
                code="mismatch",
            )
    fields = {
        "generator": _common(
            (g, f), ends, "architecture", "filters", "blocks", "norm", "norm_affine"
        ),
        "discriminator": _common(
            (d_y, d_x), patches, "architecture", "filters", "norm", "norm_affine"
        ),
    }
    antialiased = _common((g, f), ends, "antialiased")["antialiased"]
    fields["generator"]["upsampling"] = "antialiased" if antialiased else "transposed"
    dropout = _common((g, f), ends, "dropout")
    fields["generator"] |= {} if dropout["dropout"] is None else dropout
    if d_x.n_layers is not None:
        fields["discriminator"] |= _common((d_y, d_x), patches, "n_layers")
    fields["data"] = {"channels_x": g.input_channels, "channels_y": g.output_channels}
    _check_channels(specs, names)
    return fields


def _common(
    specs: tuple[ArchitectureSpec, ArchitectureSpec], names: tuple[str, str], *fields: str
) -> dict[str, Any]:
    for field in fields:
        one, other = (getattr(spec, field) for spec in specs)
        if one != other:
            raise UserError(
                f"{names[0]} and {names[1]} are not of one training: {field} is {one} in the one "
                f"and {other} in the other; convert the file of one generator to a .keras file.",
                code="mismatch",
            )
    return {field: getattr(specs[0], field) for field in fields}


def _check_channels(specs: Mapping[str, ArchitectureSpec], official: Mapping[str, str]) -> None:
    first = specs["generator_xy"]
    x, y = first.input_channels, first.output_channels
    wanted = {
        "generator_xy": (x, y),
        "generator_yx": (y, x),
        "discriminator_x": (x, 1),
        "discriminator_y": (y, 1),
    }
    for attribute, channels in wanted.items():
        spec = specs[attribute]
        if (spec.input_channels, spec.output_channels) != channels:
            raise UserError(
                f"{official[attribute]} goes from {spec.input_channels} to "
                f"{spec.output_channels} channels, but {channels[0]} to {channels[1]} are "
                f"expected beside {official['generator_xy']}, which goes from {x} to {y}: these "
                "files are not of one training.",
                code="mismatch",
            )
