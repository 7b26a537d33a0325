"""Trains CycleGAN: the plan, the session, the loop.

The package can be called: `cyclegan_tf.train("images", "runs/mine")` is
`cyclegan_tf.library.training.train`. A folder and a function of one name would otherwise hide each
other, whichever is imported last.
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import Any


class _CallableModule(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        # By name: the library stands above this wing.
        library = importlib.import_module("cyclegan_tf.library.training")
        return library.train(*args, **kwargs)


sys.modules[__name__].__class__ = _CallableModule
