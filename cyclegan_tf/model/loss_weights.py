"""Weights of the loss terms: the paper's, the caller's laid over them, and the weighted sum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

# Zhu et al. 2017, sec. 4 and 5.2: lambda = 10 in each direction, identity 0.5 lambda.
PAPER_LOSS_WEIGHTS = {
    "adversarial_x": 1.0,
    "adversarial_y": 1.0,
    "cycle_x": 10.0,
    "cycle_y": 10.0,
    "identity_x": 5.0,
    "identity_y": 5.0,
}
# Those of SimGAN (Shrivastava et al. 2017, eq. 3) and pix2pix (Isola et al. 2017, eq. 4), and
# what a frozen network says (as in CyCADA, Hoffman et al. 2018, eq. 3).
# Those that a translation by G has, and by F.
TERMS_OF_G = ("self_x", "paired_y", "semantic_x")
TERMS_OF_F = ("self_y", "paired_x", "semantic_y")
OTHER_TERMS = (*TERMS_OF_G, *TERMS_OF_F)
# Discriminators learn at half the generators' pace (sec. 4, "we divide the objective by 2").
DISCRIMINATOR_LOSS_WEIGHT = 0.5


def complete_weights(given: Mapping[str, float]) -> dict[str, float]:
    """Returns a weight for each term: the given ones, else the paper's.

    Raises:
      ValueError: an unknown term or a negative weight.
    """
    known = sorted((*PAPER_LOSS_WEIGHTS, *OTHER_TERMS))
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise ValueError(f"Unknown loss terms {unknown}; known are {known}.")
    weights = {**PAPER_LOSS_WEIGHTS, **given}
    if min(weights.values()) < 0:
        raise ValueError(f"Loss weights must not be negative, got {weights}.")
    return weights


def idle_generators(weights: Mapping[str, float]) -> set[str]:
    """Returns the directions, "xy" and "yx", whose generator no term reaches."""
    both = ("cycle_x", "cycle_y")
    reaching = {
        "xy": ("adversarial_y", "identity_y", *TERMS_OF_G, *both),
        "yx": ("adversarial_x", "identity_x", *TERMS_OF_F, *both),
    }
    return {way for way, terms in reaching.items() if not any(weights.get(t) for t in terms)}


def weighted_sum(
    terms: Mapping[str, tf.Tensor], weights: Mapping[str, float], gradient_penalty: float
) -> tf.Tensor:
    """Sums a step's terms: the one place where weights are applied.

    Args:
      terms: float32 scalars by name, of the generators or of the discriminators.
      weights: of the generators' terms, by name.
      gradient_penalty: weight of the penalty beside a discriminator's loss.
    """

    def weight(name: str) -> float:
        if name.startswith("gradient_penalty"):
            return DISCRIMINATOR_LOSS_WEIGHT * gradient_penalty
        return DISCRIMINATOR_LOSS_WEIGHT if name.startswith("discriminator") else weights[name]

    return tf.add_n([weight(name) * value for name, value in terms.items()])


def loss_terms(values: Mapping[str, tf.Tensor], weights: Mapping[str, float]) -> dict[str, Any]:
    """Returns those of a step's values that are terms of a loss: no accuracies, no norms."""
    discriminators = ("discriminator_", "gradient_penalty_")
    return {k: v for k, v in values.items() if k in weights or k.startswith(discriminators)}
