"""Recognizes official PyTorch networks by the names and shapes in a state_dict alone.

Official is junyanz/pytorch-CycleGAN-and-pix2pix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

import numpy as np

from cyclegan_tf.convert.pytorch.layout import (
    BATCHES,
    FILTER,
    UNETS,
    ArchitectureSpec,
    first_block,
    last_convolution,
    mismatches,
)
from cyclegan_tf.errors import UserError

NormAsked = Literal["auto", "instance", "batch"]
ARCHITECTURES = (
    "resnet_9blocks",
    "resnet_6blocks",
    "unet_256",
    "unet_128",
    "basic",
    "n_layers",
    "pixel",
)
"""What the official options --netG and --netD take."""

_BLOCK = re.compile(r"model\.(\d+)\.conv_block\.")
_MAX_LISTED = 3


class _Norm(NamedTuple):
    """The fields of an `ArchitectureSpec` that its norms decide."""

    norm: Literal["instance", "batch"]
    norm_affine: bool
    biases: bool
    statistics: bool


def recognize(
    arrays: Mapping[str, np.ndarray], source: object, norm: NormAsked = "auto"
) -> ArchitectureSpec:
    """Finds the architecture whose state_dict this is, to the last entry.

    Args:
      arrays: by official name.
      source: the file, for messages.
      norm: which norm it has, where names and shapes leave that open; "auto" refuses to guess.

    Raises:
      UserError: no network of the official PyTorch code has these entries; names the first that do
        not fit.
    """
    entries = _Entries(arrays, source)
    if any(_BLOCK.match(name) for name in arrays):
        spec = _resnet(entries, norm)
    elif any(name.endswith(f".{FILTER}") for name in arrays):
        raise UserError(
            f"{source} has anti-aliasing filters, as CUT's networks do "
            "(taesungp/contrastive-unpaired-translation), but is none of its residual generators; "
            "of CUT only these can be converted (latest_net_G.pth).",
            code="unsupported",
            field=str(source),
        )
    elif any(name.startswith("model.model.") for name in arrays):
        spec = _unet(entries, norm)
    elif "net.0.weight" in arrays:
        spec = _pixel(entries, norm)
    elif "model.0.weight" in arrays and arrays["model.0.weight"].shape[2:] == (4, 4):
        spec = _patch(entries, norm)
    else:
        first = ", ".join(
            f"{name} {array.shape}" for name, array in list(arrays.items())[:_MAX_LISTED]
        )
        raise UserError(
            f"{source} is of no network of the official PyTorch code "
            f"({', '.join(ARCHITECTURES)}): its "
            f"first entries are {first}; give a file that their train.py saved.",
            code="unsupported",
            field=str(source),
        )
    wrong = mismatches(spec, arrays)
    if wrong:
        more = f" ({len(wrong)} such in all)" if len(wrong) > _MAX_LISTED else ""
        raise UserError(
            f"{source} looks like {describe(spec)}, but does not fit: "
            f"{'; '.join(wrong[:_MAX_LISTED])}{more}. Nothing was taken from it.",
            code="unsupported",
            field=str(source),
        )
    return spec


def describe(spec: ArchitectureSpec) -> str:
    """Describes an architecture in one line."""
    parts = [spec.official_name, f"{spec.filters} filters"]
    if spec.blocks is not None:
        parts.append(f"{spec.blocks} blocks")
    if spec.n_layers is not None:
        parts.append(f"{spec.n_layers} layers")
    parts.append(f"{spec.input_channels} -> {spec.output_channels} channels")
    parts.append(f"{spec.norm} norm" + (" with factor and offset" if spec.norm_affine else ""))
    if spec.blocks is not None:
        parts.append("dropout" if spec.dropout else "no dropout")
    if spec.antialiased:
        parts.append("anti-aliased as CUT's")
    return ", ".join(parts)


def conversion_notes(spec: ArchitectureSpec) -> list[str]:
    """Lists what one should know of this conversion, a sentence each."""
    found = []
    if spec.norm == "batch":
        found.append(
            "batch normalization uses its running statistics, as PyTorch does after eval(); the "
            "official test.py does so only with --eval, and else normalizes by the image at hand, "
            "which --norm instance does here"
        )
    elif spec.statistics:
        found.append(
            "running statistics of instance normalization, left over by an old PyTorch, are not "
            "used: the official test.py normalizes each image by itself (only its --eval under "
            "such a PyTorch used them)"
        )
    if spec.norm == "instance" and not spec.biases:
        found.append("the convolutions have no biases; here these are 0")
    if spec.norm_affine and spec.statistics and spec.biases:
        found.append(
            "its norms have factors, offsets and running statistics and its convolutions biases: "
            "instance normalization, since batch normalization goes without biases"
        )
    if spec.dropout:
        found.append(
            "dropout acts in training only; the official test.py leaves it on unless given --eval"
        )
    if spec.is_generator and spec.dropout is None:
        found.append("the weights of a U-Net do not tell whether it was trained with dropout")
    return found


class _Entries:
    """The arrays, with complaints about what is not there."""

    def __init__(self, arrays: Mapping[str, np.ndarray], source: object) -> None:
        self.arrays, self.source = arrays, source

    def shape(self, name: str, looks_like: str) -> tuple[int, ...]:
        """Shape of a convolution's weight."""
        array = self.arrays.get(name)
        if array is None or array.ndim != 4:
            found = "is missing" if array is None else f"is {array.shape}, not of 4 axes"
            raise UserError(
                f"{self.source} looks like {looks_like}, but does not fit: {name} {found}. "
                f"Nothing was taken from it.",
                code="unsupported",
                field=str(self.source),
            )
        return array.shape

    def norm(self, convolution: str, norm: str, asked: NormAsked) -> _Norm:
        """Reads off the first norm what all are."""
        biases, affine, statistics = (
            name in self.arrays
            for name in (f"{convolution}.bias", f"{norm}.weight", f"{norm}.running_mean")
        )
        batch = affine and statistics and not biases
        if asked == "auto" and not (biases or affine or statistics):
            raise UserError(
                f"{self.source} has neither norms with weights nor biases before them "
                f"({convolution}.bias, {norm}.weight): that is --norm none, which is not "
                "supported, or an early instance normalization; if you know it is the latter, "
                "give --norm instance.",
                code="unsupported",
                field="--norm",
            )
        if asked == "batch" and not batch:
            raise UserError(
                f"{self.source} cannot be of batch normalization, which has {norm}.weight and "
                f"{norm}.running_mean and no {convolution}.bias; leave --norm out.",
                code="mismatch",
                field="--norm",
            )
        if batch and asked != "instance":
            return _Norm("batch", False, False, True)
        return _Norm("instance", affine, biases, statistics)


def _resnet(entries: _Entries, asked: NormAsked) -> ArchitectureSpec:
    looks = "a residual generator"
    places = sorted({int(match[1]) for name in entries.arrays if (match := _BLOCK.match(name))})
    antialiased = _is_antialiased(entries, places)
    start = first_block(antialiased)
    blocks = places[-1] - start + 1
    if blocks < 1:
        raise UserError(
            f"{entries.source} looks like {looks}, but does not fit: its blocks stand at {places} "
            f"and not from {start} on. Nothing was taken from it.",
            code="unsupported",
            field=str(entries.source),
        )
    filters, inputs, *_ = entries.shape("model.1.weight", looks)
    outputs = entries.shape(f"model.{last_convolution(blocks, antialiased)}.weight", looks)[0]
    # without dropout this is the second norm's
    place = entries.arrays.get(f"model.{start}.conv_block.6.weight")
    return ArchitectureSpec(
        architecture="resnet_6blocks" if blocks == 6 else "resnet_9blocks",
        input_channels=inputs,
        output_channels=outputs,
        filters=filters,
        blocks=blocks,
        dropout=place is not None and place.ndim == 4,
        antialiased=antialiased,
        **entries.norm("model.1", "model.2", asked)._asdict(),
    )


def _is_antialiased(entries: _Entries, places: list[int]) -> bool:
    """Whether a residual generator has CUT's filters, on both sides of its blocks."""
    filters = [int(name.split(".")[1]) for name in entries.arrays if name.endswith(f".{FILTER}")]
    down, up = (sum(sign * (place - places[0]) > 0 for place in filters) for sign in (-1, 1))
    if bool(down) != bool(up):
        side, option = ("halving", "--no_antialias_up") if down else ("doubling", "--no_antialias")
        raise UserError(
            f"{entries.source} has CUT's anti-aliasing filters for {side} only (trained with "
            f"{option}), for which there is no network here.",
            code="unsupported",
            field=str(entries.source),
        )
    return bool(filters)


def _unet(entries: _Entries, asked: NormAsked) -> ArchitectureSpec:
    looks = "a U-Net"
    filters, inputs, *_ = entries.shape("model.model.0.weight", looks)
    outputs = entries.shape("model.model.3.weight", looks)[1]
    first = "model.model.1.model"
    depth, level = 2, first
    while f"{level}.3.model.1.weight" in entries.arrays:
        depth, level = depth + 1, f"{level}.3.model"
    if depth not in UNETS:
        raise UserError(
            f"{entries.source} looks like a U-Net that halves {depth} times; only unet_256, which "
            "halves 8 times, and unet_128, which halves 7 times, are known.",
            code="unsupported",
            field=str(entries.source),
        )
    return ArchitectureSpec(
        architecture=UNETS[depth],
        input_channels=inputs,
        output_channels=outputs,
        filters=filters,
        **entries.norm(f"{first}.1", f"{first}.2", asked)._asdict(),
    )


def _patch(entries: _Entries, asked: NormAsked) -> ArchitectureSpec:
    looks = "a PatchGAN discriminator"
    filters, inputs, *_ = entries.shape("model.0.weight", looks)
    last = max(
        int(name.split(".")[1])
        for name in entries.arrays
        if re.fullmatch(r"model\.\d+\.weight", name)
    )
    n_layers = (last - 2) // 3
    if not 1 <= n_layers <= 6:
        raise UserError(
            f"{entries.source} looks like {looks} of {n_layers} layers; from 1 to 6 are possible.",
            code="unsupported",
            field=str(entries.source),
        )
    return ArchitectureSpec(
        architecture="patch",
        input_channels=inputs,
        output_channels=1,
        filters=filters,
        n_layers=n_layers,
        **entries.norm("model.2", "model.3", asked)._asdict(),
    )


def _pixel(entries: _Entries, asked: NormAsked) -> ArchitectureSpec:
    filters, inputs, *_ = entries.shape("net.0.weight", "a pixel discriminator")
    return ArchitectureSpec(
        architecture="pixel",
        input_channels=inputs,
        output_channels=1,
        filters=filters,
        **entries.norm("net.2", "net.3", asked)._asdict(),
    )


def count_parameters(arrays: Mapping[str, np.ndarray]) -> int:
    """Numbers that training changes: all but running statistics, their counters and filters."""
    fixed = ("running_mean", "running_var", BATCHES, FILTER)
    return sum(array.size for name, array in arrays.items() if not name.endswith(fixed))


def notes_for_official_code(spec: ArchitectureSpec) -> list[str]:
    """Lists what keeps the official PyTorch code from loading a network of ours as it is."""
    found = []
    if spec.antialiased:
        found.append(
            "it is a generator of CUT (taesungp/contrastive-unpaired-translation), whose test.py "
            "takes it under the name latest_net_G.pth; the CycleGAN code has no such network"
        )
    if spec.norm_affine:
        found.append(
            "the official networks.py makes instance normalization without factor and offset: set "
            "affine=True there"
        )
    if spec.official_name == "resnet":
        found.append(
            f"the official --netG knows 6 and 9 blocks: set n_blocks={spec.blocks} in their "
            f"networks.py"
        )
    return found


def official_options(spec: ArchitectureSpec) -> str:
    """Options of the official test.py under which it loads such a generator."""
    words = [f"--netG {spec.official_name}", f"--norm {spec.norm}"]
    words += [f"--ngf {spec.filters}"] if spec.filters != 64 else []
    words += [f"--input_nc {spec.input_channels}"] if spec.input_channels != 3 else []
    words += [f"--output_nc {spec.output_channels}"] if spec.output_channels != 3 else []
    return " ".join([*words, *([] if spec.dropout else ["--no_dropout"])])
