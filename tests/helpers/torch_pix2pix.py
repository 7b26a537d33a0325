"""One step of pix2pix in PyTorch, written anew from Isola et al. 2017, eq. 1 to 4.

The log loss, non-saturating for the generator; the discriminator sees input and output, and its
loss is halved; L1. The generator goes first, as in our step.
"""

from __future__ import annotations

import torch
from torch.nn.functional import binary_cross_entropy_with_logits as log_loss
from torch.nn.functional import l1_loss


def step(generator, discriminator, real_x, real_y, paired, rate):
    """Take one plain gradient step of both networks.

    Args:
      generator: X to Y; in training mode, as is the other.
      discriminator: of concat(x, y).
      real_x: float32 (N, H, W, C) arrays of partners.
      real_y: alike.
      paired: weight of L1.
      rate: of both.

    Returns:
      Terms by our names.
    """
    x, y = (torch.from_numpy(a.transpose(0, 3, 1, 2).copy()) for a in (real_x, real_y))

    def judged(image):
        return discriminator(torch.cat([x, image], 1))

    fake = generator(x)
    logits = judged(fake)
    terms = {
        "adversarial_y": log_loss(logits, torch.ones_like(logits)),
        "paired_y": l1_loss(fake, y),
    }
    _descend(generator, terms["adversarial_y"] + paired * terms["paired_y"], rate)
    on_real, on_fake = judged(y), judged(fake.detach())
    terms["discriminator_y"] = log_loss(on_real, torch.ones_like(on_real)) + log_loss(
        on_fake, torch.zeros_like(on_fake)
    )
    _descend(discriminator, terms["discriminator_y"] / 2, rate)
    return {name: float(value.detach()) for name, value in terms.items()}


def _descend(network, loss, rate):
    parameters = list(network.parameters())
    with torch.no_grad():
        for p, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
            p -= rate * g
