"""What the scores of one direction come to, in a sentence or two."""

from __future__ import annotations

import math

from cyclegan_tf.evaluate.report import wording
from cyclegan_tf.evaluate.results import DirectionResult, higher_is_better

# Real images are what these ask for: nobody is expected to beat them.
_OF_SETS = ("swd", "color_swd", "fid", "kid", "fd_lite0", "kid_lite0")
_COMPARED = {"unchanged input": "the unchanged input", "constant": "the best constant image"}
_BEWARE: dict[tuple[bool | None, bool | None], str] = {
    (False, True): "The colors have come nearer, the texture not yet (SWD): train longer, and "
    "choose checkpoints by SWD with color.",
    (True, False): "The texture has come nearer, but a cast of color is left (SWD with color), "
    "which SWD cannot see.",
}


def beats(name: str, value: float | None, other: float | None, baseline: str) -> bool | None:
    """Return whether a score is better than a baseline's, or None where they are not compared.

    Args:
      name: of the score.
      value: the generator's.
      other: the baseline's.
      baseline: its name, as in `wording.BASELINES`.
    """
    is_rival = not (baseline == "random real" and name in _OF_SETS)
    if not is_rival or value is None or other is None or math.isnan(other):
        return None
    if not wording.SCORES[name].better:
        return None
    return value > other if higher_is_better(name) else value < other


def summarize(found: DirectionResult) -> list[str]:
    """Say in how many scores a generator beats doing nothing, and what a disagreement means.

    Args:
      found: with its baselines.

    Returns:
      Sentences; none where nothing can be compared.

    Example:
      >>> summarize(result)[0]
      'Better than the unchanged input in 3 of 4 scores, than the best constant image in 4 of 4.'
    """
    counts = []
    for baseline, words in _COMPARED.items():
        scores = found.baselines.get(baseline, {})
        won = [
            beaten
            for name, value in found.scores.items()
            if (beaten := beats(name, value, scores.get(name), baseline)) is not None
        ]
        if won:
            counts.append(f"than {words} in {sum(won)} of {len(won)} scores")
    if not counts:
        return []
    unchanged = found.baselines.get("unchanged input", {})
    swd, color_swd = (
        beats(name, found.scores.get(name), unchanged.get(name), "unchanged input")
        for name in ("swd", "color_swd")
    )
    beware = _BEWARE.get((swd, color_swd))
    return [f"Better {', '.join(counts)}.", *([beware] if beware else [])]
