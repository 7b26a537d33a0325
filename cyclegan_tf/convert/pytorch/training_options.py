"""The options that the official train.py wrote beside its networks, as fields of an experiment.

Official is junyanz/pytorch-CycleGAN-and-pix2pix. What decides the networks is read off their
weights; here is what weights do not show: the losses, the images' sizes, the rate.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclegan_tf.errors import UserError

if TYPE_CHECKING:
    from cyclegan_tf.images.training_scale import TrainingScale

# The second until 2019.
_FILES = ("train_opt.txt", "opt.txt")
_LINE = re.compile(r"\s*(\w+): (.*?)\s*(?:\t?\[default: .*\]\s*)?")
_END = re.compile(r"-+ End -+\s*")

_FORMER = {
    "batchSize": "batch_size",
    "fineSize": "crop_size",
    "identity": "lambda_identity",
    "loadSize": "load_size",
    "niter": "n_epochs",
    "niter_decay": "n_epochs_decay",
    "resize_or_crop": "preprocess",
    "which_direction": "direction",
}


def _not(text: str) -> bool:
    return {"True": False, "False": True}[text]


def _one_of(*allowed: str) -> Callable[[str], str]:
    return lambda text: {value: value for value in allowed}[text]


_PLAIN: dict[str, tuple[str, Callable[[str], Any]]] = {
    "gan_mode": ("loss.gan_mode", _one_of("lsgan", "vanilla", "wgangp")),
    "lambda_A": ("loss.cycle_x", float),
    "lambda_B": ("loss.cycle_y", float),
    "lambda_identity": ("loss.identity", float),
    "lambda_L1": ("loss.paired", float),
    "lr": ("optimizer.learning_rate", float),
    "beta1": ("optimizer.beta_1", float),
    "n_epochs": ("training.constant_epochs", int),
    "n_epochs_decay": ("training.decay_epochs", int),
    "pool_size": ("training.pool_size_images", int),
    "preprocess": (
        "data.preprocess",
        _one_of("resize_and_crop", "scale_width_and_crop", "crop", "scale_width", "none"),
    ),
    "load_size": ("data.load_size_px", int),
    "crop_size": ("data.crop_size_px", int),
    "batch_size": ("data.batch_size", int),
    "no_flip": ("data.flip", _not),
    "no_dropout": ("generator.dropout", _not),
}
_POLICY = _one_of("linear", "lambda", "step", "cosine", "plateau")
# What changes a training, has no counterpart here, and what it is where it changes nothing.
_NOT_CARRIED = {
    "dataset_mode": "unaligned",
    "model": "cycle_gan",
    "serial_batches": "False",
    "max_dataset_size": "inf",
}

# The same of pix2pix, which shows pairs.
_PIX2PIX = {"dataset_mode": "aligned", "model": "pix2pix"}

OF_B_TO_A = "the direction was BtoA, where A is trainB: G_B is from X to Y here"
"""What is said of a whole training in this direction."""


@dataclass(frozen=True)
class TrainingOptions:
    """What a train_opt.txt says of a training.

    Attributes:
      path: of the file.
      is_b_to_a: whether the official A of this training is the folder trainB, so Y here.
      fields: value by "section.field" of the experiment.
      notes: what is otherwise here than there, a sentence each.

    Example:
      >>> options = read(Path("checkpoints/horse2zebra"))
      >>> options.fields["loss.gan_mode"]
      'lsgan'
    """

    path: Path
    is_b_to_a: bool
    fields: Mapping[str, Any]
    notes: tuple[str, ...]

    @property
    def training_scale(self) -> TrainingScale:
        """The scale of the training; what the file leaves out is as the official code has it."""
        official = {"preprocess": "resize_and_crop", "load_size_px": 286, "crop_size_px": 256}
        given = (self.fields.get(f"data.{name}", usual) for name, usual in official.items())
        from cyclegan_tf.images.training_scale import TrainingScale

        return TrainingScale.of(*given)


def read(folder: Path) -> TrainingOptions | None:
    """Reads the file of options in a folder of official checkpoints; None without one.

    Raises:
      UserError: it cannot be read, or a value in it is none of its kind.
    """
    path = next((folder / name for name in _FILES if (folder / name).is_file()), None)
    if path is None:
        return None
    options = _parsed(path)
    fields = {
        field: _value(path, name, options[name], convert)
        for name, (field, convert) in _PLAIN.items()
        if name in options
    }
    is_pix2pix = options.get("model") == _PIX2PIX["model"]
    if is_pix2pix:
        fields["data.pairs"] = "auto"
    else:
        fields.pop("loss.paired", None)  # what CUT and the like may say of it is another term's
    notes = [
        f"{name} {options[name]} of {path.name} has no counterpart here and is left out"
        for name, usual in (_NOT_CARRIED | (_PIX2PIX if is_pix2pix else {})).items()
        if options.get(name, usual) != usual
    ]
    is_b_to_a = options.get("direction") == "BtoA"
    if is_b_to_a:
        _swap_domains(fields)
    _adapt_loss(options, fields, notes)
    _adapt_schedule(path, options, fields, notes)
    _adapt_pool(fields, notes)
    return TrainingOptions(path, is_b_to_a, fields, tuple(notes))


def _parsed(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); fix that, or move it away to convert "
            "without it.",
            code="unreadable",
            field=str(path),
        ) from error
    if not any(map(_END.fullmatch, lines)):
        raise UserError(
            f"{path} is cut off or no file of options: its last line, which says End, is missing; "
            "bring it back, or move it away to convert without it.",
            code="unreadable",
            field=str(path),
        )
    pairs = [match.groups() for line in lines if (match := _LINE.fullmatch(line))]
    return {_FORMER.get(name, name): value for name, value in pairs}


def _value(path: Path, name: str, text: str, convert: Callable[[str], Any]) -> Any:
    try:
        return convert(text)
    except (ValueError, KeyError) as error:
        raise UserError(
            f"{path} says {name}: {text[:100]}, which is none of its values; mend that line, or "
            "move the file away to convert without it.",
            code="unreadable",
            field=str(path),
        ) from error


def _swap_domains(fields: dict[str, Any]) -> None:
    """Weights of cycles belong to images, whose A is Y."""
    swapped = {"loss.cycle_x": "loss.cycle_y", "loss.cycle_y": "loss.cycle_x"}
    found = {new: fields.pop(old) for old, new in swapped.items() if old in fields}
    fields.update(found)


def _adapt_loss(options: Mapping[str, str], fields: dict[str, Any], notes: list[str]) -> None:
    if options.get("no_lsgan") == "True":
        fields["loss.gan_mode"] = "vanilla"
    if fields.get("loss.gan_mode") == "wgangp":
        fields["loss.gradient_penalty"] = 0.0
        notes.append(
            "the official CycleGAN trains wgangp without its gradient penalty, and so it goes on "
            "here: --loss.gradient_penalty turns it on"
        )


def _adapt_schedule(
    path: Path, options: Mapping[str, str], fields: dict[str, Any], notes: list[str]
) -> None:
    policy = _value(path, "lr_policy", options.get("lr_policy", "linear"), _POLICY)
    if policy == "step":
        fields["optimizer.schedule"] = "step"
        every = options.get("lr_decay_iters", "50")
        fields["optimizer.step_epochs"] = _value(path, "lr_decay_iters", every, int)
    elif policy == "cosine":
        fields["optimizer.schedule"] = "cosine"
        epochs = fields.get("training.constant_epochs", 100)
        fields |= {"training.constant_epochs": 0, "training.decay_epochs": epochs}
        notes.append(
            f"their cosine falls over the first {epochs} epochs and rises again in those that "
            "follow; here the training ends where it has fallen"
        )
    elif policy == "plateau":
        notes.append(
            "lr_policy plateau, which in the official CycleGAN waits for a number that never "
            "changes and so divides the rate by five every six epochs, is not there: the schedule "
            "is linear"
        )


def _adapt_pool(fields: dict[str, Any], notes: list[str]) -> None:
    if fields.get("data.preprocess") in ("scale_width", "none"):
        fields["training.pool_size_images"] = 0
        notes.append(
            f"data.preprocess {fields['data.preprocess']} keeps different sizes, which the pool "
            "of fakes cannot hold here: its size is 0"
        )
