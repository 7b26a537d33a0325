"""Training steps of the twin of the authors' networks, recorded as `authors_recorder` does it.

Written anew from the paper's losses: a least-squares GAN, cycles, identity at half the cycles'
weight, one Adam for each pair.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn.functional import l1_loss, mse_loss


def record(networks, lambda_a, lambda_b, rate, size=16):
    """Train for two steps, after one test.

    Args:
      networks: of `official_torch.four_networks`.
      lambda_a: weight of the cycle from A.
      lambda_b: weight of the cycle from B.
      rate: of Adam.
      size: side of the images.

    Returns:
      The records of the test and of the training.
    """
    random = np.random.default_rng(7)
    tested: dict[str, np.ndarray] = {}
    trained: dict[str, np.ndarray] = {}
    with torch.no_grad():
        _keep(tested, 0, _images(networks, *_noise(random, size)))
    for network in networks.values():
        network.train()
    pairs = {kind: [networks[f"{kind}_A"], networks[f"{kind}_B"]] for kind in "GD"}
    adams = {
        kind: torch.optim.Adam((p for n in pair for p in n.parameters()), rate, (0.5, 0.999))
        for kind, pair in pairs.items()
    }
    for step in range(2):
        images = _images(networks, *_noise(random, size))
        found = _generator_losses(networks, images, {"A": lambda_a, "B": lambda_b})
        _update(adams, "G", found)
        of_discriminators = _discriminator_losses(networks, images)
        _update(adams, "D", of_discriminators)
        _keep(trained, step, images)
        trained |= {
            f"{step}/loss_{n}": v.detach().numpy()
            for n, v in {**found, **of_discriminators}.items()
        }
    return tested, trained


def _noise(random, size):
    return [torch.from_numpy(random.uniform(-1, 1, (1, 3, size, size)).astype("f")) for _ in "AB"]


def _images(networks, real_a, real_b):
    images = {"real_A": real_a, "real_B": real_b}
    for real, fake in ("AB", "BA"):
        images[f"fake_{fake}"] = networks[f"G_{real}"](images[f"real_{real}"])
        images[f"rec_{real}"] = networks[f"G_{fake}"](images[f"fake_{fake}"])
    return images


def _generator_losses(networks, images, weights):
    losses = {}
    for a, b in ("AB", "BA"):
        real, weight = images[f"real_{b}"], weights[b] / 2
        logits = networks[f"D_{a}"](images[f"fake_{b}"])
        losses[f"idt_{a}"] = l1_loss(networks[f"G_{a}"](real), real) * weight
        losses[f"G_{a}"] = mse_loss(logits, torch.ones_like(logits))
        losses[f"cycle_{a}"] = l1_loss(images[f"rec_{a}"], images[f"real_{a}"]) * weights[a]
    return losses


def _discriminator_losses(networks, images):
    losses = {}
    for a, b in ("AB", "BA"):
        real, fake = (networks[f"D_{a}"](images[f"{k}_{b}"].detach()) for k in ("real", "fake"))
        losses[f"D_{a}"] = (real.sub(1).square().mean() + fake.square().mean()) / 2
    return losses


def _update(adams, kind, losses):
    for adam in adams.values():
        adam.zero_grad()
    sum(losses.values()).backward()
    adams[kind].step()


def _keep(found, number, images):
    for name, image in images.items():
        found[f"{number}/{name}"] = image.detach().numpy().transpose(0, 2, 3, 1).copy()
