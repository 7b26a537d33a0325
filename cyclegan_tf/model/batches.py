"""What Keras's habits hand to a CycleGAN: two batches of images, or a sentence."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import keras
import tensorflow as tf

ModelClass = TypeVar("ModelClass", bound=type[keras.Model])

_WEIGHTS = (
    "CycleGAN takes neither sample_weight nor class_weight: its losses compare no image with a "
    "target. Show images more often in the data set instead."
)
_COMPILED = (
    "CycleGAN compiles with two optimizers, compile(generator_optimizer, discriminator_optimizer), "
    "and its own losses, without {name}: no image is compared with a target. loss_weights and "
    "gan_mode decide the losses; score images with `python -m cyclegan_tf.evaluate`."
)
_REFUSED = {
    "compile": (("optimizer", "loss", "metrics", "weighted_metrics"), _COMPILED),
    **dict.fromkeys(
        ("fit", "evaluate", "train_on_batch", "test_on_batch"),
        (("sample_weight", "class_weight"), _WEIGHTS),
    ),
}


def refuse_keras_arguments(model_class: ModelClass) -> ModelClass:
    """Lets methods of a model refuse what Keras has and it has not, before Keras looks at it.

    Keras's own errors speak of other things, as the shape of the targets.
    """
    for method, (names, sentence) in _REFUSED.items():
        wrapped = _refusing(getattr(model_class, method), names, sentence)
        setattr(model_class, method, wrapped)
    return model_class


def _refusing(method: Callable[..., Any], names: tuple[str, ...], sentence: str) -> Any:
    order = list(inspect.signature(method).parameters)

    @functools.wraps(method)
    def checked(*args: Any, **kwargs: Any) -> Any:
        given = dict(zip(order, args, strict=False)) | kwargs
        for name in names:
            if given.get(name) is not None:
                raise ValueError(sentence.format(name=name))
        return method(*args, **kwargs)

    return checked


def training_images(data: Any, uses_pairs: bool) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor | None]:
    """Takes the images of both domains out of what `fit` or `train_on_batch` hands over.

    Args:
      data: (real_x, real_y) or (real_x, real_y, None), each float (N, H, W, C) in [-1, 1]; with
        pairs, is_paired, float (N,), may be the third.
      uses_pairs: whether it matters which images are partners.

    Returns:
      real_x and real_y as they are, and is_paired; None where all are partners, or nobody asks.

    Raises:
      ValueError: one domain only, weights of samples, or images of whole numbers.
    """
    real_x, real_y, third = keras.utils.unpack_x_y_sample_weight(data)
    if real_y is None or isinstance(real_x, tuple | list | dict):
        raise ValueError(
            "CycleGAN takes batches (real_x, real_y), but got one part only: give fit(X, Y), or a "
            "tf.data.Dataset of such pairs."
        )
    if third is not None and not uses_pairs:
        raise ValueError(_WEIGHTS)
    return _images(real_x, "real_x"), _images(real_y, "real_y"), third


def _images(images: Any, name: str) -> tf.Tensor:
    images = tf.convert_to_tensor(images)
    if not images.dtype.is_floating:
        raise ValueError(
            f"CycleGAN takes float images in [-1, 1], but {name} is {images.dtype.name}: cast and "
            "scale it first."
        )
    return images
