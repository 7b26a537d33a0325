"""What an experiment says of its networks; a part of `config`.

Domains as there: G: X -> Y, F: Y -> X; D_X, D_Y discriminate real
  from generated images of X and of Y.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from cyclegan_tf.config.checks import at_least, at_most, require, without_affine


@dataclass(frozen=True)
class Generator:
    """The two generators G and F.

    Attributes:
        architecture: Layout of the network; resnet_9blocks is the paper's for 256 px,
          resnet_6blocks for 128 px; mobile has depthwise-separable convolutions, for phones.
        filters: Width of the first layer; the architecture's own (64, fast_style 32, mobile 16)
          when not given.
        blocks: Number of residual blocks; the architecture's own when not given.
        upsampling: Transposed convolution as in the paper, nearest resize + convolution (no
            checkerboards), or antialiased down and up as in CUT; auto: resize if the domains'
            colors are alike.
        dropout: Dropout of 0.5 inside residual blocks or the U-Net's inner levels.
        norm: Normalization: of each image by itself as in the paper, or of a batch as in some older
          checkpoints.
        norm_affine: Learn a scale and shift in every instance normalization; batch normalization
          always does.
        color_skip: Skip connection around the network for the input's colors; their change is
            initialized from the data and trained. auto: on if the domains' colors are alike.
        long_skips: Add the descending half's features to the ascending half's; auto: on if the
          domains' colors are alike.
        init_file_xy: Start G from the network in this .keras file, of any layout; a run keeps a
          copy of its own.
        init_file_yx: The same for F.

    Example:
        >>> Generator(architecture="resnet_6blocks", norm_affine=True).filters is None
        True
    """

    architecture: Literal[
        "resnet_9blocks", "resnet_6blocks", "fast_style", "mobile", "unet_256", "unet_128"
    ] = "resnet_9blocks"
    filters: int | None = None
    blocks: int | None = None
    upsampling: Literal["transposed", "resize", "antialiased", "auto"] = "transposed"
    dropout: bool = False
    norm: Literal["instance", "batch"] = "instance"
    norm_affine: bool = False
    color_skip: Literal["off", "auto", "on"] = "off"
    long_skips: Literal["off", "auto", "on"] = "off"
    init_file_xy: str | None = None
    init_file_yx: str | None = None

    def __post_init__(self) -> None:
        at_least("generator", self, 1, "filters", "blocks")
        at_most("generator", self, 4096, "filters", "blocks")
        without_affine("generator", self)
        for name in ("color_skip", "long_skips"):
            value = getattr(self, name)
            rule = "it must be off, auto or on"
            require(value in ("off", "auto", "on"), f"generator.{name}", value, rule)
        if self.architecture.startswith("unet"):
            rule = f"{self.architecture} has no residual blocks"
            require(self.blocks is None, "generator.blocks", self.blocks, rule)
            require(
                self.long_skips != "on",
                "generator.long_skips",
                self.long_skips,
                f"{rule} to skip",
            )
            rule = f"it is for residual generators, not for {self.architecture}"
            no_blur = self.upsampling != "antialiased"
            require(no_blur, "generator.upsampling", self.upsampling, rule)
        if self.architecture == "mobile":
            rule = "mobile always doubles by nearest neighbors"
            no_blur = self.upsampling != "antialiased"
            require(no_blur, "generator.upsampling", self.upsampling, rule)
        self._check_network_files()

    @property
    def network_files(self) -> dict[str, str]:
        """Direction, "xy" or "yx" -> the file its generator starts from, for those that start from
        one."""
        named = {"xy": self.init_file_xy, "yx": self.init_file_yx}
        return {direction: path for direction, path in named.items() if path is not None}

    def _check_network_files(self) -> None:
        for direction, path in self.network_files.items():
            require(
                path.endswith(".keras"),
                f"generator.init_file_{direction}",
                path,
                "it must be a .keras file; python -m cyclegan_tf.convert makes one of other files",
            )
        idle = {2: NETWORK_FIELDS, 1: ("color_skip",), 0: ()}[len(self.network_files)]
        for name in idle:
            value = getattr(self, name)
            default = next(
                field.default for field in dataclasses.fields(self) if field.name == name
            )
            rule = (
                "a network out of a file is as it is: leave this out, or generator.init_file_xy "
                "and init_file_yx"
            )
            require(value == default, f"generator.{name}", value, rule)


NETWORK_FIELDS = tuple(
    entry.name
    for entry in dataclasses.fields(Generator)
    if entry.name not in ("init_file_xy", "init_file_yx")
)
"""Fields that decide how a generator is built; idle where both come out of files."""

AUTO_VALUES: dict[str, tuple[str, str]] = {
    "color_skip": ("off", "on"),
    "upsampling": ("transposed", "resize"),
    "long_skips": ("off", "on"),
}
"""What a field's "auto" becomes where the domains' colors are of different kinds, and where they
are of one."""


@dataclass(frozen=True)
class Discriminator:
    """The two discriminators D_X and D_Y.

    Attributes:
        architecture: "patch" (PatchGAN) or "pixel" (1x1 convolutions).
        filters: Width of the first layer.
        n_layers: Depth of the PatchGAN, 1 to 6; 3 sees patches of 70 px.
        norm: Normalization: of each image by itself as in the paper, or of a batch as in some older
          checkpoints.
        norm_affine: Learn a scale and shift in every instance normalization; batch normalization
          always does.
        conditional: Show D the input beside the translation, as pix2pix does, so that it sees
          whether they fit; only with data.pairs.

    Example:
        >>> Discriminator(n_layers=2).filters
        64
    """

    architecture: Literal["patch", "pixel"] = "patch"
    filters: int = 64
    n_layers: int = 3
    norm: Literal["instance", "batch"] = "instance"
    norm_affine: bool = False
    conditional: bool = False

    def __post_init__(self) -> None:
        at_least("discriminator", self, 1, "filters")
        at_most("discriminator", self, 4096, "filters")
        without_affine("discriminator", self)
        require(
            1 <= self.n_layers <= 6,
            "discriminator.n_layers",
            self.n_layers,
            "it must be from 1 to 6",
        )
