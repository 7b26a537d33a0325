"""Do the contenders compute the same thing? A faster wrong step does not count.

The same weights go into ours, PyTorch and the plain Keras version; then the parameter counts, every
loss term of the first step and the weights after it must agree, in float32. Losses alone would not
do: PyTorch's own instance normalization gives right ones with wrong gradients for one image in
channels last.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.speed.jobs import Job

LOSS_TOLERANCE = 1e-4  # relative
NORM_TOLERANCE = 1e-3  # relative, of the gradients' norms
# Adam's first step is the rate times the gradient's sign, so a gradient lost in rounding may step
# either way: not every single weight can agree, but their steps as a whole must. At full width 0.05
# to 0.12 was seen, which is a sign in 300 at most; PyTorch's own gradients for one image in
# channels last (see `FixedInstanceNorm`) give 1.3.
STEP_TOLERANCE = 0.2  # root mean square of the difference over root mean square of the step
TERMS = [
    f"{name}_{domain}"
    for name in ("adversarial", "cycle", "identity", "discriminator")
    for domain in "xy"
]
NETWORKS = ("generator_xy", "generator_yx", "discriminator_x", "discriminator_y")


class DisagreementError(Exception):
    """Two contenders do not compute the same thing; the message says where."""


def to_torch_order(kernel: np.ndarray) -> np.ndarray:
    """Kernel (H, W, in, out) -> (out, in, H, W); transposed (H, W, out, in) -> (in, out, H, W)."""
    return np.transpose(kernel, (3, 2, 0, 1))


def compare_numbers(
    what: str, ours: dict[str, float], theirs: dict[str, float], tolerance: float
) -> float:
    """The largest relative difference.

    Args:
      what: is compared, for the message.
      ours: numbers by name.
      theirs: alike.
      tolerance: largest relative difference allowed.

    Raises:
      DisagreementError: it is above the tolerance.
    """
    differences = {
        name: abs(ours[name] - theirs[name]) / max(abs(theirs[name]), 1e-12) for name in theirs
    }
    worst = max(differences, key=differences.__getitem__)
    if not differences[worst] <= tolerance:
        raise DisagreementError(
            f"{what} disagree: {worst} is {ours[worst]:.8g} in one, {theirs[worst]:.8g} in the "
            f"other (relative difference {differences[worst]:.2g}, at most {tolerance:g} allowed)"
        )
    return differences[worst]


def compare_steps(
    what: str, before: list[np.ndarray], ours: list[np.ndarray], theirs: list[np.ndarray]
) -> float:
    """How far two sets of weights lie apart after a step, as a share of the step; kernels only.

    A bias ahead of instance normalization has no gradient but rounding errors, so biases are left
    out.

    Args:
      what: is compared, for the message.
      before: weights before the step.
      ours: weights after it, in the same order.
      theirs: alike.

    Raises:
      DisagreementError: the share is above `STEP_TOLERANCE`.
    """
    kernels = [arrays for arrays in zip(before, ours, theirs, strict=True) if arrays[0].ndim == 4]
    apart = sum(float(np.sum((a - b) ** 2, dtype=np.float64)) for _, a, b in kernels)
    moved = sum(float(np.sum((a - start) ** 2, dtype=np.float64)) for start, a, _ in kernels)
    share = (apart / moved) ** 0.5 if moved else float("inf")
    if not share <= STEP_TOLERANCE:
        raise DisagreementError(
            f"{what}: the weights after one Adam step differ by {share:.2g} of the step (at most "
            f"{STEP_TOLERANCE:g})"
        )
    return share


def check(job: Job, batches: Sequence[int] = (1, 2)) -> dict:
    """Run one step of each contender from the same weights; return what was compared.

    Args:
      job: size and widths.
      batches: images at once; one and two take different kernels in every memory layout.

    Raises:
      DisagreementError: says which number differs.
    """
    report: dict = {
        "size_px": job.size_px,
        "loss_tolerance": LOSS_TOLERANCE,
        "step_tolerance": STEP_TOLERANCE,
    }
    for batch in batches:
        found = _check_batch(dataclasses.replace(job, batch=batch))
        report["parameters"] = found.pop("parameters")
        for name, differences in found.items():
            worst = report.setdefault(name, dict.fromkeys(differences, 0.0))
            worst.update({kind: max(worst[kind], value) for kind, value in differences.items()})
    return report


def _check_batch(job: Job) -> dict:
    from benchmarks.peers import ours  # which sets TensorFlow's environment

    model = ours.build(job)
    # Early on the discriminators' gradients outweigh all others, so the weights of the terms would
    # hardly show in a step.
    compare_numbers("weights of the loss terms", ours.loss_weights(model), _loss_weights(), 0.0)
    weights = {name: getattr(model, name).get_weights() for name in NETWORKS}
    counts = {name: sum(array.size for array in arrays) for name, arrays in weights.items()}
    report: dict = {
        "parameters": {
            "generator": counts["generator_xy"],
            "discriminator": counts["discriminator_x"],
        }
    }
    terms = ours.stepper(model, job)()
    others: list[tuple[str, Callable[..., Outcome], str]] = [
        ("torch nchw", _torch_step, "nchw"),
        ("torch nhwc", _torch_step, "nhwc"),
        ("keras", _keras_step, "nhwc"),
    ]
    for name, take_step, layout in others:
        their_counts, their_terms, their_weights = take_step(
            dataclasses.replace(job, layout=layout), weights
        )
        if their_counts != counts:
            raise DisagreementError(
                f"parameter counts disagree: ours {counts}, {name} {their_counts}"
            )
        what = f"ours and {name} at batch {job.batch}"
        norms = {
            key: their_terms.pop(key)
            for key in list(their_terms)
            if key.startswith("gradient_norm")
        }
        loss = compare_numbers(f"losses of {what}", terms, their_terms, LOSS_TOLERANCE)
        if norms:
            compare_numbers(f"gradients of {what}", terms, norms, NORM_TOLERANCE)
        steps = [
            compare_steps(
                f"{network}, {what}", weights[network], getattr(model, network).get_weights(), after
            )
            for network, after in their_weights.items()
        ]
        report[name] = {"worst_loss_difference": loss, "worst_step_difference": max(steps)}
    return report


Outcome = tuple[dict[str, int], dict[str, float], dict[str, list[np.ndarray]]]


def _loss_weights() -> dict[str, float]:
    """Of PyTorch and plain Keras, which must be the same."""
    from benchmarks.peers import keras_tutorial, torch_cyclegan

    torch_weights, keras_weights = (
        {"cycle": peer.CYCLE_WEIGHT, "identity": peer.IDENTITY_WEIGHT}
        for peer in (torch_cyclegan, keras_tutorial)
    )
    compare_numbers("weights of the loss terms", torch_weights, keras_weights, 0.0)
    return torch_weights


def _torch_step(job: Job, weights: dict[str, list[np.ndarray]]) -> Outcome:
    import torch

    from benchmarks.peers import torch_cyclegan

    training = torch_cyclegan.Training(job)
    networks = dict(zip(NETWORKS, training.networks, strict=True))
    with torch.no_grad():
        for name, network in networks.items():
            for parameter, array in zip(network.parameters(), weights[name], strict=True):
                parameter.copy_(
                    torch.from_numpy(to_torch_order(array) if array.ndim == 4 else array)
                )
    counts = {
        name: sum(parameter.numel() for parameter in network.parameters())
        for name, network in networks.items()
    }
    terms = torch_cyclegan.stepper(training, job)()
    for name, pair in (
        ("generators", training.networks[:2]),
        ("discriminators", training.networks[2:]),
    ):
        parameters = [parameter for network in pair for parameter in network.parameters()]
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        terms[f"gradient_norm_{name}"] = torch.nn.utils.get_total_norm(gradients).item()
    after = {
        name: [
            parameter.detach().numpy()
            if parameter.ndim != 4
            else parameter.detach().permute(2, 3, 1, 0).numpy()
            for parameter in network.parameters()
        ]
        for name, network in networks.items()
    }
    return counts, terms, after


def _keras_step(job: Job, weights: dict[str, list[np.ndarray]]) -> Outcome:
    from benchmarks.peers import keras_tutorial

    model = keras_tutorial.build(job)
    networks = dict(zip(NETWORKS, (model.g, model.f, model.d_x, model.d_y), strict=True))
    for name, network in networks.items():
        network.set_weights(weights[name])
    counts = {name: network.count_params() for name, network in networks.items()}
    terms = keras_tutorial.stepper(model, job)()
    return counts, terms, {name: network.get_weights() for name, network in networks.items()}
