"""What people type who come from other programs, and what it is called here."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

_AUTOMATIC = "going on is automatic: leave it out, and name the run with --run_dir"
_DEVICES = (
    "the environment chooses devices: CUDA_VISIBLE_DEVICES=0 before the command takes the first "
    "GPU, CUDA_VISIBLE_DEVICES=-1 none"
)
_CHANNELS = ("--data.channels_x", "--data.channels_y")
_EPOCHS = ("--training.constant_epochs", "--training.decay_epochs")
_SIZES = ("--data.load_size_px", "--data.crop_size_px")

# Lower case, with underscores -> the options that do it here; or, for a command that has the first
# of them, a sentence.
_OPTIONS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("epochs", "n_epochs", "num_epochs", "max_epochs", "niter"), _EPOCHS),
    **dict.fromkeys(("n_epochs_decay", "niter_decay", "decay_epoch"), _EPOCHS[1:]),
    **dict.fromkeys(("steps", "iterations", "max_iter"), ("--training.max_steps",)),
    **dict.fromkeys(("minutes", "time", "hours"), ("--training.max_minutes",)),
    **dict.fromkeys(("lr", "rate", "learning_rate"), ("--optimizer.learning_rate",)),
    **dict.fromkeys(("name", "exp_name", "project", "checkpoints_dir", "run"), ("--run_dir",)),
    **dict.fromkeys(("output_dir", "save_dir", "logdir", "log_dir", "output"), ("--run_dir",)),
    **dict.fromkeys(("dataroot", "data_dir", "dataset", "input"), ("--data.source",)),
    **dict.fromkeys(("data", "images", "image_dir", "folder"), ("--data.source",)),
    **dict.fromkeys(("crop", "crop_size", "fine_size"), ("--data.crop_size_px",)),
    **dict.fromkeys(("channels", "data.channels", "input_nc", "output_nc"), _CHANNELS),
    **dict.fromkeys(("size", "size_px", "image_size", "img_size", "imgsz"), _SIZES),
    **dict.fromkeys(("fp16", "bf16", "amp", "mixed_precision"), ("--training.precision",)),
    **dict.fromkeys(("lambda_a", "lambda_b"), ("--loss.cycle_x", "--loss.cycle_y")),
    "lambda_identity": ("--loss.identity",),
    "lambda_l1": ("--loss.paired",),
    "netg": ("--generator.architecture",),
    "netd": ("--discriminator.architecture",),
    "ngf": ("--generator.filters",),
    "ndf": ("--discriminator.filters",),
}
_SENTENCES: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("gpu", "gpus", "gpu_id", "gpu_ids", "device", "cuda"), ("", _DEVICES)),
    **dict.fromkeys(("continue", "continue_train", "resume_from"), ("--resume", _AUTOMATIC)),
    **dict.fromkeys(
        ("int8", "fp16", "float16", "half", "quantize", "quantization"),
        ("--variants", "--variants chooses .tflite files: float32, float16, dynamic_int8, int8"),
    ),
}
# Option -> what to say when its value is missing.
_WITHOUT_VALUE = {"--resume": _AUTOMATIC}
# What others give by an option and we by place.
_PLACES = frozenset(
    "run model input output source target images dataroot path weights results_dir out i o".split()
)

DIRECTIONS: Mapping[str, str] = {
    **dict.fromkeys(("xy", "atob", "a2b", "ab", "xtoy", "x2y"), "xy"),
    **dict.fromkeys(("yx", "btoa", "b2a", "ba", "ytox", "y2x"), "yx"),
    "both": "both",
}
"""Lower-case name of a direction, here and elsewhere -> its name here."""


def nearest(name: str, names: Sequence[str], otherwise: str = "; see --help.") -> str:
    """Return "; did you mean ...?" for a mistyped name, or something else where none is near.

    The whole name is compared, else its last part, so that --crop_size finds its section.
    """
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.75)
    if not close:
        last = {known.rsplit(".", 1)[-1].lstrip("-"): known for known in reversed(names)}
        found = difflib.get_close_matches(
            name.rsplit(".", 1)[-1].lstrip("-"), list(last), n=1, cutoff=0.6
        )
        close = [last[found[0]]] if found else []
    return f"; did you mean {close[0]}?" if close else otherwise


def unknown_option(name: str, options: Sequence[str], places: Sequence[str], usage: str) -> str:
    """The end of the sentence on an option that the command does not have.

    Args:
      name: as typed, "--epochs".
      options: that the command has.
      places: names of what it takes by place.
      usage: one line.

    Example:
      >>> unknown_option("--lr", ["--optimizer.learning_rate"], [], "")
      '; did you mean --optimizer.learning_rate?'
    """
    plain = name.lstrip("-").lower().replace("-", "_")
    inside = [option for option in options if option.startswith(f"{name}.")]
    meant = _OPTIONS.get(plain, ())
    if meant and set(meant) <= set(options):
        return f"; did you mean {' and '.join(meant)}?"
    needed, sentence = _SENTENCES.get(plain, ("", ""))
    if sentence and (not needed or needed in options):
        return f"; {sentence}."
    if inside:
        return f"; its options are {', '.join(inside[:3])}, ...; see --help."
    if places and plain in _PLACES | set(places):
        return f"; it is given by its place: {usage}"
    return nearest(name, options)


def missing_value(option: str) -> str:
    """The sentence on an option without the value that it takes."""
    return f"{option} needs a value; {_WITHOUT_VALUE.get(option, 'see --help')}."


def stray_words(words: Sequence[str], options: Sequence[str], usage: str) -> str:
    """The sentence on words that belong to no option and have no place.

    Args:
      words: as typed.
      options: that the command has.
      usage: one line.
    """
    shown = shlex.join(words)
    said = f"{shown} belongs to no option"
    if words[0].startswith("-") or "--run_dir" not in options:
        return f"{said}; {usage}"
    if len(words) == 2:
        return f"{said}; did you mean --data.x_dir {words[0]} --data.y_dir {words[1]}?"
    is_run = len(words) == 1 and Path(words[0], "config.yaml").is_file()
    return f"{said}; did you mean {'--run_dir' if is_run else '--data.source'} {shown}?"
