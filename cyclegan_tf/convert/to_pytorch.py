"""Networks of ours become files of the official PyTorch code.

That is junyanz/pytorch-CycleGAN-and-pix2pix.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from cyclegan_tf.atomic import atomic_directory
from cyclegan_tf.convert.pytorch import files, folder, recognize
from cyclegan_tf.convert.pytorch.layout import ArchitectureSpec
from cyclegan_tf.convert.task import Task, log_line, log_notes, log_recognized
from cyclegan_tf.runs.run_directory import RunDirectory

if TYPE_CHECKING:
    import keras
    import numpy as np

    Arrays = Mapping[str, np.ndarray]


def to_pytorch(task: Task) -> None:
    """Converts a run or a `.keras` file to official `.pth` files."""
    from cyclegan_tf.convert.pytorch import networks

    converted: dict[str, tuple[ArchitectureSpec, Arrays]] = {}
    for attribute, (network, source) in _networks(task).items():
        converted[attribute] = networks.to_state_dict(network, source)
        log_recognized(source, *converted[attribute])
    specs = [spec for spec, _ in converted.values()]
    log_notes(note for spec in specs for note in recognize.notes_for_official_code(spec))
    single = task.target.suffix == ".pth"
    if single:
        ((_, arrays),) = converted.values()
        files.write_state_dict(task.target, arrays)
    else:
        with atomic_directory(task.target, task.arguments.overwrite) as partial:
            for attribute, (_, arrays) in converted.items():
                name = folder.file_name(attribute, task.arguments.epoch)
                files.write_state_dict(partial / name, arrays)
    command = (
        "in the official PyTorch code: python test.py --model "
        f"{'test' if single else 'cycle_gan'} {recognize.official_options(specs[0])}"
    )
    official = specs[0].is_generator and not specs[0].antialiased
    task.log_written(*[command] * official)


def _networks(task: Task) -> dict[str, tuple[keras.Model, str]]:
    """The networks to convert by our names, and for messages where each comes from."""
    from cyclegan_tf import assembly
    from cyclegan_tf.runs import generators, state

    one = f"generator_{task.arguments.direction}"
    if task.source.is_file():
        return {one: generators.load_generator(task.source, task.arguments.direction, "float32")}
    run = RunDirectory(task.source)
    experiment = run.experiment()
    chosen = generators.open_checkpoint(run, task.arguments.checkpoint)
    log_line("checkpoint", chosen.origin)
    held = {name.split("/", 1)[0] for name in chosen.arrays}
    found = {}
    for attribute in [one] if task.target.suffix == ".pth" else folder.OFFICIAL_NAMES:
        if attribute not in held:
            official = folder.OFFICIAL_NAMES[attribute]
            log_line("note", f"{official} is left out: this checkpoint holds no {attribute}")
            continue
        kind, which = attribute.split("_")
        build = assembly.build_generator if kind == "generator" else assembly.build_discriminator
        network = build(experiment, which)
        state.restore(state.network_variables(network, attribute), chosen.arrays, chosen.path)
        found[attribute] = (network, f"{attribute} of {task.source}")
    return found
