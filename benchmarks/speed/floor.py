"""The work that a training step cannot do without, counted in floating-point operations."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Macs:
    """Multiply-accumulates of one image going forward through the networks.

    Attributes:
      generator: one generator, all convolutions.
      generator_first: its first convolution.
      discriminator: one discriminator, all convolutions.
      discriminator_first: its first convolution.
    """

    generator: int
    generator_first: int
    discriminator: int
    discriminator_first: int


def step_flops(macs: Macs, batch: int, identity: bool = True) -> int:
    """Operations (a multiply-accumulate is two) in the convolutions of one CycleGAN step.

    Args:
      macs: of the networks.
      batch: images of each domain.
      identity: whether there is an identity loss.

    Going back through a convolution costs as much as going forward once for its weights and once
    for its input. The input's gradient of a first convolution is wanted only where the image was
    itself generated.
    """
    once, first = macs.generator, macs.generator_first
    # Forward, weights and input of the two cycle halves, whose images are generated: G(F(y)) and
    # F(G(x)).
    generators = 2 * 3 * once
    # G(x) and F(y), and for the identity terms G(y) and F(x): images from the data.
    generators += (4 if identity else 2) * (3 * once - first)
    # The discriminators in the generators' step: forward and back to the fake, without gradients of
    # their weights.
    adversarial = 2 * 2 * macs.discriminator
    # The discriminators' own step: each sees a real image and a fake one, which here is data too.
    discriminators = 4 * (3 * macs.discriminator - macs.discriminator_first)
    return 2 * batch * (generators + adversarial + discriminators)
