"""A sentence beside every curve."""

from __future__ import annotations

import re

from cyclegan_tf.evaluate.report import wording

_LOSSES = {
    "adversarial": "How far the generator is from fooling the discriminator of this domain.",
    "cycle": "Mean absolute difference of an image and its translation there and back.",
    "identity": "Mean absolute difference of an image and its translation into its own domain.",
    "paired": "Mean absolute difference of a translation from the true image, over partners.",
    "semantic": "Difference of what loss.semantic's network says of an image and its translation.",
    "self": "Mean absolute difference of an image and its translation.",
    "discriminator": "The discriminator's loss on real images and fakes, not halved.",
    "gradient_penalty": "Mean of (|gradient of D| - 1)^2 between real images and fakes.",
    "accuracy_real": "Share of real patches that the discriminator takes for real.",
    "accuracy_fake": "Share of fake patches that it takes for fake.",
    "gradient_norm": "Norm of the whole gradient, the scale of the loss taken off.",
    "learning_rate": "Rate of both optimizers.",
}
_SPEEDS = {
    "steps_per_second": "Training steps per second since the point before.",
    "scoring_seconds": "Seconds that scoring the test split took.",
}
_TURNED = {"G": "F", "F": "G", "x": "y", "y": "x"}
"""Sentences on scores are of G, from X to Y."""


def meaning(tag: str) -> str:
    """Describe a curve.

    Args:
      tag: "loss/cycle_x", "score/swd_xy", "speed/steps_per_second".

    Returns:
      A sentence or two; "" for a tag that is not known. Losses are unweighted.
    """
    kind, _, name = tag.partition("/")
    if kind == "score":
        return _of_score(name)
    if kind == "speed":
        return _SPEEDS.get(name, "")
    return next((text for start, text in _LOSSES.items() if name.startswith(start)), "")


def _of_score(name: str) -> str:
    score, _, direction = name.rpartition("_")
    if score not in wording.SCORES:
        return ""
    known = wording.SCORES[score]
    better = f" {known.better.capitalize()} is better." if known.better else ""
    if direction == "xy":
        return f"Of G, X to Y: {known.meaning}{better}"
    turned = re.sub(r"\b[GFxy]\b", lambda letter: _TURNED[letter[0]], known.meaning)
    return f"Of F, Y to X: {turned}{better}"
