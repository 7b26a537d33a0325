"""A training of the official pix2pix becomes a run directory that goes on with it.

Official is junyanz/pytorch-CycleGAN-and-pix2pix; the method is that of Isola et al. 2017.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from cyclegan_tf.convert.pytorch import folder, recognize, training_options
from cyclegan_tf.convert.pytorch.layout import ArchitectureSpec
from cyclegan_tf.convert.task import Task, log_notes
from cyclegan_tf.convert.to_keras import experiment_of, read_network, write_run
from cyclegan_tf.errors import UserError

_USUAL = {
    "data.source": "demo:paired",
    "data.pairs": "auto",
    "generator.dropout": True,
    "loss.gan_mode": "vanilla",
    "loss.paired": 100.0,
    "loss.identity": 0.0,
    "training.pool_size_images": 0,
}
"""What the official pix2pix does where neither its train_opt.txt nor an option says otherwise."""


def pix2pix_to_run(task: Task) -> None:
    """Converts a folder of `G` and `D` to a run directory at step 0.

    A of the pairs is X and B is Y; of a training BtoA the generator is that of Y to X. The other
    generator is none of theirs, and no term trains it.

    Raises:
      UserError: the two do not belong together, or D does not see the input.
    """
    options = training_options.read(task.source)
    b_to_a = options is not None and options.is_b_to_a
    found = {}
    for name, path in folder.find_one_direction(task.source, task.arguments.epoch).items():
        architecture = task.arguments.architecture if name == "G" else "auto"
        found[name] = read_network(task, path, architecture)
    g, d = found["G"][0], found["D"][0]
    task = _with_usual_options(task)
    experiment = experiment_of(task, _fields(task, g, d, b_to_a), options)
    log_notes(recognize.conversion_notes(dataclasses.replace(g, dropout=None)))
    if b_to_a:
        log_notes(["the direction was BtoA, where A is trainA: G is from Y to X here"])
    log_notes(["they update D before G in each step, here G comes first"])
    ours = ("generator_yx", "discriminator_x") if b_to_a else ("generator_xy", "discriminator_y")
    write_run(task, experiment, dict(zip(ours, (found["G"], found["D"]), strict=True)))


def _with_usual_options(task: Task) -> Task:
    arguments = task.arguments.clone()
    for name, value in _USUAL.items():
        if not task.is_given(f"--{name}"):
            arguments[name] = value
    return dataclasses.replace(task, arguments=arguments)


def _fields(
    task: Task, g: ArchitectureSpec, d: ArchitectureSpec, b_to_a: bool
) -> dict[str, dict[str, Any]]:
    """What the two networks and the method decide, by section."""
    if not g.is_generator or d.is_generator:
        raise UserError(
            f"{task.source} should hold a generator G and a discriminator D, but G is "
            f"{recognize.describe(g)} and D is {recognize.describe(d)}.",
            code="mismatch",
            field=str(task.source),
        )
    if d.input_channels != g.input_channels + g.output_channels:
        raise UserError(
            f"{task.source}: D takes {d.input_channels} channels, and not the "
            f"{g.input_channels} + {g.output_channels} of an input beside its translation, as "
            "pix2pix's does; give a target that ends in .keras, to take the generator alone.",
            code="unsupported",
            field=str(task.source),
        )
    common = ("architecture", "filters", "norm", "norm_affine")
    generator = {name: getattr(g, name) for name in (*common, "blocks")}
    generator["upsampling"] = "antialiased" if g.antialiased else "transposed"
    if g.dropout is not None:
        generator["dropout"] = g.dropout
    discriminator = {name: getattr(d, name) for name in common} | {"conditional": True}
    if d.n_layers is not None:
        discriminator["n_layers"] = d.n_layers
    idle = "y" if b_to_a else "x"
    channels = (g.input_channels, g.output_channels)
    x, y = reversed(channels) if b_to_a else channels
    return {
        "generator": generator,
        "discriminator": discriminator,
        "data": {"channels_x": x, "channels_y": y},
        "loss": {f"adversarial_{idle}": 0.0, "cycle_x": 0.0, "cycle_y": 0.0},
    }
