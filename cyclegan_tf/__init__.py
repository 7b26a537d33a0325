"""CycleGAN in TensorFlow and Keras 3: unpaired image-to-image translation that trains and ships.

The public names are imported when they are first used, so that `import cyclegan_tf` alone does not
load TensorFlow:

    >>> from cyclegan_tf import CycleGAN, build_discriminator, build_generator
    >>> import cyclegan_tf
    >>> model = cyclegan_tf.load("runs/mine")
    >>> image = model.translate("photo.jpg")

Once Keras is imported, before or after this package, `keras.saving.load_model` knows our layers.
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cyclegan_tf.library.opening import load
    from cyclegan_tf.library.training import train
    from cyclegan_tf.model import CycleGAN
    from cyclegan_tf.model.image_pool import ImagePool
    from cyclegan_tf.networks import build_discriminator, build_generator
    from cyclegan_tf.networks.layers import InstanceNormalization
    from cyclegan_tf.runs.generators import load_generator
    from cyclegan_tf.translate.translator import Translator

# TensorFlow reads both when it is first imported. oneDNN's kernels are off by default on CPUs
# without AVX-512, where they are faster too; the log level leaves errors.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_PUBLIC = {
    "CycleGAN": "cyclegan_tf.model.cyclegan",
    "ImagePool": "cyclegan_tf.model.image_pool",
    "InstanceNormalization": "cyclegan_tf.networks.layers",
    "Translator": "cyclegan_tf.translate.translator",
    "build_discriminator": "cyclegan_tf.networks.builders",
    "build_generator": "cyclegan_tf.networks.builders",
    "load": "cyclegan_tf.library.opening",
    "load_generator": "cyclegan_tf.runs.generators",
}
# Every module that registers classes with Keras.
_REGISTERING = (
    "cyclegan_tf.model.cyclegan",
    "cyclegan_tf.model.image_pool",
    "cyclegan_tf.model.optimizers",
    "cyclegan_tf.networks.color_skip",
    "cyclegan_tf.networks.convolutions",
    "cyclegan_tf.networks.layers",
    "cyclegan_tf.networks.shared_normalization",
    "cyclegan_tf.train.schedules",
    "cyclegan_tf.networks.addons",
    "cyclegan_tf.networks.contrib",
)

__all__ = [
    "CycleGAN",
    "ImagePool",
    "InstanceNormalization",
    "Translator",
    "build_discriminator",
    "build_generator",
    "load",
    "load_generator",
    "train",
]


def __getattr__(name: str) -> Any:
    if name == "train":  # a package that can be called
        return importlib.import_module(f"{__name__}.train")
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def register_keras_classes() -> None:
    """Makes `keras.saving.load_model` know every class of ours; imports Keras and TensorFlow."""
    for module in _REGISTERING:
        importlib.import_module(module)


def _refuse_unknown_command() -> None:
    """Ends `python -m cyclegan_tf.predict` with the list of the commands."""
    words = sys.orig_argv
    name = "".join(words[words.index("-m") + 1 :][:1]) if "-m" in words else ""
    is_ours = name.startswith(f"{__name__}.") and name.count(".") == 1
    if is_ours and importlib.util.find_spec(name) is None:
        importlib.import_module(f"{__name__}.__main__").refuse(name.partition(".")[2])


class _RegisterAfterKeras(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Registers our classes as soon as `import keras` is done, in whichever order they come."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> Any:
        del path, target
        if fullname != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("keras")
        if spec is not None and spec.loader is not None:
            self._loader, spec.loader = spec.loader, self
        return spec

    def create_module(self, spec: Any) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        if not _is_importing():  # one of our modules asked for Keras: it registers its own classes
            register_keras_classes()


def _is_importing() -> bool:
    """Whether a module of this package is half imported: others could not import from it."""
    ours = (m for name, m in sys.modules.items() if name.startswith(f"{__name__}."))
    return any(getattr(module.__spec__, "_initializing", False) for module in ours)


if sys.argv[:1] == ["-m"]:  # Python is looking for the module of `python -m cyclegan_tf.NAME`
    _refuse_unknown_command()
if "keras" in sys.modules:
    register_keras_classes()
else:
    sys.meta_path.insert(0, _RegisterAfterKeras())
