"""What goes wrong in training, seen from its numbers, and what to try.

Pure logic, without images or networks. G translates X to Y and F translates Y to X; D_X and D_Y are
the discriminators. A direction is "xy" (G) or "yx" (F).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cyclegan_tf.train.monitoring.choices import LABELS

WINNING_ACCURACY = 0.98
"""Share of patches classified rightly, real and fake alike, from which a discriminator has nothing
left to learn."""

WINNING_ROWS, WINNING_STEPS = 5, 250
"""In a row; both, since a row of the log may be one step."""

FIRST_IMAGES = 500
"""Before so many images were shown, what generators do says nothing: they start by copying and by
giving gray."""

COPY_CHANGE = 0.04
"""Mean absolute change in [-1, 1] below which an output is a copy of its input: 5 of 255."""

COPY_GAIN = 0.8
"""A generator whose outputs are this much nearer to the targets than its inputs needs to change no
more."""

DISTINCT = 1.5
"""Domains differ clearly if they are so many times as far apart as two halves of one of them."""

INVERTED_CORRELATION = -0.3
"""Correlation of the luminance of input and output from which light has become dark."""

EXPLAINED_MEANS = 0.1
"""How much nearer, in [-1, 1], inversion must bring the inputs' mean luminance to the targets'."""

COLLAPSED = 0.2
"""Share of the diversity of real images below which outputs are all alike."""


@dataclass(frozen=True)
class DomainStatistics:
    """What is known of the real images of one direction before any translation.

    Attributes:
      input_diversity: `image_quality.diversity` of the inputs; None for fewer than two.
      target_diversity: of real targets.
      distance: sliced Wasserstein distance of inputs to targets, colors included; None where
        channels differ.
      within_distance: the same distance between two halves of the targets.
      input_luminance: mean over all inputs, in [-1, 1].
      target_luminance: of real targets.
      truth_correlation: mean correlation of the luminance of inputs and their true translations;
        None without pairs.

    Example:
      >>> statistics = domain_statistics(split, "xy")
      >>> diagnostics.after_scores("xy", scores, statistics, images=1000)
    """

    input_diversity: float | None
    target_diversity: float | None
    distance: float | None
    within_distance: float | None
    input_luminance: float
    target_luminance: float
    truth_correlation: float | None = None


@dataclass(frozen=True)
class Diagnosis:
    """One thing that went wrong.

    Attributes:
      kind: which; with the domain or direction, such as "collapse_xy".
      text: a description, with what to try.

    Example:
      >>> for diagnosis in Diagnostics().after_row(step, values):
      ...     print(diagnosis.kind, diagnosis.text)
    """

    kind: str
    text: str


class Diagnostics:
    """Reports each problem once, and again only after it went away.

    Args:
      critic: the discriminators are Wasserstein critics, which are meant to win.
      labels: what the directions are called, "apples to oranges".

    Example:
      >>> diagnostics = Diagnostics()
      >>> for diagnosis in diagnostics.after_row(step, values):
      ...     log.warning(diagnosis.text)
    """

    def __init__(self, critic: bool = False, labels: Mapping[str, str] = LABELS) -> None:
        self._critic, self._labels = critic, labels
        self._active: set[str] = set()
        self._winning: dict[str, list[int]] = {}

    def after_row(self, step: int, values: Mapping[str, float]) -> list[Diagnosis]:
        """Looks at one row of the training log.

        Args:
          step: of the row.
          values: names as in `CycleGAN.metric_names`; accuracies are looked at.
        """
        found = []
        for domain in "xy":
            accuracies = [values.get(f"accuracy_{kind}_{domain}") for kind in ("real", "fake")]
            if self._critic or None in accuracies:
                continue
            if min(a for a in accuracies if a is not None) < WINNING_ACCURACY:
                self._winning.pop(domain, None)
            else:
                rows, since = self._winning.get(domain, [0, step])
                self._winning[domain] = [rows + 1, since]
            rows, since = self._winning.get(domain, [0, step])
            won = rows >= WINNING_ROWS and step - since >= WINNING_STEPS
            found += self._report(
                f"discriminator_wins_{domain}", won, _winner(domain, step - since)
            )
        return found

    def after_scores(
        self,
        direction: str,
        scores: Mapping[str, float | None],
        domains: DomainStatistics,
        images: int,
    ) -> list[Diagnosis]:
        """Looks at the scores of one generator.

        Args:
          direction: "xy" or "yx".
          scores: means by name, as `evaluate.scores.measure` gives them, and "color_swd", of
            outputs to targets as `DomainStatistics.distance` is of inputs.
          domains: the real images of that direction.
          images: of each domain so far.
        """
        if images < FIRST_IMAGES:
            return []
        found = []
        for kind, wrong, text in _looks(direction, scores, domains, self._labels[direction]):
            found += self._report(f"{kind}_{direction}", wrong, text)
        return found

    def _report(self, kind: str, wrong: bool, text: str) -> list[Diagnosis]:
        if not wrong:
            self._active.discard(kind)
            return []
        if kind in self._active:
            return []
        self._active.add(kind)
        return [Diagnosis(kind, text)]

    def is_over(self, kind: str) -> bool:
        """Tell whether a problem went away; one of the images never does."""
        return kind.endswith(("_x", "_y", "_xy", "_yx")) and kind not in self._active

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training must know, ready for JSON."""
        return {"active": sorted(self._active), "winning": self._winning}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Inverse of `state_dict`."""
        # early checkpoints spell one of them so
        self._active = {kind.replace("colours_", "colors_") for kind in state["active"]}
        self._winning = {domain: list(streak) for domain, streak in state["winning"].items()}


def dark_images(shares: Mapping[str, float]) -> list[Diagnosis]:
    """The warning of deep images that use little of their range; domain -> share of it."""
    if not shares:
        return []
    used = " and ".join(f"those of {domain} {share:.1%}" for domain, share in shares.items())
    return [
        Diagnosis(
            "dark_images",
            f"images use little of the range of their type ({used}), so the networks see nearly "
            "one shade: 12 bits in 16, say. Train anew with "
            f"{' and '.join(f'--data.range_{domain.lower()} auto' for domain in shares)}, which "
            "spreads the numbers that there are (docs/guides/scientific.md).",
        )
    ]


def flat_images(names: list[str]) -> list[Diagnosis]:
    """The warning of images of one color among those that are translated."""
    if not names:
        return []
    return [
        Diagnosis(
            "flat_images",
            f"{_count(names, 'image')} of one color ({_listed(names)}): instance normalization "
            "divides their rounding errors by nearly nothing, so the networks see noise. Leave "
            "them out (python -m cyclegan_tf.check lists all).",
        )
    ]


def leaked_images(names: list[str], scored: int) -> list[Diagnosis]:
    """The warning of test images that are training images too; `scored` of them are scored."""
    if not names:
        return []
    return [
        Diagnosis(
            "leaked_test_split",
            f"{_count(names, 'test image')} in the training split too ({_listed(names)}), {scored} "
            "of them among those that are scored: scores on images the networks were trained on "
            "say nothing of new ones, and the best checkpoint may be the one that learned them by "
            "heart. Take them out of one split.",
        )
    ]


def _count(names: list[str], what: str) -> str:
    return f"{len(names)} {what} is" if len(names) == 1 else f"{len(names)} {what}s are"


def _listed(names: list[str], shown: int = 8) -> str:
    return ", ".join(names[:shown]) + (
        f" and {len(names) - shown} more" if len(names) > shown else ""
    )


def _looks(
    direction: str, scores: Mapping[str, float | None], domains: DomainStatistics, label: str
) -> Iterator[tuple[str, bool, str]]:
    """Kind, whether it is so, and the description; an unknown score raises no warning."""
    g, x, y = ("G", "X", "Y") if direction == "xy" else ("F", "Y", "X")
    who = f"{g} ({label})"
    change, distance = scores.get("change"), scores.get("color_swd")
    copies = (
        None not in (change, distance, domains.distance, domains.within_distance)
        and change < COPY_CHANGE  # type: ignore[operator]
        and domains.distance > DISTINCT * domains.within_distance  # type: ignore[operator]
        and distance > COPY_GAIN * domains.distance  # type: ignore[operator]
    )
    yield (
        "copies_input",
        copies,
        f"{who} copies its input: outputs differ from it by {_number(change)} on a scale of 2, "
        "while the domains differ clearly. Lower --loss.identity (0 switches it off) or the cycle "
        f"weights, raise --loss.adversarial_{y.lower()}, or train longer.",
    )
    correlation = scores.get("luminance_correlation")
    yield (
        "colors_inverted",
        correlation is not None
        and correlation < INVERTED_CORRELATION
        and not _inversion_explained(domains),
        f"{who} inverts light and dark: the luminance of output and input has the correlation "
        f"{_number(correlation)}, and nothing in the domains asks for it. G and F can agree on a "
        "negative without the cycle loss noticing. Turn the identity loss on (--loss.identity "
        "0.5), or start again with another --training.seed.",
    )
    variety = scores.get("variety")
    outputs = (
        None
        if variety is None or domains.target_diversity is None
        else variety * domains.target_diversity
    )
    yield (
        "collapse",
        None not in (outputs, domains.input_diversity)
        and outputs < COLLAPSED * domains.target_diversity  # type: ignore[operator]
        and outputs < COLLAPSED * domains.input_diversity,  # type: ignore[operator]
        f"{who} has collapsed: its outputs are nearly alike whatever goes in ({_number(variety)} "
        f"of the diversity of real images of {y}). Raise --loss.cycle_{x.lower()}, lower "
        "--optimizer.learning_rate, try another --loss.gan_mode or --training.seed, or go back "
        "to an earlier checkpoint.",
    )


def _inversion_explained(domains: DomainStatistics) -> bool:
    """Whether the truth is a negative; without pairs, whether one brings mean luminance nearer."""
    if domains.truth_correlation is not None:
        return domains.truth_correlation < 0
    as_is = abs(domains.input_luminance - domains.target_luminance)
    inverted = abs(-domains.input_luminance - domains.target_luminance)
    return as_is - inverted > EXPLAINED_MEANS


def _winner(domain: str, steps: int) -> str:
    d, g = ("D_Y", "G") if domain == "y" else ("D_X", "F")
    return (
        f"{d} wins: for {steps} steps it has classified at least {WINNING_ACCURACY:.0%} of real "
        f"and translated patches rightly, and {g} learns little from a discriminator it never "
        "fools. "
        "Look whether something else than the content distinguishes the domains (frames, "
        "sharpness, "
        "compression, sizes); else make the discriminator weaker (fewer --discriminator.filters "
        f"or --discriminator.n_layers) or its weight larger (--loss.adversarial_{domain})."
    )


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.2g}"
