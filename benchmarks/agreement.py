"""Do the contenders compute the same thing? A faster wrong step does not count.

The same weights go into ours, PyTorch and the plain Keras version; then the parameter counts, every loss term of
the first step and the weights after it must agree, in float32.
"""

from __future__ import annotations

import numpy as np
from jobs import Job

LOSS_TOLERANCE = 1e-4  # relative
# Adam's first step is the rate times the gradient's sign, so a gradient lost in rounding may step either way: not
# every single weight can agree, but their steps as a whole must. At full width any two of the three contenders
# differ by 0.03 to 0.055, which is a sign in 2,000; an identity weight that is a fifth too small gives above 0.3.
STEP_TOLERANCE = 0.15  # root mean square of the difference over root mean square of the step
TERMS = [f"{name}_{domain}" for name in ("adversarial", "cycle", "identity", "discriminator") for domain in "xy"]
NETWORKS = ("generator_xy", "generator_yx", "discriminator_x", "discriminator_y")


class DisagreementError(Exception):
    """Two contenders do not compute the same thing; the message says where."""


def to_torch_order(kernel: np.ndarray) -> np.ndarray:
    """Kernel of a convolution (H, W, in, out) -> (out, in, H, W); transposed (H, W, out, in) -> (in, out, H, W)."""
    return np.transpose(kernel, (3, 2, 0, 1))


def compare_numbers(what: str, ours: dict[str, float], theirs: dict[str, float], tolerance: float) -> float:
    """The largest relative difference.

    Raises:
      DisagreementError: it is above the tolerance.
    """
    differences = {name: abs(ours[name] - theirs[name]) / max(abs(theirs[name]), 1e-12) for name in theirs}
    worst = max(differences, key=differences.__getitem__)
    if not differences[worst] <= tolerance:
        raise DisagreementError(
            f"{what} disagree: {worst} is {ours[worst]:.8g} for ours, {theirs[worst]:.8g} for the other "
            f"(relative difference {differences[worst]:.2g}, at most {tolerance:g} allowed)"
        )
    return differences[worst]


def compare_steps(what: str, before: list[np.ndarray], ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    """How far two sets of weights lie apart after a step, as a share of the step; kernels only.

    A bias ahead of instance normalization has no gradient but rounding errors, so biases are left out.

    Raises:
      DisagreementError: the share is above `STEP_TOLERANCE`.
    """
    kernels = [arrays for arrays in zip(before, ours, theirs, strict=True) if arrays[0].ndim == 4]
    apart = sum(float(np.sum((a - b) ** 2, dtype=np.float64)) for _, a, b in kernels)
    moved = sum(float(np.sum((a - start) ** 2, dtype=np.float64)) for start, a, _ in kernels)
    share = (apart / moved) ** 0.5 if moved else float("inf")
    if not share <= STEP_TOLERANCE:
        raise DisagreementError(
            f"{what}: the weights after one Adam step differ by {share:.2g} of the step (at most {STEP_TOLERANCE:g})"
        )
    return share


def check(job: Job) -> dict:
    """Runs one step of each contender from the same weights; returns what was compared, for the report.

    Args:
      job: size, batch and widths.

    Raises:
      DisagreementError: says which number differs.
    """
    from peers import ours  # before TensorFlow, whose environment it sets

    model = ours.build(job)
    weights = {name: getattr(model, name).get_weights() for name in NETWORKS}
    report: dict = {"size_px": job.size_px, "loss_tolerance": LOSS_TOLERANCE, "step_tolerance": STEP_TOLERANCE}
    counts = {name: sum(array.size for array in arrays) for name, arrays in weights.items()}
    report["parameters"] = {"generator": counts["generator_xy"], "discriminator": counts["discriminator_x"]}
    peers = {
        "torch": _torch_step(job, weights),
        "keras": _keras_step(job, weights),
    }
    terms = ours.stepper(model, job)()
    for name, (their_counts, their_terms, their_weights) in peers.items():
        if their_counts != counts:
            raise DisagreementError(f"parameter counts disagree: ours {counts}, {name} {their_counts}")
        loss = compare_numbers(f"losses of ours and {name}", terms, their_terms, LOSS_TOLERANCE)
        steps = {
            network: compare_steps(
                f"{network}, ours and {name}", weights[network], getattr(model, network).get_weights(), after
            )
            for network, after in their_weights.items()
        }
        report[name] = {"worst_loss_difference": loss, "worst_step_difference": max(steps.values())}
    report["terms"] = {name: terms[name] for name in TERMS}
    return report


Outcome = tuple[dict[str, int], dict[str, float], dict[str, list[np.ndarray]]]


def _torch_step(job: Job, weights: dict[str, list[np.ndarray]]) -> Outcome:
    import torch
    from peers import torch_cyclegan

    training = torch_cyclegan.Training(job)
    networks = dict(zip(NETWORKS, training.networks, strict=True))
    with torch.no_grad():
        for name, network in networks.items():
            for parameter, array in zip(network.parameters(), weights[name], strict=True):
                parameter.copy_(torch.from_numpy(to_torch_order(array) if array.ndim == 4 else array))
    counts = {name: sum(parameter.numel() for parameter in network.parameters()) for name, network in networks.items()}
    terms = torch_cyclegan.stepper(training, job)()
    after = {
        name: [
            parameter.detach().numpy() if parameter.ndim != 4 else parameter.detach().permute(2, 3, 1, 0).numpy()
            for parameter in network.parameters()
        ]
        for name, network in networks.items()
    }
    return counts, terms, after


def _keras_step(job: Job, weights: dict[str, list[np.ndarray]]) -> Outcome:
    from peers import keras_tutorial

    model = keras_tutorial.build(job)
    networks = dict(zip(NETWORKS, (model.g, model.f, model.d_x, model.d_y), strict=True))
    for name, network in networks.items():
        network.set_weights(weights[name])
    counts = {name: network.count_params() for name, network in networks.items()}
    terms = keras_tutorial.stepper(model, job)()
    return counts, terms, {name: network.get_weights() for name, network in networks.items()}
