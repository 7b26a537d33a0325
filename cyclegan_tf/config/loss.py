"""What an experiment says of its losses; a part of `config`.

Domains as there: G: X -> Y, F: Y -> X; D_X, D_Y discriminate real from generated images of X and Y.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from cyclegan_tf.config.checks import at_least, require
from cyclegan_tf.config.data import Data
from cyclegan_tf.config.networks import Discriminator

RANGES = ("-1 to 1", "0 to 1", "0 to 255")
"""Black and white as others' networks take them."""

_PAIRED = 10.0
"""Weight of the paired term where none is given: that of a cycle."""


@dataclass(frozen=True)
class Loss:
    """Which terms train the networks, and their weights; a weight of 0 means the term is not built.

    Attributes:
        gan_mode: Criterion of generators and discriminators.
        adversarial_x: Weight of F fooling D_X; 0 removes D_X.
        adversarial_y: Weight of G fooling D_Y; 0 removes D_Y.
        cycle_x: Weight of |F(G(x)) - x|, the forward cycle.
        cycle_y: Weight of |G(F(y)) - y|, the backward cycle.
        identity: Weight of |G(y) - y| and |F(x) - x|, relative to the cycle weight of the same
          image.
        identity_x: Weight of |F(x) - x| by itself; identity * cycle_x when not given.
        identity_y: Weight of |G(y) - y| by itself; identity * cycle_y when not given.
        self_x: Weight of |G(x) - x|, which keeps a translation near its input, as SimGAN's does.
        self_y: Weight of |F(y) - y|.
        paired: Weight of |G(x) - y| and |F(y) - x| where x and y are partners; 10 with data.pairs
          when not given. A generator that no other term trains gets none, so that one may rest.
        semantic: .keras or .onnx file of a classifier or segmenter: what it says of x must hold for
          G(x), and of y for F(y). A run keeps a copy of its own.
        semantic_weight: Weight of that: cross-entropy where the file's outputs are shares
          (softmax), else their mean squared difference.
        semantic_range: Range of the values that it takes.
        gradient_penalty: Weight of the gradient penalty that wgangp adds, of the gradient of D's
          mean over patches; the authors' CycleGAN adds none.

    Example:
        >>> Loss(identity=0.5, cycle_x=10, cycle_y=4).identity_weights()
        (5.0, 2.0)
    """

    gan_mode: Literal["lsgan", "vanilla", "wgangp"] = "lsgan"
    adversarial_x: float = 1.0
    adversarial_y: float = 1.0
    cycle_x: float = 10.0
    cycle_y: float = 10.0
    identity: float = 0.5
    identity_x: float | None = None
    identity_y: float | None = None
    self_x: float = 0.0
    self_y: float = 0.0
    paired: float | None = None
    semantic: str | None = None
    semantic_weight: float = 1.0
    semantic_range: Literal["-1 to 1", "0 to 1", "0 to 255"] = "-1 to 1"
    gradient_penalty: float = 10.0

    def __post_init__(self) -> None:
        for entry in dataclasses.fields(self):
            if entry.name not in ("gan_mode", "semantic", "semantic_range"):
                at_least("loss", self, 0, entry.name)
        terms = (
            self.adversarial_x,
            self.adversarial_y,
            self.cycle_x,
            self.cycle_y,
            *self.identity_weights(),
            self.self_x,
            self.self_y,
            self.paired,
        )
        is_known = self.semantic is None or self.semantic.lower().endswith((".keras", ".onnx"))
        rule = "it must be a .keras or an .onnx file"
        require(is_known, "loss.semantic", self.semantic, rule)
        require(any(terms), "loss", "all zero", "at least one term must have a weight above 0")

    def identity_weights(self) -> tuple[float, float]:
        """Absolute weights of |F(x) - x| and |G(y) - y|."""
        x = self.identity * self.cycle_x if self.identity_x is None else self.identity_x
        y = self.identity * self.cycle_y if self.identity_y is None else self.identity_y
        return x, y

    def paired_weights(self, has_pairs: bool) -> tuple[float, float]:
        """Weights of |F(y) - x| and |G(x) - y|.

        Args:
          has_pairs: whether partners are shown together.
        """
        weight = _PAIRED if self.paired is None else self.paired
        f, g = self._plays("yx"), self._plays("xy")
        if not has_pairs:
            return 0.0, 0.0
        return (weight if f or not g else 0.0), (weight if g or not f else 0.0)

    def _plays(self, direction: str) -> bool:
        """Whether a term that needs no partners reaches a generator."""
        of_both = self.cycle_x + self.cycle_y
        if direction == "yx":
            return self.adversarial_x + self.identity_weights()[0] + self.self_y + of_both > 0
        return self.adversarial_y + self.identity_weights()[1] + self.self_x + of_both > 0

    def semantic_weights(self) -> tuple[float, float]:
        """Weights of what is said of x and G(x), and of y and F(y); of generators that play."""
        weight = self.semantic_weight if self.semantic else 0.0
        return weight * self._plays("xy"), weight * self._plays("yx")

    def trains(self, direction: str, has_pairs: bool) -> bool:
        """Whether any term reaches the generator of "xy" or "yx"; pix2pix has but one."""
        paired_x, paired_y = self.paired_weights(has_pairs)
        return self._plays(direction) or (paired_y if direction == "xy" else paired_x) > 0


def check_pairs(data: Data, discriminator: Discriminator, loss: Loss) -> None:
    """Refuse terms that cannot be had from these images, and pairs that nothing uses.

    Raises:
      UserError: names the field.
    """
    if not data.has_pairs:
        rule = "data.pairs is none: give data.pairs auto, a number or a .csv file"
        require(not loss.paired, "loss.paired", loss.paired, rule)
        name = "discriminator.conditional"
        require(not discriminator.conditional, name, discriminator.conditional, rule)
    rule = "nothing uses the pairs: give loss.paired a weight, or discriminator.conditional true"
    used = discriminator.conditional or any(loss.paired_weights(data.has_pairs))
    require(used or not data.has_pairs, "data.pairs", data.pairs, rule)
    rule = "a conditional discriminator sees pairs only: leave data.pairs_share out"
    all_paired = data.pairs_share in (None, 1) or not discriminator.conditional
    require(all_paired, "data.pairs_share", data.pairs_share, rule)
    semantic = loss.semantic_weight if loss.semantic else 0.0
    terms = (("self_x", loss.self_x), ("self_y", loss.self_y), ("semantic", semantic))
    for name, weight in terms:
        same = data.may_have_same_channels
        rule = (
            f"data.channels_x is {data.channels_x} and data.channels_y {data.channels_y}: an image "
            "cannot be compared with its translation"
        )
        require(same or not weight, f"loss.{name}", weight, rule)
